"""Where the rows of DMARC's reports are: a file of this host, or the tables of a ledger that nodes share.

A file of its own, since the ledger's makes every commit durable and has one writer: what is counted here may lose the
last seconds of a host that falls, and no message that is being held waits for it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from filterd.model.custody import CustodyError
from filterd.quarantine.aggregate_schema import SCHEMA
from filterd.quarantine.database import Connection
from filterd.store.embedded import ConnectionPool, open_database, transaction

BUSY: Final = 5.0  # seconds the writing thread waits for other processes; no message waits for it
FILE: Final = "dmarc.sqlite"  # under [paths] state


class Aside(Protocol):
    """Thread-safe; connects at the first use in each process. Whatever goes wrong in it is CustodyError."""

    def exists(self) -> bool:
        """False before the first row, where reading would create something."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to look at."""

    def aside(self) -> AbstractContextManager[Connection]:
        """A connection in a write transaction that no hold waits for."""

    def close(self) -> None:
        """Close this process's connections."""


class AggregateFile:
    """See Aside: SQLite."""

    def __init__(self, path: Path) -> None:
        """`path` is the file."""
        self._path = path
        self._pool = ConnectionPool(lambda: open_database(path, SCHEMA, synchronous="NORMAL", busy=BUSY))

    def exists(self) -> bool:
        """As above."""
        return self._path.exists()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """As above."""
        try:
            with self._pool.connection() as connection:
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise CustodyError(f"{self._path.name}: {error}") from error

    @contextmanager
    def aside(self) -> Iterator[sqlite3.Connection]:
        """As above."""
        with self.reading() as connection, transaction(connection):
            yield connection

    def close(self) -> None:
        """As above."""
        self._pool.close()
