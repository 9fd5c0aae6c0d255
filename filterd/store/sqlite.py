"""A store in one SQLite file: what all processes of one host share without a server.

Values and counters in one table, sets in another. A crash of a process loses nothing; a power cut may lose the last
writes (synchronous NORMAL), never the file.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

from filterd.model.store import StoreError
from filterd.store.embedded import ConnectionPool, Schema, open_database, transaction
from filterd.store.encoding import decoded, encoded
from filterd.store.errors import StoreRefusedError
from filterd.store.writes import Add, Put, Remember, Write

BUSY: Final = 0.1  # seconds a call may wait for another writer
MAX_BYTES: Final = 256 * 1024 * 1024  # of live pages; beyond it what would expire next goes first
MAX_KEYS: Final = 500  # keys per statement; SQLite takes 32,766 variables
PURGE_EVERY: Final = 256  # write calls between two purges
PURGE_ROWS: Final = 2_000  # rows a purge removes at most: it must not hold others up
STEP_ROWS: Final = 250  # rows between two looks at the size, where it is over

_SCHEMA: Final = Schema(
    1,
    (
        "CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB NOT NULL, expires REAL NOT NULL) WITHOUT ROWID",
        "CREATE INDEX entries_expires ON entries (expires)",
        (
            "CREATE TABLE members (key BLOB, member BLOB, seq INTEGER NOT NULL, expires REAL NOT NULL,"
            " PRIMARY KEY (key, member)) WITHOUT ROWID"
        ),
        "CREATE INDEX members_expires ON members (expires)",
    ),
)
SCHEMA_VERSION: Final = _SCHEMA.version
_PUT: Final = (
    "INSERT INTO entries VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)
# Sums are kept as text, as Redis does; a value that is not the plain form of an integer yields no row: refused.
_ADD: Final = (
    "INSERT INTO entries VALUES (:key, CAST(:amount AS TEXT), :expires) ON CONFLICT (key) DO UPDATE SET"
    " value = CASE WHEN expires <= :now THEN excluded.value"
    " ELSE CAST(CAST(value AS INTEGER) + :amount AS TEXT) END, expires = excluded.expires"
    " WHERE expires <= :now OR CAST(CAST(value AS INTEGER) AS TEXT) = CAST(value AS TEXT) RETURNING value"
)
_REMEMBER: Final = (
    "DELETE FROM members WHERE key = :key AND expires <= :now",
    (
        "INSERT INTO members VALUES (:key, :member,"
        " (SELECT coalesce(max(seq), 0) + 1 FROM members WHERE key = :key), :expires)"
        " ON CONFLICT (key, member) DO UPDATE SET seq = excluded.seq"
    ),
    "UPDATE members SET expires = :expires WHERE key = :key",
    (
        "DELETE FROM members WHERE key = :key AND member NOT IN"
        " (SELECT member FROM members WHERE key = :key ORDER BY seq DESC LIMIT :most)"
    ),
)
_PURGE_ENTRIES: Final = (
    "DELETE FROM entries WHERE key IN (SELECT key FROM entries WHERE expires <= ? ORDER BY expires LIMIT ?)"
)
_PURGE_MEMBERS: Final = (
    "DELETE FROM members WHERE key IN (SELECT key FROM members WHERE expires <= ? ORDER BY expires LIMIT ?)"
)


class SqliteStore:
    """See Store. Opened at the first call, in the process that makes it."""

    def __init__(
        self, path: Path, *, busy: float = BUSY, clock: Callable[[], float] = time.time, max_bytes: int = MAX_BYTES
    ) -> None:
        """`clock` gives epoch seconds: expiry is shared between processes and survives a restart."""
        self._clock = clock
        self._max_bytes = max_bytes
        self._calls = count(1)
        self._pool = ConnectionPool(lambda: open_database(path, _SCHEMA, synchronous="NORMAL", busy=busy))

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._pool.connection() as connection:
                yield connection
        except (sqlite3.Error, OSError, OverflowError) as error:
            raise StoreError(f"SQLite: {error}") from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One write transaction; every PURGE_EVERY-th also makes room."""
        with self._connection() as connection:
            with transaction(connection):
                yield connection
            if next(self._calls) % PURGE_EVERY == 0:
                with suppress(sqlite3.OperationalError):  # busy: the next turn will do
                    self._purge(connection)

    def _purge(self, connection: sqlite3.Connection) -> None:
        """Remove rows that have expired, and the next to expire where the file is over its size."""
        self._remove(connection, self._clock(), PURGE_ROWS)
        for _ in range(PURGE_ROWS // STEP_ROWS):
            if self._live_bytes(connection) <= self._max_bytes:
                break
            self._remove(connection, float("inf"), STEP_ROWS)

    def _remove(self, connection: sqlite3.Connection, bound: float, rows: int) -> None:
        with transaction(connection):
            connection.execute(_PURGE_ENTRIES, (bound, rows))
            connection.execute(_PURGE_MEMBERS, (bound, rows))

    def _live_bytes(self, connection: sqlite3.Connection) -> int:
        pages, free, size = (
            int(connection.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """As Store."""
        with self._connection() as connection:
            return self._values(connection, keys)

    def put(self, key: str, value: bytes, ttl: int) -> None:
        """As Store."""
        with self._writing() as connection:
            self._put(connection, Put(key, value, ttl))

    def delete(self, key: str) -> None:
        """As Store."""
        with self._writing() as connection:
            connection.execute("DELETE FROM entries WHERE key = ?", (encoded(key),))
            connection.execute("DELETE FROM members WHERE key = ?", (encoded(key),))

    def add(self, key: str, amount: int, ttl: int) -> int:
        """As Store."""
        with self._writing() as connection:
            return self._add(connection, Add(key, amount, ttl))

    def remember(self, key: str, member: str, ttl: int, most: int) -> None:
        """As Store."""
        with self._writing() as connection:
            self._remember(connection, Remember(key, member, ttl, most))

    def members(self, key: str) -> tuple[str, ...]:
        """As Store."""
        with self._connection() as connection:
            return self._members(connection, key)

    def fetch(self, keys: Sequence[str], sets: Sequence[str]) -> tuple[list[bytes | None], list[tuple[str, ...]]]:
        """As Store; one connection for all."""
        with self._connection() as connection:
            return self._values(connection, keys), [self._members(connection, key) for key in sets]

    def apply(self, writes: Sequence[Write]) -> int:
        """As BatchStore; one transaction for all."""
        refused = 0
        with self._writing() as connection:
            for write in writes:
                try:
                    match write:
                        case Put():
                            self._put(connection, write)
                        case Add():
                            self._add(connection, write)
                        case Remember():
                            self._remember(connection, write)
                except StoreRefusedError:
                    refused += 1
        return refused

    def close(self) -> None:
        """As BatchStore."""
        self._pool.close()

    def _values(self, connection: sqlite3.Connection, keys: Sequence[str]) -> list[bytes | None]:
        wanted = [encoded(key) for key in keys]
        found: dict[bytes, bytes] = {}
        for start in range(0, len(wanted), MAX_KEYS):
            chunk = wanted[start : start + MAX_KEYS]
            marks = ",".join("?" * len(chunk))
            found.update(
                connection.execute(
                    f"SELECT key, CAST(value AS BLOB) FROM entries WHERE key IN ({marks}) AND expires > ?",  # noqa: S608  # question marks only
                    (*chunk, self._clock()),
                )
            )
        return [found.get(key) for key in wanted]

    def _members(self, connection: sqlite3.Connection, key: str) -> tuple[str, ...]:
        rows = connection.execute(
            "SELECT member FROM members WHERE key = ? AND expires > ? ORDER BY seq DESC",
            (encoded(key), self._clock()),
        ).fetchall()
        return tuple([decoded(row[0]) for row in rows])

    def _put(self, connection: sqlite3.Connection, write: Put) -> None:
        connection.execute(_PUT, (encoded(write.key), write.value, self._clock() + max(write.ttl, 1)))

    def _add(self, connection: sqlite3.Connection, write: Add) -> int:
        now = self._clock()
        values = {
            "key": encoded(write.key),
            "amount": write.amount,
            "now": now,
            "expires": now + max(write.ttl, 1),
        }
        rows = connection.execute(_ADD, values).fetchall()
        if not rows:
            raise StoreRefusedError(f"{write.key!r} is no counter")
        return int(rows[0][0])

    def _remember(self, connection: sqlite3.Connection, write: Remember) -> None:
        now = self._clock()
        values = {
            "key": encoded(write.key),
            "member": encoded(write.member),
            "most": write.most,
            "now": now,
            "expires": now + max(write.ttl, 1),
        }
        for statement in _REMEMBER:
            connection.execute(statement, values)
