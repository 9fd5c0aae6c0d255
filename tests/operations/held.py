"""Varied mail, held by a front with everything live, so that it can be replayed: for tests and for the bench.

The same numbers give the same mail. Without the shared data there are as many messages, of fewer kinds.
"""

import random
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from filterd.app.front import LiveFront
from filterd.app.nursery import nursery_settings
from filterd.app.site import Site, load_config, load_site
from filterd.checks.registry import ALL, make_all
from filterd.dns.lookups import Lookups
from filterd.inspectors import InspectorDied, start_nursery
from filterd.mime.header import split
from filterd.model.inspection import Inspection, InspectionJob
from filterd.model.message import HeaderField
from filterd.model.session import Client
from filterd.operations.replay import Bench
from filterd.pipeline.finish import finish
from filterd.pipeline.parts import Inspect, Parts
from filterd.pipeline.schedule import Schedule
from filterd.pipeline.transaction import Peer, Transaction
from filterd.quarantine import Journal, Quarantine
from filterd.store import MemoryStore
from filterd.telemetry import Metrics, configure
from tests.bench import messages
from tests.support.dnsserver import DnsServer
from tests.support.world import GOOD, LISTED, SPAM, STRANGER, eicar_zip, message, signed, with_attachment, zone

NOW: Final = 1_795_400_000.0  # the mail's own dates
DEADLY: Final = b"X-Deadly"  # an inspector that reads a message with this field dies
MANY: Final = 60  # recipients of a message that is sent again and again
DNS_SECONDS: Final = 0.5  # of a question that nobody answers
SLOW: Final = "slow.test"  # its name servers say nothing
BROKEN: Final = "broken.test"  # its name servers fail
RELAY: Final = "192.0.2.200"
MORE: Final = {  # a listed client with an address that lists are asked about
    "4.3.2.11.zen.spamhaus.org": {"A": "127.0.0.4"},
    "4.3.2.11.in-addr.arpa": {"PTR": "bot.dialup.test"},
}
CONFIG: Final = """
[paths]
state = "{folder}/state"
[dns]
nameservers = ["127.0.0.1:{port}"]
timeout = {seconds}
[trust]
relays = ["192.0.2.200/32"]
[reputation]
enabled = true
[dmarc]
known_lists = true
"""


@dataclass(frozen=True, slots=True)
class Brought:
    """A message and the session that brings it."""

    fields: tuple[HeaderField, ...]
    body: bytes
    client: str = "11.20.30.40"
    name: str = ""
    helo: str = "mail.sender.test"
    sender: str = "sender@a.test"
    recipients: tuple[str, ...] = ("user@local.test",)
    parameters: tuple[str, ...] = ()
    macros: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, raw: bytes, **session: object) -> "Brought":
        """From the bytes of a message."""
        if raw.count(b"\n") != raw.count(b"\r\n"):
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        fields, offset = split(raw)
        return cls(fields, raw[offset:], **session)  # type: ignore[arg-type]  # tests name real fields


def bring(parts: Parts, mail: Brought) -> str:
    """Bring a message as a milter session does; the action."""
    transaction = Transaction(parts, Peer(Client(mail.client, 4711, mail.name)))
    try:
        transaction.hello(mail.helo)
        transaction.mail(mail.sender, mail.parameters, mail.macros)
        for recipient in mail.recipients:
            transaction.rcpt(recipient, f"<{recipient}>")
        for name, value in mail.fields:
            transaction.header(name, value)
        transaction.end_of_headers()
        transaction.chunk(mail.body)
        transaction.macros["i"] = "4XQ1"
        return finish(transaction).verdict.action.value
    finally:
        transaction.close()


