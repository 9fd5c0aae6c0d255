"""Embedded SQLite databases: opening them privately and durably, and sharing connections between threads."""

import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

MAX_IDLE: Final = 8  # connections kept open per process and database: each costs three descriptors
JOURNAL_SIZE_LIMIT: Final = 16 * 1024 * 1024  # bytes; what a checkpointed WAL file is cut down to
_WAL_POLL: Final = 0.01  # seconds between attempts to switch a new file to WAL

# Connections inherited over a fork must be neither used nor closed in the child (closing could checkpoint or unlink a
# WAL that the parent uses), so they are kept alive here.
_inherited: list[sqlite3.Connection] = []


@dataclass(frozen=True, slots=True)
class Schema:
    """The statements that make an empty database, and the number that says so in `user_version`.

    `upgrades` are the statements that lead from an earlier version to the next one.
    """

    version: int
    script: tuple[str, ...]
    upgrades: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


class SchemaVersionError(sqlite3.DatabaseError):
    """The file was written by another release of this program."""


def create_private(path: Path) -> None:
    """Make sure that the file exists with mode 0600: SQLite gives its WAL and shared memory the same mode.

    PermissionError where it exists and is open to group or others.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    mode = os.fstat(descriptor).st_mode
    os.close(descriptor)
    if mode & 0o077:
        raise PermissionError(f"{path} must be private: chmod go= {path}")


def open_database(
    path: Path, schema: Schema, *, synchronous: Literal["NORMAL", "FULL"], busy: float
) -> sqlite3.Connection:
    """A connection in autocommit mode to a WAL database with this schema; sqlite3.Error or OSError where there is none.

    `busy` is how many seconds a statement may wait for other writers. The connection may be used by any one thread at
    a time.
    """
    create_private(path)
    connection = sqlite3.connect(path, timeout=busy, isolation_level=None, check_same_thread=False)
    try:
        _use_wal(connection, busy)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_SIZE_LIMIT}")
        _ensure_schema(connection, schema)
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection, busy: float) -> None:
    """Switch a new file to WAL; the switch itself does not honour the busy timeout when several processes start."""
    deadline = time.monotonic() + busy
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_WAL_POLL)


def _ensure_schema(connection: sqlite3.Connection, schema: Schema) -> None:
    if _version(connection) == schema.version:
        return
    with transaction(connection):
        version = _version(connection)
        for statement in _missing(version, schema):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {schema.version}")


def _missing(version: int, schema: Schema) -> Iterator[str]:
    """The statements that lead from `version` to the schema; all of them are committed together, or none."""
    if version == 0:
        yield from schema.script
        return
    while version != schema.version:
        if version not in schema.upgrades:
            raise SchemaVersionError(foreign(version, schema.version))
        yield from schema.upgrades[version]
        version += 1


def foreign(version: int, known: int) -> str:
    """What is said of a schema that no upgrade leads from."""
    remedy = "go back to the release that wrote it, or to a backup made before"
    return f"schema {version} is not one that this release reads (up to {known}): nothing was changed; {remedy}"


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction: committed at the end, rolled back on any exception."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


class ConnectionPool:
    """Connections of this process, most recently used first; as many as threads ever needed one at the same time.

    A pool instead of one connection per thread because a milter session's callbacks each count as a thread of their
    own, and opening costs twenty times a read.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """`connect` opens one more; nothing is opened before the first use."""
        self._connect = connect
        self._idle: deque[sqlite3.Connection] = deque()
        self._pid = os.getpid()

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for this thread alone; after an sqlite3.Error it is thrown away."""
        if self._pid != os.getpid():
            _inherited.extend(self._idle)
            self._idle = deque()
            self._pid = os.getpid()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        except sqlite3.Error:
            connection.close()
            raise
        except BaseException:
            self._give_back(connection)
            raise
        self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if len(self._idle) < MAX_IDLE and not connection.in_transaction:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close the idle connections of this process."""
        while self._idle and self._pid == os.getpid():
            self._idle.pop().close()
