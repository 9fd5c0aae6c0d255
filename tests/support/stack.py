"""The whole way of a message in one place: clients, Postfix, filterd, its DNS, and the mailbox behind.

    with Stack() as stack:
        outcome = stack.send(mail, GOOD, "alice@aligned.test")
        outcome.sent.last.code; outcome.event["action"]; stack.delivered(outcome).data; stack.held(outcome)

Every message goes to recipients of its own, which is how its line in the log, its copy at the sink and its entry in the
quarantine are found again.
"""

import itertools
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from filterd.model.custody import JournalRow
from filterd.quarantine import Entry, EntryFilter, Journal, JournalFilter, Quarantine, State
from tests.support.daemon import Filterd, Settings
from tests.support.dnsserver import DnsServer, ZoneData
from tests.support.postfix import Postfix
from tests.support.process import open_folder, wait_until
from tests.support.sink import Delivered, Sink
from tests.support.smtp import Pose, Sent, SmtpClient
from tests.support.world import GOOD, zone

PAGE: Final = 500  # entries of the quarantine looked at together
OURS: Final = (b"authentication-results", b"x-filterd-id", b"x-filterd-score", b"x-spam-flag")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message: what the client was told, and its line in the log ({} where there is none)."""

    recipients: tuple[str, ...]
    sent: Sent
    event: dict[str, Any]

    @property
    def code(self) -> int:
        """The reply code that ended it."""
        return self.sent.last.code

    @property
    def action(self) -> str:
        """The verdict's action."""
        return str(self.event.get("action", ""))

    @property
    def symbols(self) -> dict[str, float]:
        """The symbols with their weights."""
        return {name: float(weight) for name, _, weight in (pair.partition("=") for pair in self.event["symbols"])}


@dataclass(frozen=True, slots=True)
class Arrived:
    """A delivered message taken apart: our fields on top, Postfix' own Received field, and what the client sent."""

    ours: tuple[tuple[str, bytes], ...]
    received: bytes
    rest: bytes

    def value(self, name: str) -> bytes:
        """The value of one field of ours, folds and outer blanks gone; b"" where it is not there."""
        return next((b" ".join(value.split()) for key, value in self.ours if key == name.lower()), b"")


def take_apart(delivered: Delivered) -> Arrived:
    """Part our fields and Postfix' Received field from what stands below them; AssertionError for any other top."""
    fields = delivered.fields
    count = next(index for index, (name, _) in enumerate(fields) if name.lower() not in OURS)
    name, value = fields[count]
    assert name == b"Received", f"below our fields stands {name!r}"
    top = b"".join(key + b":" + text + b"\r\n" for key, text in fields[: count + 1])
    assert delivered.data.startswith(top)
    ours = tuple((key.decode().lower(), text) for key, text in fields[:count])
    return Arrived(ours, value, delivered.data[len(top) :])


