"""What DMARC found of the mail of each day, counted: what aggregate reports (RFC 9990) are made of.

Bounded: a domain has MAX_KINDS different rows a day, a day MAX_DOMAINS domains and MAX_DAY rows in all. What finds no
more room is counted as lost, and its report says so. Whoever forges mail chooses envelope senders and signatures, so
kinds are what he can make any number of.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final

import msgspec

from filterd.model.aggregate import Evaluated, Sighting
from filterd.model.custody import CustodyError
from filterd.quarantine.aggregate_places import Aside
from filterd.quarantine.aggregate_schema import NAMES
from filterd.quarantine.changes import Lease
from filterd.quarantine.database import Connection
from filterd.store.batching import Batcher

INTERVAL: Final = 5.0  # seconds that messages are collected before they are counted: what a killed front loses
MAX_QUEUED: Final = 20_000  # messages that wait to be counted, some 20 MB: a minute of a busy front
MAX_KINDS: Final = 10_000  # different rows of one domain and day: a report of 1 MB or less, packed
MAX_DOMAINS: Final = 20_000  # of one day
MAX_DAY: Final = 500_000  # rows of one day, some 300 MB
MAX_AT_ONCE: Final = 100  # rows in one statement
PAGE: Final = 1_000  # rows read at once
MAX_ANSWER: Final = 500  # characters of what the MTA said

_encode: Final = msgspec.json.Encoder().encode
_evaluated: Final = msgspec.json.Decoder(Evaluated)


class Fate(StrEnum):
    """What became of one report to one address."""

    SENDING = "sending"  # somebody is at it, or it was put off
    SENT = "sent"  # the MTA has said 250
    FAILED = "failed"  # the MTA has refused it for good


@dataclass(frozen=True, slots=True)
class DayOf:
    """A domain's day: the record as it was seen last, how many kinds of messages, how many messages, how many lost."""

    day: int
    domain: str
    record: str
    kinds: int
    messages: int
    lost: int


