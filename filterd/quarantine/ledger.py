"""The index of held messages: one SQLite database, every commit on disk before it counts."""

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from filterd.model.custody import CustodyError
from filterd.model.ids import new_id
from filterd.quarantine.changes import DAEMON, Act, append
from filterd.quarantine.entries import Entry, EntryFilter
from filterd.quarantine.rows import COLUMNS, NEWEST, Conditions, entry_in, values_of
from filterd.quarantine.schema import SCHEMA
from filterd.store.embedded import ConnectionPool, open_database, transaction

BUSY: Final = 2.0  # seconds a commit may wait for other processes; a hold waits for at most two commits
MAX_PAGE: Final = 1_000  # entries per call
# Entries that are looked through for a text before the index is asked: where it stands in many, they fill the page.
RECENT: Final = 20_000

INSERT: Final = f"INSERT INTO entries ({COLUMNS}) VALUES ({', '.join('?' * 24)})"  # noqa: S608  # constants
_NTH_NEWEST: Final = "SELECT id FROM entries ORDER BY id DESC LIMIT 1 OFFSET ?"
_COPIES: Final = "(SELECT count(*) FROM entries c WHERE c.digest = e.digest AND c.state = e.state)"
_SELECT: Final = f"SELECT {COLUMNS}, {_COPIES} FROM entries e"  # noqa: S608  # constants


class AmbiguousCommitError(CustodyError):
    """The disk failed during a commit: the entry may appear after a crash, so its files stay."""


class _Pending:
    """An entry whose thread waits for the commit."""

    __slots__ = ("done", "entry", "error")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
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
        connection = open_database(self._path, SCHEMA, synchronous="FULL", busy=self._busy)
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
        pending = _Pending(entry)
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
                        connection.execute(INSERT, values_of(pending.entry))
                        append(connection, Act(pending.entry.id, DAEMON, pending.entry.changed).row("hold"))
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
        limit = max(0, min(limit, MAX_PAGE))
        conditions = Conditions(wanted, before)
        where = " AND ".join([NEWEST, *conditions.where])
        with self._connection() as connection:
            if not conditions.index:
                return _page(connection, where, conditions.values, limit)
            oldest = connection.execute(
                "SELECT id FROM entries ORDER BY id DESC LIMIT 1 OFFSET ?", (RECENT,)
            ).fetchone()
            found = _page(connection, f"{where} AND e.id > ?", [*conditions.values, oldest[0] if oldest else ""], limit)
            if oldest is None or len(found) == limit:
                return found
            indexed = f"e.number IN (SELECT rowid FROM search WHERE {' AND '.join(conditions.index)})"  # noqa: S608  # constants
            return _page(connection, f"{where} AND {indexed}", [*conditions.values, *conditions.index_values], limit)

    def entry(self, identifier: str) -> Entry | None:
        """The entry, or None."""
        with self._connection() as connection:
            row = connection.execute(f"{_SELECT} WHERE e.id = ?", (identifier,)).fetchone()
        return entry_in(row) if row else None

    def stats(self, since: float) -> list[tuple[str, str, int, int]]:
        """Of what came since then: state, reason, how many entries and bytes."""
        with self._connection() as connection:
            return connection.execute(
                "SELECT state, code, count(*), sum(size) FROM entries WHERE id >= ?"
                " GROUP BY state, code ORDER BY state, count(*) DESC",
                (new_id(max(since, 0.0), bytes(10)),),
            ).fetchall()

    def copies(self, entry: Entry) -> list[Entry]:
        """As Quarantine.copies."""
        with self._connection() as connection:
            return _page(connection, "e.digest = ? AND e.state = ?", [entry.digest, entry.state], MAX_PAGE)

    def with_files(self) -> Iterator[Entry]:
        """All entries that should have their files, oldest first."""
        after = ""
        while True:
            with self._connection() as connection:
                rows = connection.execute(
                    f"{_SELECT} WHERE e.files AND e.id > ? ORDER BY e.id LIMIT ?", (after, MAX_PAGE)
                ).fetchall()
            if not rows:
                return
            yield from [entry_in(row) for row in rows]
            after = rows[-1][0]

    def used(self, sha256: str) -> bool:
        """Whether an entry that has its files needs this blob."""
        with self._connection() as connection:
            found = connection.execute("SELECT 1 FROM entries WHERE sha256 = ? AND files LIMIT 1", (sha256,)).fetchone()
        return found is not None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to look at; sqlite3.Error and OSError become CustodyError."""
        with self._connection() as connection:
            yield connection

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """A connection in a write transaction, which is durable at the end; CustodyError as above."""
        with self._connection() as connection, transaction(connection):
            yield connection

    def close(self) -> None:
        """Close this process's connections."""
        self._pool.close()


def _page(connection: sqlite3.Connection, where: str, values: list[Any], limit: int) -> list[Entry]:
    rows = connection.execute(f"{_SELECT} WHERE {where} ORDER BY e.id DESC LIMIT ?", (*values, limit)).fetchall()
    return [entry_in(row) for row in rows]


def _ambiguous(error: BaseException) -> bool:
    """True for an I/O error, after which nobody knows whether the commit is on disk."""
    cause = error.__cause__ if isinstance(error, CustodyError) else error
    return isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorname", "").startswith("SQLITE_IOERR")