class Stack:
    """Starts everything on entering; `settings` are filterd's, `postfix` its main.cf, `records` the DNS zone.

    In main.cf `{filterd}` stands for filterd's milter.
    """

    def __init__(  # one keyword for each server
        self,
        settings: Settings | None = None,
        *,
        postfix: Mapping[str, str] | None = None,
        records: ZoneData | None = None,
        crashes_expected: bool = False,
    ) -> None:
        """Nothing is started yet."""
        self._settings = dict(settings or {})
        self._main = dict(postfix or {})
        self._records = zone() if records is None else records
        self._crashes_expected = crashes_expected
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._running = ExitStack()

    def __enter__(self) -> Self:
        """Start mailbox, DNS, filterd and Postfix."""
        with ExitStack() as running:
            self.folder: Path = running.enter_context(open_folder())
            self.sink = running.enter_context(self.make_sink())
            self.dns = running.enter_context(DnsServer(self._records))
            settings = {**self._settings}
            settings["dns"] = {"nameservers": [f"127.0.0.1:{self.dns.port}"]} | dict(settings.get("dns", {}))
            self.filterd = self.make_filterd(self.folder, settings)
            running.enter_context(self.filterd)
            main = {key: value.replace("{filterd}", self.filterd.milter) for key, value in self._main.items()}
            milters = main.pop("smtpd_milters", self.filterd.milter)
            self.postfix = running.enter_context(
                Postfix(self.folder / "postfix", sink_port=self.sink.port, milter=milters, settings=main)
            )
            self._running = running.pop_all()
        return self

    def make_sink(self) -> Sink:
        """The mailbox; a run that is too long to keep every message replaces this."""
        return Sink()

    def make_filterd(self, folder: Path, settings: Settings) -> Filterd:
        """The daemon; a test of its log replaces this."""
        return Filterd(folder, settings, crashes_expected=self._crashes_expected)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything, the last started first."""
        self._running.__exit__(kind, error, trace)

    # --- sending

    def recipients(self, count: int = 1) -> tuple[str, ...]:
        """Addresses that no other message has."""
        with self._lock:
            return tuple(f"r{next(self._numbers)}@local.test" for _ in range(count))

    def client(self, pose: Pose | None = None) -> SmtpClient:
        """A session of that client."""
        return SmtpClient(self.postfix.port, pose)

    def send(
        self,
        mail: bytes,
        pose: Pose | None = GOOD,
        sender: str = "alice@aligned.test",
        *,
        recipients: int | Sequence[str] = 1,
        client: SmtpClient | None = None,
        parameters: str = "",
        stuff: bool = True,
    ) -> Outcome:
        """Send one message, over `client` where given, else over a connection of its own.

        `recipients` is how many, or which; `stuff=False` sends dots as they are.
        """
        to = self.recipients(recipients) if isinstance(recipients, int) else tuple(recipients)
        if client is not None:
            sent = client.mail(mail, sender, to, parameters, stuff=stuff)
        else:
            with self.client(pose) as own:
                sent = own.mail(mail, sender, to, parameters, stuff=stuff)
                own.quit()
        return Outcome(to, sent, self.event(to))

    def event(self, recipients: Sequence[str]) -> dict[str, Any]:
        """The log's newest line about a message to these recipients, {} where there is none.

        It is written before the client is told.
        """
        found = [one for one in self.filterd.events("message") if one["recipients"] == list(recipients)]
        return found[-1] if found else {}

    # --- what became of it

    def delivered(self, outcome: Outcome) -> Delivered:
        """Its (first) copy at the mailbox, as soon as every recipient has one. AssertionError where one has two."""
        found: list[Delivered] = []

        def look() -> bool:
            found[:] = self.copies(outcome.recipients)
            return {one for copy in found for one in copy.recipients} == set(outcome.recipients)

        wait_until(look, f"the message to {outcome.recipients[0]} at the sink")
        assert sum(len(copy.recipients) for copy in found) == len(outcome.recipients)
        return found[0]

    def arrived(self, outcome: Outcome) -> Arrived:
        """Its copy at the mailbox, taken apart."""
        return take_apart(self.delivered(outcome))

    def copies(self, recipients: Sequence[str]) -> list[Delivered]:
        """What has arrived for any of these recipients so far."""
        return [one for one in self.sink.messages if set(recipients) & set(one.recipients)]

    def quarantine(self) -> Quarantine:
        """The daemon's quarantine, to be closed by the caller."""
        url = str(self.filterd.settings.get("quarantine", {}).get("url", ""))
        return Quarantine(Path(url.removeprefix("sqlite:///") or self.folder / "state" / "quarantine"))

    def held(self, outcome: Outcome) -> list[Entry]:
        """Its entries in the quarantine; copies of one message count as one."""
        quarantine = self.quarantine()
        try:
            wanted = EntryFilter(state=State.HELD, recipient=outcome.recipients[0])
            return [one for one in quarantine.entries(wanted) if one.recipients == outcome.recipients]
        finally:
            quarantine.close()

    def all_held(self) -> list[Entry]:
        """All held messages, copies of one merged."""
        quarantine = self.quarantine()
        found: list[Entry] = []
        try:
            while page := quarantine.entries(
                EntryFilter(state=State.HELD), before=found[-1].id if found else None, limit=PAGE
            ):
                found += page
        finally:
            quarantine.close()
        return found

    def raw(self, entry: Entry) -> bytes:
        """The bytes of a held message."""
        quarantine = self.quarantine()
        try:
            with quarantine.open_raw(entry.id) as source:
                return source.read()
        finally:
            quarantine.close()

    def kept(self, outcome: Outcome) -> bytes:
        """The message below our edits, delivered or held."""
        if outcome.action == "quarantine":
            (entry,) = self.held(outcome)
            return self.raw(entry)
        return self.arrived(outcome).rest

    def row(self, outcome: Outcome) -> JournalRow:
        """Its row in the journal, as soon as it is there."""
        journal = Journal(self.folder / "state" / "journal.sqlite")
        found: list[JournalRow] = []

        def look() -> bool:
            found[:] = journal.search(JournalFilter(identifier=outcome.event["id"]))
            return bool(found)

        try:
            wait_until(look, f"{outcome.event['id']} in the journal")
        finally:
            journal.close()
        return found[0]