class Aggregates:
    """Implements model.aggregate.AggregateWriter, and reads. CustodyError where what is kept cannot be used.

    `dropped` and `failed` count messages that are not there: the queue was full, or the database refused.
    """

    def __init__(
        self, place: Aside, *, interval: float = INTERVAL, failed: Callable[[str], None] | None = None
    ) -> None:
        """`failed` is told why rows could not be written. Nothing is opened or started before the first row."""
        self._place = place
        self._batcher: Batcher[Sighting] = Batcher("filterd-dmarc", self._write, interval=interval, most=MAX_QUEUED)
        self._told = failed
        self._trouble = ""
        self._full = 0

    @property
    def dropped(self) -> int:
        """Messages that found the queue full."""
        return self._batcher.dropped

    @property
    def failed(self) -> int:
        """Messages that could not be counted."""
        return self._batcher.failed

    def record(self, seen: Sighting) -> None:
        """As AggregateWriter.record."""
        self._batcher.offer(seen)

    def flush(self) -> None:
        """Count what is queued, in this thread."""
        self._batcher.flush()

    def close(self) -> None:
        """Count what is queued, stop the thread, close the database."""
        self._batcher.close()
        self._place.close()

    def _write(self, batch: Sequence[Sighting]) -> int:
        """Each domain in a transaction of its own, in the order of names: two nodes wait for each other briefly."""
        counts: dict[tuple[int, str], Counter[Evaluated]] = {}
        records: dict[tuple[int, str], str] = {}
        for seen in batch:
            counts.setdefault((seen.day, seen.domain), Counter())[seen.evaluated] += 1
            records[seen.day, seen.domain] = seen.record
        failed, trouble = 0, ""
        room: dict[int, _Room] = {}
        for key in sorted(counts):
            try:
                with self._place.aside() as connection:
                    if key[0] not in room:
                        room[key[0]] = _room_of(connection, key[0])
                    failed += _add(connection, key, (records[key], counts[key]), room[key[0]])
            except CustodyError as error:
                failed += counts[key].total()
                trouble = str(error)
        full, self._full = self.dropped > self._full, self.dropped
        trouble = trouble or (f"more messages came than can be counted: {self.dropped} are not" if full else "")
        if trouble and not self._trouble and self._told is not None:
            self._told(trouble)  # once, until it works again
        self._trouble = trouble
        return failed

    def days(self) -> list[int]:
        """The days there is anything of, oldest first."""
        return [int(row[0]) for row in self._read("SELECT DISTINCT day FROM dmarc_days ORDER BY day", ())]

    def domains(self, day: int) -> list[DayOf]:
        """The domains of a day, those with most messages first."""
        query = (
            "SELECT d.day, d.domain, d.record, d.kinds, coalesce(sum(r.messages), 0), d.lost FROM dmarc_days d"
            " LEFT JOIN dmarc_rows r ON r.day = d.day AND r.domain = d.domain WHERE d.day = ?"
            " GROUP BY d.day, d.domain, d.record, d.kinds, d.lost ORDER BY 5 DESC, d.domain"
        )
        return [DayOf(*map(_plain, row)) for row in self._read(query, (day,))]

    def domain(self, day: int, domain: str) -> DayOf | None:
        """One of them."""
        query = (
            "SELECT d.day, d.domain, d.record, d.kinds, (SELECT coalesce(sum(r.messages), 0) FROM dmarc_rows r"
            " WHERE r.day = d.day AND r.domain = d.domain), d.lost FROM dmarc_days d WHERE d.day = ? AND d.domain = ?"
        )
        return next((DayOf(*map(_plain, row)) for row in self._read(query, (day, domain))), None)

    def rows(self, day: int, domain: str) -> Iterator[tuple[Evaluated, int]]:
        """What a report on that domain and day has, with numbers of messages, in an order that stays."""
        after = ""
        query = (
            "SELECT name, content, messages FROM dmarc_rows WHERE day = ? AND domain = ? AND name > ?"
            " ORDER BY name LIMIT ?"
        )
        while page := self._read(query, (day, domain, after, PAGE)):
            for _, content, messages in page:
                with suppress(msgspec.DecodeError):  # somebody has written something else into it
                    yield _evaluated.decode(content), int(messages)
            after = page[-1][0]

    def take(self, about: DayOf, address: str, lease: Lease, now: float) -> Fate | None:
        """Take a report to send it: None where it is ours now, else what has become of it, or who is at it."""
        key = (about.day, about.domain, address)
        with self._place.aside() as connection:
            made = connection.execute(
                "INSERT INTO dmarc_reports (day, domain, address, state, due, lease, attempts, answer)"
                " VALUES (?, ?, ?, ?, ?, ?, 1, '') ON CONFLICT DO NOTHING",
                (*key, Fate.SENDING, lease.until, lease.token),
            )
            if made.rowcount:
                return None
            taken = connection.execute(
                "UPDATE dmarc_reports SET due = ?, lease = ?, attempts = attempts + 1"
                " WHERE day = ? AND domain = ? AND address = ? AND state = ? AND due <= ?",
                (lease.until, lease.token, *key, Fate.SENDING, now),
            )
            if taken.rowcount:
                return None
            query = "SELECT state FROM dmarc_reports WHERE day = ? AND domain = ? AND address = ?"
            row = connection.execute(query, key).fetchone()
            return Fate(row[0])

    def end(self, about: DayOf, address: str, lease: Lease, fate: Fate, answer: str) -> bool:
        """Write down what became of it; False where the lease was over and another has taken it."""
        with self._place.aside() as connection:
            done = connection.execute(
                "UPDATE dmarc_reports SET state = ?, due = 0, lease = '', answer = ?"
                " WHERE day = ? AND domain = ? AND address = ? AND lease = ?",
                (fate, answer[:MAX_ANSWER], about.day, about.domain, address, lease.token),
            )
            return bool(done.rowcount)

    def fates(self, day: int, domain: str) -> dict[str, Fate]:
        """What became of the reports on a domain and day, by address."""
        query = "SELECT address, state FROM dmarc_reports WHERE day = ? AND domain = ?"
        return {str(address): Fate(state) for address, state in self._read(query, (day, domain))}

    def forget(self, before: int) -> int:
        """Remove the days before that one; how many rows. A day and a table at a time: nobody waits long for it."""
        removed = 0
        for day in [day for day in self.days() if day < before]:
            for table in NAMES:
                with self._place.aside() as connection:
                    removed += connection.execute(f"DELETE FROM {table} WHERE day = ?", (day,)).rowcount  # noqa: S608  # constants
        return removed

    def _read(self, query: str, values: Sequence[Any]) -> list[Any]:
        if not self._place.exists():
            return []
        with self._place.reading() as connection:
            return connection.execute(query, values).fetchall()


