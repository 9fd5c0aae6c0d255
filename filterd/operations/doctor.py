"""`filterd doctor`: what is wrong with this machine's set-up, in words, each with what to do."""

import asyncio
import ipaddress
import os
import socket
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from filterd.clamd import ping
from filterd.config.icap import IcapService
from filterd.config.listen import Listen
from filterd.dns.plans import complete
from filterd.dnsbl import SelfTest, Zone, self_test
from filterd.icap import options
from filterd.model.custody import CustodyError
from filterd.model.dns import Answer, AnswerStatus, Question, Resolver, RRType
from filterd.model.store import Store, StoreError
from filterd.scanners import ScannerError

CONNECT_SECONDS: Final = 2.0
RESOLVE_SECONDS: Final = 6.0  # a little more than one query's own limit


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing looked at; `remedy` is empty where nothing needs doing."""

    level: Level
    subject: str
    text: str
    remedy: str = ""


def check_folder(path: Path) -> Iterator[Diagnosis]:
    """A state folder must be there, be ours and be closed to others."""
    subject = f"folder {path}"
    if not path.is_dir():
        yield Diagnosis(Level.FAILED, subject, "does not exist", f"mkdir -p {path}, owned by the user filterd runs as")
    elif not os.access(path, os.W_OK | os.X_OK):
        yield Diagnosis(Level.FAILED, subject, "cannot be written by this user", f"chown it to uid {os.geteuid()}")
    elif path.stat().st_mode & 0o006:
        yield Diagnosis(Level.WARNING, subject, "can be read by other users", f"chmod o-rw {path}")
    else:
        yield Diagnosis(Level.OK, subject, "is writable, and no one else can look inside")


def check_milter_socket(address: str, path: str, host: str, port: int) -> Iterator[Diagnosis]:
    """Somebody must answer where the MTA will connect; inet sockets cost the MTA 40 ms and more for each message."""
    subject = f"milter socket {address}"
    family, target = (
        (socket.AF_UNIX, path) if path else (socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port))
    )
    with socket.socket(family) as probe:
        probe.settimeout(CONNECT_SECONDS)
        try:
            probe.connect(target)
        except OSError as error:
            yield Diagnosis(Level.FAILED, subject, f"nobody answers: {error.strerror or error}", "start filterd run")
            return
    yield Diagnosis(Level.OK, subject, "answers")
    if not path:
        text = "TCP between MTA and filter waits for delayed acknowledgements, 40-90 ms a message"
        yield Diagnosis(Level.WARNING, subject, text, 'set [milter] listen = "unix:PATH" where both run on one machine')


def check_resolver(
    nameservers: Sequence[tuple[str, int]],
    resolver: Resolver,
    zones: Sequence[Zone],
    run: Callable[[Coroutine[Any, Any, Answer]], Answer],
) -> Iterator[Diagnosis]:
    """The resolver must answer, be near, and not be refused by block lists."""
    for host, _port in nameservers:
        if ipaddress.ip_address(host).is_global:
            text = (
                "is not on this network: block lists refuse public resolvers, and each lookup waits for the way there"
            )
            yield Diagnosis(
                Level.WARNING, f"resolver {host}", text, "run unbound on 127.0.0.1 and set [dns] nameservers"
            )
    answer = run(_bounded(resolver, Question("org", RRType.NS)))
    if answer.failed:
        yield Diagnosis(Level.FAILED, "resolver", f"does not answer: {answer.cause}", "check [dns] nameservers")
        return
    yield Diagnosis(Level.OK, "resolver", "answers")
    for zone in zones:
        yield _list_health(zone, complete(self_test(zone), lambda question: run(_bounded(resolver, question))))


def check_store(name: str, store: Store) -> Iterator[Diagnosis]:
    """The shared state must take a value and give it back."""
    try:
        store.put("doctor", b"1", 60)
        same = store.get_many(["doctor"]) == [b"1"]
    except StoreError as error:
        yield Diagnosis(Level.FAILED, name, f"does not work: {error}", "check [redis] url, or the folder [paths] state")
        return
    if same:
        yield Diagnosis(Level.OK, name, "stores and finds")
    else:
        yield Diagnosis(Level.FAILED, name, "forgets what it was given", "check its memory limit and eviction policy")


def check_ledger(look: Callable[[], None]) -> Diagnosis:
    """The ledger of several nodes must answer, as the user that the configuration names, with our tables."""
    subject = "ledger of held mail"
    try:
        look()
    except CustodyError as error:
        remedy = "look at [quarantine] url and password_file, and at deploy/postgresql/roles.sql"
        return Diagnosis(Level.FAILED, subject, f"cannot be used: {error}", remedy)
    return Diagnosis(Level.OK, subject, "answers")


def check_clamd(address: Listen) -> Diagnosis:
    """The scanner of `[clamd]` must answer."""
    subject = f"clamd {address.libmilter}"
    try:
        ping(address, time.monotonic() + CONNECT_SECONDS)
    except ScannerError as error:
        remedy = "start clamav-daemon, give it signatures (freshclam), and let filterd's user at its socket"
        return Diagnosis(Level.FAILED, subject, f"does not answer: {error}", remedy)
    return Diagnosis(Level.OK, subject, "answers")


def check_icap(service: IcapService, method: str) -> Diagnosis:
    """The scanner of `[icap]` must answer, and do what it is to be asked for."""
    subject = f"icap {service.url}"
    try:
        options(service, method, time.monotonic() + CONNECT_SECONDS)
    except ScannerError as error:
        remedy = "start the ICAP server, and look at the name of its service and at [icap] method"
        return Diagnosis(Level.FAILED, subject, f"cannot be used: {error}", remedy)
    return Diagnosis(Level.OK, subject, "answers")


def _list_health(zone: Zone, test: SelfTest) -> Diagnosis:
    """What a list's test points say of it (RFC 5782, section 5)."""
    subject = f"block list {zone.display}"
    if test.healthy:
        return Diagnosis(Level.OK, subject, "knows its test points")
    if test.healthy is None:
        return Diagnosis(Level.WARNING, subject, f"could not be tested: {test.cause}", "look again in a while")
    remedy = "ask through a resolver of your own, register with the list, or set enabled = false in dnsbl.toml"
    return Diagnosis(Level.FAILED, subject, f"{test.cause}: mail is not checked against it", remedy)


async def _bounded(resolver: Resolver, question: Question) -> Answer:
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            return await resolver.resolve(question)
    except TimeoutError:
        return Answer(question, AnswerStatus.TEMPFAIL, cause="timeout")
