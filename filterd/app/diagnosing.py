"""What `filterd doctor` says about the MTA in front, and about giving mail back to it."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from filterd.app.releasing import keys_of, uses_tokens
from filterd.config import Config
from filterd.config.listen import Listen
from filterd.operations import doctor_postfix, doctor_sendmail
from filterd.operations.doctor import Diagnosis
from filterd.operations.doctor_mta import Ours, Reader
from filterd.operations.doctor_release import check_client, check_keys, check_marks, check_postfix
from filterd.operations.doctor_sendmail_cf import MAIN, read_file
from filterd.operations.postconf import Ask, PostconfError, postconf, read_postfix
from filterd.pipeline.trust import TrustPolicy


def release_findings(config: Config, ask: Ask | None = None) -> Iterator[Diagnosis]:
    """Keys and client of tokens, where these are in use; then this host's Postfix, which `ask` is in the place of."""
    tokens, policies = uses_tokens(config), bool(config.policies)
    keys = keys_of(config)
    if not tokens and keys.path.exists():
        yield from check_marks(keys, config.state_directory)
    if tokens:
        yield check_keys(keys, config.state_directory)
        trust = TrustPolicy(config.trust.networks, config.trust.relays)
        for listener in _with_tokens(config):
            address = _from(listener)
            if address:
                yield check_client(address, ours=trust.is_ours(address))
    ask = ask or postconf()
    if ask is None:
        return
    held = config.quarantine
    port = _here(held.listener) if held.mode == "store" or policies else 0  # what the MTA holds it lets go itself
    yield from check_postfix(ask, port, tokens=held.release_by == "token", policies=policies)


def postfix_findings(config: Config, folder: Path | None = None) -> Iterator[Diagnosis]:
    """What is wrong with the Postfix of this host, or with the configuration in that folder. PostconfError."""
    ask = postconf(folder)
    if ask is None:
        raise PostconfError("no Postfix here: postconf or /etc/postfix/main.cf is missing")
    postfix = read_postfix(ask, folder)
    yield from doctor_postfix.examine(postfix, _ours(config), Reader.of(postfix.settings["mail_owner"]))


def sendmail_findings(config: Config, path: Path | None = None) -> Iterator[Diagnosis]:
    """What is wrong with Sendmail's configuration, by default that of this host. SendmailError."""
    yield from doctor_sendmail.examine(read_file(path or MAIN), _ours(config))


def _ours(config: Config) -> Ours:
    """What an MTA has to meet."""
    held = config.quarantine
    return Ours(
        milter=_absolute(config.milter.address),
        deadline=config.milter.deadline,
        early_milter=config.early.milter,
        early_wait=config.early.wait if config.early.milter else 0.0,
        policy=_absolute(config.policy.address) if config.policy.address else None,
        policy_timeout=config.policy.timeout,
        analysed=config.limits.message_bytes,
        release=_here(held.listener) if held.mode == "store" or config.policies else 0,
        tokens=held.release_by == "token",
        policies=bool(config.policies),
    )


def _absolute(listen: Listen) -> Listen:
    """As the MTA must name it, which runs elsewhere."""
    return replace(listen, path=str(Path(listen.path).absolute())) if listen.path else listen


def _with_tokens(config: Config) -> list[Listen]:
    """Where anything is handed over with a token."""
    ours = [config.quarantine.listener] if config.quarantine.release_by == "token" else []
    return [*ours, *([config.digest.listener] if config.digest.listener else [])]


def _here(listener: Listen) -> int:
    """The port, where the listener is on this host."""
    with suppress(ValueError):
        return listener.port if ipaddress.ip_address(listener.host).is_loopback else 0
    return listener.port if listener.host == "localhost" else 0


def _from(listener: Listen) -> str:
    """From which address of this host that listener is spoken to; empty where nobody knows. Nothing is sent."""
    with suppress(OSError):
        family, kind, protocol, _, target = socket.getaddrinfo(listener.host, listener.port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(target)
            return str(probe.getsockname()[0])
    return ""