@dataclass(slots=True)
class _Room:
    """How much a day has left, as it was when the batch began: nodes that write meanwhile may exceed it by one."""

    domains: int
    kinds: int


def _room_of(connection: Connection, day: int) -> _Room:
    query = "SELECT count(*), CAST(coalesce(sum(kinds), 0) AS BIGINT) FROM dmarc_days WHERE day = ?"
    domains, kinds = connection.execute(query, (day,)).fetchone()
    return _Room(MAX_DOMAINS - int(domains), MAX_DAY - int(kinds))


def _add(connection: Connection, key: tuple[int, str], what: tuple[str, Counter[Evaluated]], room: _Room) -> int:
    """Count them; how many messages are of a domain too many. Its day is locked first, so that `kinds` stays true."""
    record, counts = what
    if not _locked(connection, key):
        if room.domains <= 0:
            return counts.total()
        connection.execute(
            "INSERT INTO dmarc_days (day, domain, record, kinds, lost) VALUES (?, ?, '', 0, 0) ON CONFLICT DO NOTHING",
            key,
        )
        room.domains -= 1
        _locked(connection, key)  # another node may have been quicker
    contents = {}
    for evaluated, count in counts.items():
        content = _encode(evaluated)
        contents[hashlib.sha256(content).hexdigest()[:32]] = (content.decode(), count)
    (kinds,) = connection.execute("SELECT kinds FROM dmarc_days WHERE day = ? AND domain = ?", key).fetchone()
    known = _known(connection, key, list(contents))
    new = set(islice((one for one in contents if one not in known), max(0, min(MAX_KINDS - int(kinds), room.kinds))))
    room.kinds -= len(new)
    kept = sorted(known | new)
    for start in range(0, len(kept), MAX_AT_ONCE):
        some = kept[start : start + MAX_AT_ONCE]
        marks = ", ".join(["(?, ?, ?, ?, ?)"] * len(some))
        connection.execute(
            f"INSERT INTO dmarc_rows (day, domain, name, content, messages) VALUES {marks}"  # noqa: S608  # marks
            " ON CONFLICT (day, domain, name) DO UPDATE SET messages = dmarc_rows.messages + excluded.messages",
            [value for name in some for value in (*key, name, *contents[name])],
        )
    lost = sum([count for name, (_, count) in contents.items() if name not in known | new])
    connection.execute(
        "UPDATE dmarc_days SET record = ?, kinds = kinds + ?, lost = lost + ? WHERE day = ? AND domain = ?",
        (record, len(new), lost, *key),
    )
    return 0


def _locked(connection: Connection, key: tuple[int, str]) -> bool:
    """Lock the row of a domain's day, where there is one."""
    return bool(connection.execute("UPDATE dmarc_days SET kinds = kinds WHERE day = ? AND domain = ?", key).rowcount)


def _known(connection: Connection, key: tuple[int, str], names: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(names), MAX_AT_ONCE):
        some = names[start : start + MAX_AT_ONCE]
        marks = ", ".join("?" * len(some))
        query = f"SELECT name FROM dmarc_rows WHERE day = ? AND domain = ? AND name IN ({marks})"  # noqa: S608  # marks
        found |= {str(row[0]) for row in connection.execute(query, (*key, *some))}
    return found


def _plain(value: Any) -> Any:
    """PostgreSQL gives sums of BIGINT as decimals."""
    return value if isinstance(value, str) else int(value)
