"""A row of every verdict, accepted mail included, without the body: what `trace` and reports read."""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from filterd.model.custody import JournalRow
from filterd.model.ids import PUBLIC_LENGTH, public_id
from filterd.quarantine.entries import storable
from filterd.store.batching import INTERVAL, Batcher
from filterd.store.embedded import ConnectionPool, Schema, open_database, transaction

BUSY: Final = 5.0  # seconds the writing thread waits for other processes; no message waits for it
MAX_ROWS: Final = 20_000  # queued at most, about 40 MB: a minute of a disk that does not answer
MAX_TEXT: Final = 500  # characters per column
MAX_RECIPIENTS: Final = 100  # kept per row; evidence holds all
KEEP: Final = 60 * 24 * 3600.0  # seconds a row lives
PURGE_EVERY: Final = 600.0  # seconds between two removals of old rows
PURGE_ROWS: Final = 5_000  # removed at once at most

_COLUMNS: Final = (
    "id, public_id, received, action, code, score, client, helo, sender, recipients, header_from, subject, message_id,"
    " queue_id, size, sha256, symbols, ms, observed"
)
_SCHEMA: Final = Schema(
    1,
    (
        (
            "CREATE TABLE journal (id TEXT NOT NULL, public_id TEXT NOT NULL, received REAL NOT NULL,"
            " action TEXT NOT NULL, code TEXT NOT NULL, score REAL NOT NULL, client TEXT NOT NULL, helo TEXT NOT NULL,"
            " sender TEXT NOT NULL, recipients TEXT NOT NULL, header_from TEXT NOT NULL, subject TEXT NOT NULL,"
            " message_id TEXT NOT NULL, queue_id TEXT NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL,"
            " symbols TEXT NOT NULL, ms REAL NOT NULL, observed TEXT NOT NULL)"
        ),
        "CREATE INDEX journal_public_id ON journal (public_id)",
        "CREATE INDEX journal_received ON journal (received)",
    ),
)
_INSERT: Final = f"INSERT INTO journal ({_COLUMNS}) VALUES ({', '.join('?' * 19)})"  # noqa: S608  # constants
_PURGE: Final = (
    "DELETE FROM journal WHERE rowid IN (SELECT rowid FROM journal WHERE received < ? ORDER BY received LIMIT ?)"
)
_CONDITIONS: Final = {
    "sender": "sender = ? COLLATE NOCASE",
    "recipient": "EXISTS (SELECT 1 FROM json_each(recipients) WHERE value = ? COLLATE NOCASE)",
    "since": "received >= ?",
    "until": "received < ?",
}


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """Which rows to find; None asks nothing. `identifier` is a whole id or the public part of one."""

    identifier: str | None = None
    sender: str | None = None
    recipient: str | None = None
    since: float | None = None
    until: float | None = None


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
        self._purging = threading.Lock()

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
            self._purge(connection)
        return 0

    def _purge(self, connection: sqlite3.Connection) -> None:
        now = self._clock()
        if now < self._next_purge:
            return
        removed = connection.execute(_PURGE, (now - KEEP, PURGE_ROWS)).rowcount
        self._next_purge = now + (PURGE_EVERY if removed < PURGE_ROWS else 0)

    def search(self, wanted: JournalFilter, *, limit: int = 100) -> list[JournalRow]:
        """The rows, newest first; sqlite3.Error or OSError where they cannot be read."""
        if not self._path.exists():
            return []
        conditions, values = _where(wanted)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        with self._pool.connection() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM journal {where} ORDER BY received DESC LIMIT ?",  # noqa: S608  # constants
                (*values, limit),
            ).fetchall()
        return [_row(row) for row in rows]


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


def _where(wanted: JournalFilter) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    if wanted.identifier is not None:
        # The public part alone is indexed; a whole id is then compared too.
        conditions.append("public_id = ?")
        values.append(wanted.identifier[-PUBLIC_LENGTH:])
        if len(wanted.identifier) != PUBLIC_LENGTH:
            conditions.append("id = ?")
            values.append(wanted.identifier)
    for name, condition in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(condition)
            values.append(value)
    return conditions, values
