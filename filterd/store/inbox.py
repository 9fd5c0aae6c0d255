"""A queue between processes of one host: a SQLite file that some put into and one takes from."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filterd.model.store import StoreError
from filterd.store.embedded import ConnectionPool, Schema, open_database, transaction

BUSY: Final = 1.0  # seconds to wait for another process; each is at it for milliseconds
MOST: Final = 5_000  # items that wait; while nobody takes them the rest is left out

_SCHEMA: Final = Schema(1, ("CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, item BLOB NOT NULL)",))
SCHEMA_VERSION: Final = _SCHEMA.version


class Inbox:
    """The queue. Opened at the first call, in the process that makes it; every call raises StoreError only."""

    def __init__(self, path: Path, most: int = MOST) -> None:
        """Take its place; the folder is made where it is not there."""
        self._most = most
        self._pool = ConnectionPool(lambda: open_database(path, _SCHEMA, synchronous="NORMAL", busy=BUSY))

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._pool.connection() as connection, transaction(connection):
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"inbox: {error}") from error

    def put(self, items: Sequence[bytes]) -> int:
        """Add items to the end; how many there was no room for."""
        with self._writing() as connection:
            room = self._most - int(connection.execute("SELECT count(*) FROM items").fetchone()[0])
            taken = items[: max(room, 0)]
            connection.executemany("INSERT INTO items (item) VALUES (?)", [(item,) for item in taken])
        return len(items) - len(taken)

    def first(self, count: int) -> list[tuple[int, bytes]]:
        """The oldest items with their numbers; they stay until `done`."""
        with self._writing() as connection:
            rows = connection.execute("SELECT id, item FROM items ORDER BY id LIMIT ?", (count,)).fetchall()
        return [(int(number), bytes(item)) for number, item in rows]

    def done(self, number: int) -> None:
        """Remove the items up to that number."""
        with self._writing() as connection:
            connection.execute("DELETE FROM items WHERE id <= ?", (number,))

    def close(self) -> None:
        """Close the file."""
        self._pool.close()