def varied(count: int, data: Path | None, seed: int = 1) -> list[Brought]:
    """At least so many messages of all kinds, in an order that mixes them."""
    rng = random.Random(seed)
    found = [*_oddities(), *_corpora(count // 2, data, rng)]
    found += _generated(max(count - len(found), count // 3))
    rng.shuffle(found)
    return found


def _generated(count: int) -> Iterator[Brought]:
    for one in messages.build(count=count, now=NOW):
        yield Brought.of(
            one.raw,
            client=one.client,
            name=one.host,
            helo=one.host,
            sender=one.sender,
            recipients=(one.recipient,),
        )


def _oddities() -> Iterator[Brought]:
    """What each case of the recording is for."""
    good = {"client": GOOD.address, "name": GOOD.helo, "helo": GOOD.helo, "sender": "alice@aligned.test"}
    listed = {"client": LISTED.address, "helo": "bot", "sender": "x@cheap.test"}
    clean = signed(message("alice@aligned.test", "Minutes"), now=int(NOW))
    strangers = tuple(f"user{number}@local.test" for number in range(MANY))
    program = with_attachment("x@cheap.test", "Invoice", "invoice.exe", b"MZ" + bytes(500))
    yield Brought.of(SPAM, **listed)
    yield Brought.of(SPAM, client=STRANGER.address, sender="")
    yield Brought.of(SPAM, client="11.2.3.4", sender="y@cheap.test")
    yield Brought.of(with_attachment("alice@aligned.test", "Bill", "bill.zip", eicar_zip()), **good)
    yield Brought.of(program, **listed)
    yield Brought.of(program, client="2a02:7b40::25", sender="x@cheap.test")
    yield Brought.of(clean, **good)
    yield Brought.of(clean, **good, recipients=strangers)
    yield Brought.of(clean, **good, recipients=strangers[1:])
    yield Brought.of(message("ceo@strict.test", "Wire transfer"), client=STRANGER.address, sender="ceo@strict.test")
    yield Brought.of(message("a@hard.test", "Hello"), client=STRANGER.address, sender="a@hard.test")
    for domain in (SLOW, BROKEN):
        mail = message(f"a@{domain}", "Hello", f"See https://www.{domain}/x\r\n")
        yield Brought.of(mail, client="11.1.2.3", sender=f"a@{domain}", helo=f"mail.{domain}")
    yield Brought.of(clean, client="127.0.0.1", sender="alice@aligned.test")
    yield Brought.of(clean, **good, macros={"{auth_authen}": "alice", "{auth_type}": "PLAIN"})
    chain = (
        "Received: from behind.test (behind.test [11.9.8.7])\r\n\tby relay.test; Mon, 23 Nov 2026 10:00:00 +0000\r\n"
    )
    yield Brought.of(chain.encode() + SPAM, client=RELAY, helo="relay.test", sender="x@cheap.test")
    yield Brought.of(SPAM, client=RELAY, helo="relay.test", sender="x@cheap.test")
    yield Brought(((b"Subject", b" a\0b"), (b"no name at all", b" x"), (b"From", b" <a@b.test>")), b"x\r\n")
    yield Brought(tuple((b"X-%d" % number, b" y") for number in range(1_100)), b"bare\nline\rends")
    yield Brought((), b"")
    yield Brought(((b"From", b" a\xff@b.test"),), b"\xff\0", sender="a\udcff@b.test", helo="\udcff")
    for _ in range(4):
        yield Brought.of(DEADLY + b": yes\r\n" + clean, **good)


def _corpora(count: int, data: Path | None, rng: random.Random) -> Iterator[Brought]:
    """Public mail and documents, from clients of a few networks: reputation begins to know them."""
    if data is None:
        return
    clients = [f"11.{rng.randrange(8)}.{rng.randrange(4)}.{rng.randrange(1, 255)}" for _ in range(count)]
    for number, raw in enumerate(_raw(count, data)):
        person = rng.randrange(12)
        yield Brought.of(raw, client=clients[number], sender=f"p{person}@fdbench-0{person % 8}.test", helo="x")


def _raw(count: int, data: Path) -> Iterator[bytes]:
    left = count
    for path in _some(data / "mime" / "hide-filename" / "cur", "*", count // 5):
        left -= 1
        yield path.read_bytes()
    for path in _some(data / "attachments" / "oletools" / "test-data", "**/*.*", count // 5):
        left -= 1
        yield with_attachment("office@cheap.test", "Document", path.name, path.read_bytes())
    with tarfile.open(data / "mail" / "dev-mail.tar.xz") as tar:
        for member in tar:
            content = tar.extractfile(member) if member.name.endswith(".eml") else None
            if content is not None and left > 0:
                left -= 1
                yield content.read()
            if left <= 0:
                return


def _some(folder: Path, pattern: str, count: int) -> Sequence[Path]:
    paths = sorted(path for path in folder.glob(pattern) if path.is_file() and path.stat().st_size < 1 << 20)
    return paths[:: max(1, len(paths) // max(count, 1))][:count]


class _Mortal:
    """Inspectors that die of DEADLY. Implements Inspect."""

    def __init__(self, inspectors: Inspect) -> None:
        self._inspectors = inspectors

    def inspect(self, job: InspectionJob, body_fd: int, deadline: float) -> Inspection:
        if job.fields and job.fields[0][0] == DEADLY:
            raise InspectorDied("killed by signal 11")
        return self._inspectors.inspect(job, body_fd, deadline)


@dataclass
class Stand:
    """A front that holds whatever it gets, and the bench that replays it without asking anybody."""

    site: Site
    quarantine: Quarantine
    holding: Parts
    bench: Bench
    suspended: set[str]

    def hold(self, mail: Sequence[Brought]) -> list[str]:
        """Bring all of it; the actions. Lists are suspended for the second half."""
        actions = []
        for number, one in enumerate(mail):
            if number == len(mail) // 2:
                self.suspended.add(self.site.zones[0].name)
            actions.append(bring(self.holding, one))
        return actions


@contextmanager
def stand(folder: Path, inspectors: int = 2, *, more: str = "") -> Iterator[Stand]:
    """Everything live but the MTA: inspectors, name server, store, quarantine. Its name server ends with it.

    `more` is put behind its configuration; without it everything is held.
    """
    configure("error", "json")
    with DnsServer({**zone(), **messages.zone(), **MORE}) as dns:
        dns.fault("drop", f"*.{SLOW}")
        for name in (SLOW, f"www.{SLOW}", f"_dmarc.{SLOW}", f"mail.{SLOW}", f"{SLOW}.dbl.spamhaus.org"):
            dns.fault("drop", name)
        for name in (BROKEN, f"_dmarc.{BROKEN}", f"{BROKEN}.dbl.spamhaus.org"):
            dns.fault("servfail", name)
        path = folder / "filterd.toml"
        path.write_text(CONFIG.format(folder=folder, port=dns.port, seconds=DNS_SECONDS) + more)
        site = load_site(load_config(path), path)
        (folder / "n").mkdir()
        nursery = start_nursery(folder / "n", nursery_settings(site.config, folder / "cache"))
        quarantine = Quarantine(folder / "state" / "quarantine", fsync=lambda _: None)
        journal = Journal(folder / "state" / "journal.sqlite")
        metrics = Metrics.create(1, tuple(ALL)).front(0)
        front = LiveFront(
            site,
            nursery=nursery.path,
            inspectors=inspectors,
            store=MemoryStore(),
            custodian=quarantine,
            journal=journal,
            metrics=metrics,
            remembers=True,
        )
        try:
            yield _stand(site, quarantine, front, everything=not more)
        finally:
            front.close()
            nursery.stop()
            journal.close()
            quarantine.close()


def _stand(site: Site, quarantine: Quarantine, front: LiveFront, *, everything: bool) -> Stand:
    suspended: set[str] = set()
    parts = front.parts
    if everything:
        parts = replace(parts, policy=replace(parts.policy, quarantine=-1_000.0, reject=1_000_000.0))
    tools = replace(front.tools, suspended=lambda: suspended)
    holding = replace(parts, schedule=Schedule.of(make_all(tools)), inspectors=_Mortal(parts.inspectors))
    bench = Bench(replace(parts, lookups=_nobody, custodian=_Kept()), front.tools, remembers=True, classifies=True)
    return Stand(site, quarantine, holding, bench, suspended)


def _nobody() -> Lookups:
    raise AssertionError("a name was to be asked for in a replay")


class _Kept:
    """Keeps nothing. Implements Custodian."""

    def hold(self, evidence: object, _message: object) -> str:
        return str(getattr(evidence, "id", ""))
