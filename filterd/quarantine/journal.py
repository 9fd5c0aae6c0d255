"""A row of every verdict, accepted mail included, without the body: what `trace` and reports read."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from filterd.domains import normalise_address
from filterd.model.custody import JournalRow
from filterd.model.ids import PUBLIC_LENGTH, public_id
from filterd.quarantine import journal_index
from filterd.quarantine.entries import storable
from filterd.store.batching import INTERVAL, Batcher
from filterd.store.embedded import ConnectionPool, Schema, open_database, transaction

BUSY: Final = 5.0  # seconds the writing thread waits for other processes; no message waits for it
MAX_ROWS: Final = 20_000  # queued at most, about 40 MB: a minute of a disk that does not answer
MAX_TEXT: Final = 500  # characters per column
MAX_RECIPIENTS: Final = 100  # kept per row; evidence holds all
KEEP: Final = 60 * 24 * 3600.0  # seconds a row lives
PURGE_EVERY: Final = 600.0  # seconds between two removals of old rows
MAPPED: Final = 4 << 30  # bytes of the file that are mapped to be searched: reading pages takes longer than looking
PURGE_ROWS: Final = 5_000  # removed at once at most
PAGE_ROWS: Final = 5_000  # read at once for reports, some 5 MB

_FIRST_COLUMNS: Final = (
    "id, public_id, received, action, code, score, client, helo, sender, recipients, header_from, subject, message_id,"
    " queue_id, size, sha256, symbols, ms, observed"
)
_COLUMNS: Final = f"{_FIRST_COLUMNS}, policy, note, place"
_TABLE: Final = (
    "CREATE TABLE journal (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, public_id TEXT NOT NULL,"
    " received REAL NOT NULL, action TEXT NOT NULL, code TEXT NOT NULL, score REAL NOT NULL, client TEXT NOT NULL,"
    " helo TEXT NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL, header_from TEXT NOT NULL,"
    " subject TEXT NOT NULL, message_id TEXT NOT NULL, queue_id TEXT NOT NULL, size INTEGER NOT NULL,"
    " sha256 TEXT NOT NULL, symbols TEXT NOT NULL, ms REAL NOT NULL, observed TEXT NOT NULL)"
)
_INDEXES: Final = (
    "CREATE INDEX journal_public_id ON journal (public_id)",
    "CREATE INDEX journal_received ON journal (received)",
)
_POLICY: Final = "ALTER TABLE journal ADD COLUMN policy TEXT NOT NULL DEFAULT ''"
_NOTE: Final = "ALTER TABLE journal ADD COLUMN note TEXT NOT NULL DEFAULT ''"
_PLACE: Final = "ALTER TABLE journal ADD COLUMN place TEXT NOT NULL DEFAULT ''"
_SCHEMA: Final = Schema(
    5,
    (_TABLE, _POLICY, _NOTE, _PLACE, *_INDEXES, *journal_index.SCHEMA),
    {
        1: (
            "ALTER TABLE journal RENAME TO journal_1",
            "DROP INDEX journal_public_id",
            "DROP INDEX journal_received",
            _TABLE,
            (
                f"INSERT INTO journal ({_FIRST_COLUMNS})"  # noqa: S608  # constants
                f" SELECT {_FIRST_COLUMNS} FROM journal_1 ORDER BY received"
            ),
            "DROP TABLE journal_1",
            *_INDEXES,
            *journal_index.SCHEMA,
        ),
        2: (_POLICY,),
        3: (_NOTE,),
        4: (_PLACE,),
    },
)
SCHEMA_VERSION: Final = _SCHEMA.version
_INSERT: Final = f"INSERT INTO journal ({_COLUMNS}) VALUES ({', '.join('?' * 22)})"  # noqa: S608  # constants
_PURGE: Final = (
    "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE received < ? ORDER BY received LIMIT ?)"
)
_REMOVE: Final = (
    "DELETE FROM journal WHERE ?1 = sender COLLATE NOCASE OR ?1 = header_from COLLATE NOCASE"
    " OR EXISTS (SELECT 1 FROM json_each(recipients) WHERE value = ?1 COLLATE NOCASE)"
)
_LIKE: Final = "LIKE ? ESCAPE '\\'"
_CONDITIONS: Final = {
    "identifier": "? IN (id, public_id, queue_id, message_id, trim(message_id, '<>'))",
    "sender": f"(sender {_LIKE} OR header_from {_LIKE})",
    "recipient": f"recipients {_LIKE}",
    "subject": f"subject {_LIKE}",
    "client": "client = ?",
    "network": f"client {_LIKE}",
    "action": "action = ?",
    "since": "received >= ?",
    "until": "received < ?",
    "public": "public_id = ?",
    "after": "seq > ?",
    "upto": "seq <= ?",
}
# Columns of a Sighting, and the place in the order of time.
_SIGHTED: Final = (
    "public_id, action, code, score, client, sender, recipients, header_from, size, symbols, ms, observed, policy,"
    " place, received, seq"
)
_PAGE: Final = (
    f"SELECT {_SIGHTED} FROM journal WHERE received >= ?1 AND (received, seq) > (?1, ?2) AND received < ?3"  # noqa: S608  # constants
    " ORDER BY received, seq LIMIT ?4"
)
# Columns of the index of texts by the condition whose value is looked for there.
_TEXTS: Final = {
    "identifier": "ids",
    "sender": "sender",
    "recipient": "recipients",
    "subject": "subject",
    "client": "client",
    "network": "client",
    "action": "action",
}
_SPELT: Final = {"client": journal_index.spelt, "ids": journal_index.named}
_EVER: Final = 1e18  # epoch seconds after any row


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """Which rows to find; None asks nothing. Texts are looked for anywhere in the field, case ignored (ASCII).

    `identifier` is a whole id, the public part of one, a queue id or a Message-ID; `sender` a part of the envelope
    sender or of the author's address; `client` an address, or what one begins with; `action` a whole word.
    """

    identifier: str | None = None
    sender: str | None = None
    recipient: str | None = None
    subject: str | None = None
    client: str | None = None
    action: str | None = None
    since: float | None = None
    until: float | None = None


class Sighting(NamedTuple):
    """What reports count of a row; `recipients` and `symbols` are JSON arrays of texts, as they are stored."""

    public_id: str
    action: str
    code: str
    score: float
    client: str
    sender: str
    recipients: str
    header_from: str
    size: int
    symbols: str
    ms: float
    observed: str
    policy: str
    place: str
    received: float
    seq: int


class Journal:
    """Implements model.custody.JournalWriter; the database is opened by the writing thread, and by readers.

    `dropped` and `failed` count rows that are not there: the queue was full, or the disk refused.
    """

    def __init__(
        self, path: Path, *, interval: float = INTERVAL, most: int = MAX_ROWS, clock: Callable[[], float] = time.time
    ) -> None:
        """Nothing is opened or started before the first row."""
        self._pool = ConnectionPool(lambda: open_database(path, _SCHEMA, synchronous="NORMAL", busy=BUSY))
        self._batcher: Batcher[JournalRow] = Batcher("filterd-journal", self._write, interval=interval, most=most)
        self._clock = clock
        self._path = path
        self._next_purge = 0.0
        self._unindexed = 0

    @property
    def dropped(self) -> int:
        """Rows that found the queue full."""
        return self._batcher.dropped

    @property
    def failed(self) -> int:
        """Rows that could not be written."""
        return self._batcher.failed

    def record(self, row: JournalRow) -> None:
        """Queue a row; it is written within about 50 ms. Never raises, never waits."""
        self._batcher.offer(row)

    def flush(self) -> None:
        """Write what is queued, in this thread."""
        self._batcher.flush()

    def close(self) -> None:
        """Write what is queued, stop the thread, close the database."""
        self._batcher.close()
        self._pool.close()

    def _write(self, rows: Sequence[JournalRow]) -> int:
        with self._pool.connection() as connection:
            with transaction(connection):
                try:
                    connection.executemany(_INSERT, [_values(row) for row in rows])
                except UnicodeEncodeError:
                    # Some text has lone surrogates. Rare and hostile: only then every text is looked at.
                    connection.execute("ROLLBACK")
                    connection.execute("BEGIN IMMEDIATE")
                    connection.executemany(_INSERT, [_values(_cleaned(row)) for row in rows])
            self._index(connection, len(rows))
            self._purge(connection)
        return 0

    def _index(self, connection: sqlite3.Connection, count: int) -> None:
        """Index rows for whoever looks for texts; they are there and can be found without it."""
        self._unindexed += count
        if self._unindexed >= journal_index.BLOCK:
            with suppress(sqlite3.OperationalError):  # no such index in this SQLite; or others write: later then
                more = journal_index.index(connection)
                self._unindexed = journal_index.BLOCK if more else 0

    def _purge(self, connection: sqlite3.Connection) -> None:
        now = self._clock()
        if now < self._next_purge:
            return
        removed = connection.execute(_PURGE, (now - KEEP, PURGE_ROWS)).rowcount
        with suppress(sqlite3.OperationalError):
            journal_index.forget(connection, now - KEEP)
        self._next_purge = now + (PURGE_EVERY if removed < PURGE_ROWS else 0)

    def search(self, wanted: JournalFilter, *, limit: int = 100) -> list[JournalRow]:
        """The rows, newest first; sqlite3.Error or OSError where they cannot be read."""
        if not self._path.exists():
            return []
        asked = _asked(wanted)
        if any("\0" in value for value in asked.values() if isinstance(value, str)):
            return []  # SQL would look for what stands before it
        with self._pool.connection() as connection:
            connection.execute(f"PRAGMA mmap_size = {MAPPED}")
            if "identifier" in asked:
                found = _select(connection, {**asked, "public": asked["identifier"][-PUBLIC_LENGTH:]}, limit)
                if found:
                    return found
            conditions = _indexed(asked)
            return _by_text(connection, asked, conditions, limit) if conditions else _select(connection, asked, limit)

    def pages(self, since: float, until: float) -> Iterator[list[Sighting]]:
        """All rows of that time, oldest first, some thousands at once; sqlite3.Error or OSError.

        Between two pages nothing is held open: whoever writes is not kept from it, however long the reader takes.
        """
        if not self._path.exists():
            return
        last: tuple[float, int] = (since, -1)
        while True:
            with self._pool.connection() as connection:
                rows = connection.execute(_PAGE, (*last, until, PAGE_ROWS)).fetchall()
            if not rows:
                return
            last = rows[-1][-2:]
            yield [Sighting._make(row) for row in rows]

    def remove(self, address: str) -> int:
        """Remove the rows of all mail from or to this address; how many. sqlite3.Error or OSError.

        Reads every row: seconds among millions, for what is done once in a year.
        """
        if not self._path.exists():
            return 0
        with self._pool.connection() as connection, transaction(connection):
            return connection.execute(_REMOVE, (storable(address, MAX_TEXT),)).rowcount


def _values(row: JournalRow) -> tuple[Any, ...]:
    return (
        row.id,
        public_id(row.id),
        row.received,
        row.action,
        row.code,
        row.score,
        row.client,
        row.helo[:MAX_TEXT],
        row.sender[:MAX_TEXT],
        msgspec.json.encode(row.recipients[:MAX_RECIPIENTS]).decode(),
        row.header_from[:MAX_TEXT],
        row.subject[:MAX_TEXT],
        row.message_id[:MAX_TEXT],
        row.queue_id,
        row.size,
        row.sha256,
        msgspec.json.encode(row.symbols).decode(),
        row.ms,
        row.observed,
        row.policy,
        row.note,
        row.place,
    )


def _cleaned(row: JournalRow) -> JournalRow:
    """The row with texts that a column takes."""
    changed: dict[str, Any] = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if isinstance(value, str):
            changed[field.name] = storable(value, MAX_TEXT)
        elif isinstance(value, tuple):
            changed[field.name] = tuple([storable(text, MAX_TEXT) for text in value])
    return replace(row, **changed)


def _row(columns: tuple[Any, ...]) -> JournalRow:
    values = list(columns)
    del values[1]  # public_id
    for index in (8, 15):  # recipients, symbols
        values[index] = msgspec.json.decode(values[index], type=tuple[str, ...])
    return JournalRow(*values)


def _asked(wanted: JournalFilter) -> dict[str, Any]:
    """What is asked, by the name of its condition."""
    asked = {field.name: getattr(wanted, field.name) for field in fields(wanted)}
    asked = {name: storable(value, MAX_TEXT) if isinstance(value, str) else value for name, value in asked.items()}
    client = asked.pop("client")
    if client is not None:
        address = normalise_address(client)
        asked |= {"client": address} if address else {"network": client}
    return {name: value for name, value in asked.items() if value is not None}


def _indexed(asked: Mapping[str, Any]) -> list[str]:
    """What a block of rows must have to be looked at, as far as the index of texts can say it."""
    found = []
    for name, column in _TEXTS.items():
        if name in asked:
            spell = _SPELT.get(column, str)
            found.append(journal_index.threes(column, spell(asked[name])))
    return [condition for condition in found if condition]


def _by_text(
    connection: sqlite3.Connection, asked: Mapping[str, Any], conditions: Sequence[str], limit: int
) -> list[JournalRow]:
    """By blocks of rows from the newest on, those first that no index knows yet."""
    last = journal_index.last_block(connection)
    found = _select(connection, {**asked, "after": journal_index.first_row(last + 1)}, limit)
    since, until = asked.get("since", 0.0), asked.get("until", _EVER)
    for block in journal_index.blocks(connection, conditions, since, until):
        if len(found) >= limit:
            break
        ends = {"after": journal_index.first_row(block), "upto": journal_index.first_row(block + 1)}
        found += _select(connection, {**asked, **ends}, limit - len(found))
    return sorted(found, key=lambda row: row.received, reverse=True)


def _select(connection: sqlite3.Connection, asked: Mapping[str, Any], limit: int) -> list[JournalRow]:
    """The rows that meet these conditions, newest first."""
    conditions, values = ["1"], list[Any]()
    for name, value in asked.items():
        condition = _CONDITIONS[name]
        conditions.append(condition)
        told = _pattern(value, begins=name == "network") if _LIKE in condition else value
        values += [told] * condition.count("?")
    where = " AND ".join(conditions)
    order = "received" if "after" not in asked else "seq"
    sql = f"SELECT {_COLUMNS} FROM journal WHERE {where} ORDER BY {order} DESC LIMIT ?"  # noqa: S608  # constants
    return [_row(row) for row in connection.execute(sql, (*values, limit))]


def _pattern(text: str, *, begins: bool) -> str:
    """For LIKE: its wildcards are letters like others."""
    for special in ("\\", "%", "_"):
        text = text.replace(special, "\\" + special)
    return f"{text}%" if begins else f"%{text}%"
