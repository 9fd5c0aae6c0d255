"""What `filterd doctor` says about giving mail back, and about recipients with policies of their own."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import suppress

from filterd.app.releasing import keys_of, uses_tokens
from filterd.config import Config
from filterd.config.listen import Listen
from filterd.operations.doctor import Diagnosis
from filterd.operations.doctor_release import check_client, check_keys, check_postfix
from filterd.operations.postconf import Ask, postconf
from filterd.pipeline.trust import TrustPolicy


def release_findings(config: Config, ask: Ask | None = None) -> Iterator[Diagnosis]:
    """Keys and client of tokens, where these are in use; then this host's Postfix, which `ask` is in the place of."""
    tokens, policies = uses_tokens(config), bool(config.policies)
    if tokens:
        keys = keys_of(config)
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
