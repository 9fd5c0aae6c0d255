"""The ledger in PostgreSQL, for more than one node.

Every write transaction locks the head of the audit's chain first: all nodes write one after another, so the chain stays
whole, and what a transaction reads is what holds at its commit. Each wait is bounded, at the server and here: a server
that is gone, frozen or full costs seconds, and then CustodyError. A COMMIT without an answer is AmbiguousCommitError.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus

from filterd.model.custody import CustodyError
from filterd.quarantine.database import AmbiguousCommitError
from filterd.quarantine.postgres_schema import EXTENSION, SCRIPT, SEARCH, UPGRADES, VERSION
from filterd.store.embedded import foreign

CONNECT: Final = 2  # seconds for connecting to one address of the server
ANSWER: Final = 8.0  # seconds that we wait for any one answer, a frozen server's too
STATEMENT: Final = 5_000  # ms that the server gives one statement
LOCK: Final = 2_000  # ms that a statement waits for other nodes
IDLE: Final = 30_000  # ms after which the server ends a transaction whose client has gone silent
UNACKNOWLEDGED: Final = 5_000  # ms that sent bytes may stay unacknowledged: a host that vanished
MAX_CONNECTIONS: Final = 8  # per process
SLOT: Final = 4.0  # seconds that a thread waits for one of them
SCHEMA_LOCK: Final = 7_302_611  # advisory lock of who makes the tables

_BEGIN: Final = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT seq FROM head FOR UPDATE"
# What a site has set stricter (remote_apply) stays.
_DURABLE: Final = (
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
)
# Connections inherited over a fork are neither used nor closed in the child: closing would end the parent's session.
_inherited: list["_Connection"] = []


class _Connection(psycopg.Connection[tuple[Any, ...]]):
    """One whose every wait ends."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's; the connection is closed where there is no answer in time."""
        try:
            return super().wait(gen, interval=interval, timeout=timeout or ANSWER)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:  # no answer: the time is over
                self.pgconn.finish()
                raise psycopg.OperationalError(f"no answer within {ANSWER:.0f} s") from None
            raise


class _Adapted:
    """Takes statements with `?` for values."""

    def __init__(self, raw: _Connection) -> None:
        self._raw = raw

    def execute(self, query: str, values: Sequence[Any] = (), /) -> psycopg.Cursor[tuple[Any, ...]]:
        """Run one statement."""
        return self._raw.execute(_translated(query), values)


@lru_cache(maxsize=256)
def _translated(query: str) -> str:
    """No statement of the ledger has a question mark or a percent sign in a literal."""
    return query.replace("%", "%%").replace("?", "%s")


