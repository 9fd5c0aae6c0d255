"""The index of held messages: one SQLite database, every commit on disk before it counts."""

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from filterd.model.custody import CustodyError
from filterd.quarantine.entries import Entry, EntryFilter, State
from filterd.store.embedded import ConnectionPool, Schema, open_database, transaction

BUSY: Final = 2.0  # seconds a commit may wait for other processes; a hold waits for at most two commits
MAX_PAGE: Final = 1_000  # entries per call

_COLUMNS: Final = (
    "id, received, state, digest, sender, recipients, client, helo, subject, header_from, code, text, score, size,"
    " sha256, queue_id"
)
_SCHEMA: Final = Schema(
    1,
    (
        (
            "CREATE TABLE entries (id TEXT PRIMARY KEY, received REAL NOT NULL, state TEXT NOT NULL,"
            " digest TEXT NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL, client TEXT NOT NULL,"
            " helo TEXT NOT NULL, subject TEXT NOT NULL, header_from TEXT NOT NULL, code TEXT NOT NULL,"
            " text TEXT NOT NULL, score REAL NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL,"
            " queue_id TEXT NOT NULL) WITHOUT ROWID"
        ),
        "CREATE INDEX entries_digest ON entries (digest, state, id)",
        "CREATE INDEX entries_sha256 ON entries (sha256, state)",
        "CREATE INDEX entries_state ON entries (state, id)",
        (
            "CREATE TABLE audit (seq INTEGER PRIMARY KEY, time REAL NOT NULL, actor TEXT NOT NULL,"
            " action TEXT NOT NULL, id TEXT NOT NULL, result TEXT NOT NULL)"
        ),
        "CREATE INDEX audit_id ON audit (id)",
    ),
)
_INSERT: Final = f"INSERT INTO entries ({_COLUMNS}) VALUES ({', '.join('?' * 16)})"  # noqa: S608  # constants
_COPIES: Final = "(SELECT count(*) FROM entries c WHERE c.digest = e.digest AND c.state = e.state)"
_SELECT: Final = f"SELECT {_COLUMNS}, {_COPIES} FROM entries e"  # noqa: S608  # constants
# Of the entries that are one message tried again, the newest stands for all.
_NEWEST: Final = "NOT EXISTS (SELECT 1 FROM entries n WHERE n.digest = e.digest AND n.state = e.state AND n.id > e.id)"
_CONDITIONS: Final = {
    "state": "e.state = ?",
    "sender": "e.sender LIKE ? ESCAPE '\\'",
    "recipient": "e.recipients LIKE ? ESCAPE '\\'",
    "subject": "e.subject LIKE ? ESCAPE '\\'",
    "code": "e.code = ?",
    "since": "e.received >= ?",
    "until": "e.received < ?",
    "min_score": "e.score >= ?",
}


class AmbiguousCommitError(CustodyError):
    """The disk failed during a commit: the entry may appear after a crash, so its files stay."""


class _Pending:
    """An entry whose thread waits for the commit."""

    __slots__ = ("done", "error", "values")

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values = values
        self.done = False
        self.error: Exception | None = None


