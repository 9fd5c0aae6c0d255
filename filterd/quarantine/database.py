"""What a ledger needs of a database, and SQLite as one: a file of this host, every commit on disk before it counts.

Statements are written once, with `?` for values, in what SQLite and PostgreSQL both understand.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from filterd.model.custody import CustodyError
from filterd.quarantine.schema import SCHEMA
from filterd.store.embedded import ConnectionPool, open_database, transaction

TOGETHER: Final = 32  # rows in one statement; a statement of each length is prepared once
BUSY: Final = 2.0  # seconds a commit may wait for other processes; a hold waits for at most two commits


T = TypeVar("T")


def in_statements(rows: Sequence[T], most: int = TOGETHER) -> Iterator[Sequence[T]]:
    """Parts for a statement each: each costs a turn at the interpreter's lock, which other threads want too."""
    return (rows[start : start + most] for start in range(0, len(rows), most))


@lru_cache(maxsize=4 * TOGETHER)
def placeholders(rows: int, columns: int) -> str:
    """The values of so many rows, behind VALUES."""
    return ", ".join([f"({', '.join('?' * columns)})"] * rows)


class AmbiguousCommitError(CustodyError):
    """A commit failed and may have been done nevertheless: the entry may appear, so its files stay."""


class Cursor(Protocol):
    """What a statement gives back."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> list[Any]:
        """The rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """The rows."""


class Connection(Protocol):
    """A connection that one thread has to itself."""

    def execute(self, query: str, values: Sequence[Any] = ..., /) -> Cursor:
        """Run one statement."""


class Database(Protocol):
    """Thread-safe; connects at the first use in each process. Whatever goes wrong in it is CustodyError."""

    @property
    def contains(self) -> str:
        """The operator that compares with a LIKE pattern, case ignored."""

    @property
    def trigrams(self) -> bool:
        """Whether texts are looked for in a table of trigrams, `search`, beside the entries."""

    def prepare(self) -> None:
        """Make the tables where they are missing; CustodyError where they cannot be used. A server may be down."""

    def exists(self) -> bool:
        """False before the first hold, where reading would create something."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to look at."""

    def changing(self) -> AbstractContextManager[Connection]:
        """A connection in a write transaction, one at a time in all processes, durable at the end."""

    def close(self) -> None:
        """Close this process's connections."""


class SqliteDatabase:
    """See Database."""

    contains: Final = "LIKE"
    trigrams: Final = True

    def __init__(self, path: Path, *, busy: float = BUSY) -> None:
        """`path` is the file, `busy` the seconds a commit waits for other processes."""
        self._path = path
        self._inode = 0
        self._pool = ConnectionPool(self._open)
        self._busy = busy

    def _open(self) -> sqlite3.Connection:
        connection = open_database(self._path, SCHEMA, synchronous="FULL", busy=self._busy)
        self._inode = self._path.stat().st_ino
        return connection

    def prepare(self) -> None:
        """Nothing: the file is made by the first who needs it."""

    def exists(self) -> bool:
        """As above."""
        return self._path.exists()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to the file that has the ledger's name now: a deleted one would swallow commits."""
        try:
            if self._inode and not self._is_current():
                self._pool.close()
            with self._pool.connection() as connection:
                yield connection
        except (sqlite3.Error, OSError) as error:
            kind = AmbiguousCommitError if _ambiguous(error) else CustodyError
            raise kind(f"ledger: {error}") from error

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """As above."""
        with self.reading() as connection, transaction(connection):
            yield connection

    def _is_current(self) -> bool:
        with suppress(FileNotFoundError):
            return self._path.stat().st_ino == self._inode
        return False

    def close(self) -> None:
        """As above."""
        self._pool.close()


def _ambiguous(error: Exception) -> bool:
    """True for an I/O error, after which nobody knows whether the commit is on disk."""
    return getattr(error, "sqlite_errorname", "").startswith("SQLITE_IOERR")