class PostgresDatabase:
    """See Database."""

    contains: Final = "ILIKE"
    trigrams: Final = False

    def __init__(self, url: str, *, password: str = "") -> None:
        """`url` as libpq takes it. Nothing is connected before the first use, which may be in another process."""
        self._url = url
        self._password = password or None
        self._pid = 0
        self._idle: deque[_Connection] = deque()
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def prepare(self) -> None:
        """As Database.prepare. A server that is down is no reason not to start: until it is up, holding fails."""
        try:
            raw = self._connect()
        except psycopg.OperationalError:
            return
        except psycopg.Error as error:
            raise CustodyError(_words(error)) from error
        raw.close()

    def exists(self) -> bool:
        """It is there, or CustodyError when it is asked."""
        return True

    @contextmanager
    def reading(self) -> Iterator[_Adapted]:
        """As Database.reading."""
        with self._connection() as raw:
            yield _Adapted(raw)

    @contextmanager
    def changing(self) -> Iterator[_Adapted]:
        """As Database.changing."""
        with self._connection() as raw:
            raw.execute(_BEGIN)
            try:
                yield _Adapted(raw)
            except BaseException:
                with suppress(psycopg.Error):
                    raw.execute("ROLLBACK")
                raise
            try:
                raw.execute("COMMIT")
            except psycopg.Error as error:
                raise AmbiguousCommitError(f"{_words(error)} (at the commit)") from error

    @contextmanager
    def aside(self) -> Iterator[_Adapted]:
        """A connection in a write transaction of what is no part of the ledger: the head is not locked for it."""
        with self._connection() as raw, raw.transaction():
            yield _Adapted(raw)

    @contextmanager
    def _connection(self) -> Iterator[_Connection]:
        """A connection for this thread alone."""
        if self._pid != os.getpid():
            _inherited.extend(self._idle)
            self._idle = deque()
            self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
            self._pid = os.getpid()
        slots = self._slots
        if not slots.acquire(timeout=SLOT):
            raise CustodyError(f"ledger: all {MAX_CONNECTIONS} connections to PostgreSQL are in use")
        try:
            raw = self._live() or self._connect()
            try:
                yield raw
            finally:
                self._give_back(raw)
        except psycopg.Error as error:
            raise CustodyError(_words(error)) from error
        finally:
            slots.release()

    def _live(self) -> _Connection | None:
        """An idle connection, most recently used first; those that the server has ended are left out."""
        while self._idle:
            with suppress(IndexError):
                raw = self._idle.pop()
                if not raw.closed and not _readable(raw.fileno()):
                    return raw
                raw.close()
        return None

    def _give_back(self, raw: _Connection) -> None:
        if not raw.closed and raw.info.transaction_status is TransactionStatus.IDLE:
            self._idle.append(raw)
        else:
            raw.close()

    def _connect(self) -> _Connection:
        raw = _Connection.connect(
            self._url,
            autocommit=True,
            connect_timeout=CONNECT,
            tcp_user_timeout=UNACKNOWLEDGED,
            application_name="filterd",
            options=f"-c statement_timeout={STATEMENT} -c lock_timeout={LOCK}"
            f" -c idle_in_transaction_session_timeout={IDLE}",
            password=self._password,
        )
        try:
            raw.execute(_DURABLE)
            _ensure_schema(raw)
        except BaseException:
            raw.close()
            raise
        return raw

    def close(self) -> None:
        """As Database.close."""
        while self._idle and self._pid == os.getpid():
            self._idle.pop().close()


def _readable(descriptor: int) -> bool:
    """Something on an idle connection is its end."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _ensure_schema(raw: _Connection) -> None:
    """Make the tables, or bring them to this release's version; all of it is committed together, or none."""
    if _version(raw) == VERSION:
        return
    with raw.transaction():
        raw.execute("SET LOCAL statement_timeout = 0")
        raw.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
        version = _version(raw)
        if version == VERSION:
            return
        try:
            for statement in _missing(version):
                raw.execute(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            raise CustodyError(f"{_words(error)}: {_who_may(version)}") from error
        _index_texts(raw)
        raw.execute("UPDATE ledger_version SET version = %s", (VERSION,))


def _missing(version: int | None) -> Iterator[str]:
    """The statements that lead from this version to ours."""
    if version is None:
        yield from SCRIPT
        return
    while version != VERSION:
        if version not in UPGRADES:
            raise CustodyError(f"ledger: {foreign(version, VERSION)}")
        yield from UPGRADES[version]
        version += 1


def _who_may(version: int | None) -> str:
    """What to do where a role that may make no tables is the first to come."""
    found = "there are no tables" if version is None else f"schema {version} is to be brought to {VERSION}"
    remedy = "use it once as their owner (filterd quarantine list), then run deploy/postgresql/roles.sql"
    return f"{found}, which this user may not: {remedy}"


def _version(raw: _Connection) -> int | None:
    # Not to_regclass: it may remember that there was none.
    there = "SELECT 1 FROM pg_catalog.pg_class WHERE relname = 'ledger_version' AND pg_table_is_visible(oid)"
    if raw.execute(there).fetchone() is None:
        return None
    row = raw.execute("SELECT version FROM ledger_version").fetchone()
    return int(row[0]) if row else None


def _index_texts(raw: _Connection) -> None:
    """With pg_trgm where it is to be had; without, texts are looked for in every entry."""
    with suppress(psycopg.Error), raw.transaction():
        raw.execute(EXTENSION)
        raw.execute(SEARCH)


def _words(error: psycopg.Error) -> str:
    """In one line."""
    return f"ledger: {' '.join(str(error).split()) or type(error).__name__}"