class Ledger:
    """Thread-safe; opened at the first use. sqlite3.Error and OSError become CustodyError."""

    def __init__(self, path: Path, *, busy: float = BUSY) -> None:
        """`path` is the database, `busy` the seconds a commit waits for other processes."""
        self._path = path
        self._inode = 0
        self._pool = ConnectionPool(self._open)
        self._busy = busy
        self._queue: deque[_Pending] = deque()
        self._committing = threading.Lock()

    def _open(self) -> sqlite3.Connection:
        connection = open_database(self._path, _SCHEMA, synchronous="FULL", busy=self._busy)
        self._inode = self._path.stat().st_ino
        return connection

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection to the file that has the ledger's name now: a deleted one would swallow commits."""
        try:
            if self._inode and not self._is_current():
                self._pool.close()
            with self._pool.connection() as connection:
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise CustodyError(f"ledger: {error}") from error

    def _is_current(self) -> bool:
        with suppress(FileNotFoundError):
            return self._path.stat().st_ino == self._inode
        return False

    def add(self, entry: Entry) -> None:
        """Commit a new entry durably; CustodyError where it is not in the ledger.

        Threads that come while another commits are committed together by the next of them: one fsync for all.
        """
        pending = _Pending(_values(entry))
        self._queue.append(pending)
        with self._committing:
            if not pending.done:
                self._commit([self._queue.popleft() for _ in range(len(self._queue))])
        if pending.error is not None:
            kind = AmbiguousCommitError if _ambiguous(pending.error) else CustodyError
            raise kind(f"ledger: {pending.error}") from pending.error

    def _commit(self, batch: list[_Pending]) -> None:
        try:
            with self._connection() as connection, transaction(connection):
                for pending in batch:
                    try:
                        connection.execute(_INSERT, pending.values)
                    except sqlite3.IntegrityError as error:
                        pending.error = error
        except CustodyError as error:
            for pending in batch:
                pending.error = pending.error or error
        finally:
            for pending in batch:
                pending.done = True

    def entries(self, wanted: EntryFilter, *, before: str | None, limit: int) -> list[Entry]:
        """As Quarantine.entries."""
        conditions, values = _where(wanted)
        if before is not None:
            conditions.append("e.id < ?")
            values.append(before)
        where = " AND ".join([_NEWEST, *conditions])
        values.append(max(0, min(limit, MAX_PAGE)))
        with self._connection() as connection:
            rows = connection.execute(f"{_SELECT} WHERE {where} ORDER BY e.id DESC LIMIT ?", values).fetchall()
        return [_entry(row) for row in rows]

    def entry(self, identifier: str) -> Entry | None:
        """The entry, or None."""
        with self._connection() as connection:
            row = connection.execute(f"{_SELECT} WHERE e.id = ?", (identifier,)).fetchone()
        return _entry(row) if row else None

    def used(self, sha256: str) -> bool:
        """Whether an entry that is not deleted needs this blob."""
        with self._connection() as connection:
            found = connection.execute(
                "SELECT 1 FROM entries WHERE sha256 = ? AND state <> ? LIMIT 1", (sha256, State.DELETED)
            ).fetchone()
        return found is not None

    def mark_deleted(self, identifier: str, actor: str, now: float) -> bool:
        """From held to deleted with its audit row, in one commit; False where it was not held."""
        with self._connection() as connection, transaction(connection):
            changed = connection.execute(
                "UPDATE entries SET state = ? WHERE id = ? AND state = ?", (State.DELETED, identifier, State.HELD)
            ).rowcount
            result = "done" if changed else "not held"
            connection.execute(_AUDIT, (now, actor, "delete", identifier, result))
        return bool(changed)

    def note(self, actor: str, action: str, identifier: str, now: float) -> None:
        """Add an audit row."""
        with self._connection() as connection, transaction(connection):
            connection.execute(_AUDIT, (now, actor, action, identifier, "done"))

    def audit(self, identifier: str) -> list[tuple[float, str, str, str]]:
        """Time, actor, action and result of what was done with an entry, oldest first."""
        with self._connection() as connection:
            return connection.execute(
                "SELECT time, actor, action, result FROM audit WHERE id = ? ORDER BY seq", (identifier,)
            ).fetchall()

    def close(self) -> None:
        """Close this process's connections."""
        self._pool.close()


_AUDIT: Final = "INSERT INTO audit (time, actor, action, id, result) VALUES (?, ?, ?, ?, ?)"


def _ambiguous(error: BaseException) -> bool:
    """True for an I/O error, after which nobody knows whether the commit is on disk."""
    cause = error.__cause__ if isinstance(error, CustodyError) else error
    return isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorname", "").startswith("SQLITE_IOERR")


def _values(entry: Entry) -> tuple[Any, ...]:
    return (
        entry.id,
        entry.received,
        entry.state,
        entry.digest,
        entry.sender,
        msgspec.json.encode(entry.recipients).decode(),
        entry.client,
        entry.helo,
        entry.subject,
        entry.header_from,
        entry.code,
        entry.text,
        entry.score,
        entry.size,
        entry.sha256,
        entry.queue_id,
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    identifier, received, state, digest, sender, recipients, *rest = row
    addresses = msgspec.json.decode(recipients, type=tuple[str, ...])
    return Entry(identifier, received, State(state), digest, sender, addresses, *rest)


def _where(wanted: EntryFilter) -> tuple[list[str], list[Any]]:
    conditions, values = [], []
    for name, condition in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(condition)
            values.append(_pattern(value) if "LIKE" in condition else value)
    return conditions, values


def _pattern(text: str) -> str:
    for special in ("\\", "%", "_"):
        text = text.replace(special, "\\" + special)
    return f"%{text}%"
