"""The index of held messages, in whatever database it is kept: every commit is durable before it counts."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final

from filterd.model.custody import CustodyError
from filterd.model.ids import new_id
from filterd.quarantine.changes import DAEMON, Act, append
from filterd.quarantine.database import Connection, Database
from filterd.quarantine.entries import Entry, EntryFilter
from filterd.quarantine.rows import COLUMNS, NEWEST, Conditions, entry_in, values_of
from filterd.quarantine.threes import SAMPLE, match, rarest

MAX_PAGE: Final = 1_000  # entries per call
# Entries that are looked through for a text before the index is asked: where it stands in many, they fill the page.
RECENT: Final = 5_000

INSERT: Final = f"INSERT INTO entries ({COLUMNS}) VALUES ({', '.join('?' * 24)}) ON CONFLICT DO NOTHING"  # noqa: S608  # constants
_NTH_NEWEST: Final = "SELECT id FROM entries ORDER BY id DESC LIMIT 1 OFFSET ?"
_COPIES: Final = "(SELECT count(*) FROM entries c WHERE c.digest = e.digest AND c.state = e.state)"
_SELECT: Final = f"SELECT {COLUMNS}, {_COPIES} FROM entries e"  # noqa: S608  # constants
# CROSS JOIN keeps the order: what the index has found is few, and looked up one by one.
_INDEXED: Final = (
    f"SELECT {COLUMNS}, {_COPIES} FROM (SELECT rowid AS found FROM search WHERE search MATCH ?)"  # noqa: S608  # constants
    " CROSS JOIN entries e ON e.number = found"
)


Within = Callable[[Connection], None]


class TakenError(CustodyError):
    """The id belongs to an earlier entry, whose files are not ours to remove."""


class _Pending:
    """An entry whose thread waits for the commit; `within` is done in the same transaction, before it."""

    __slots__ = ("done", "entry", "error", "within")

    def __init__(self, entry: Entry, within: Within | None) -> None:
        self.entry = entry
        self.within = within
        self.done = False
        self.error: CustodyError | None = None


class Ledger:
    """Thread-safe; connects at the first use. Whatever the database raises becomes CustodyError."""

    def __init__(self, database: Database) -> None:
        """`database` is where it is kept."""
        self._database = database
        self._queue: deque[_Pending] = deque()
        self._committing = threading.Lock()

    def exists(self) -> bool:
        """As Database.exists."""
        return self._database.exists()

    def add(self, entry: Entry, within: Within | None = None) -> None:
        """Commit a new entry durably; CustodyError where it is not in the ledger.

        `within` takes part in the transaction; where it raises CustodyError it has changed nothing, and this entry is
        not added. Threads that come while another commits are committed together by the next of them: one fsync for
        all.
        """
        pending = _Pending(entry, within)
        self._queue.append(pending)
        with self._committing:
            if not pending.done:
                self._commit([self._queue.popleft() for _ in range(len(self._queue))])
        if pending.error is not None:
            raise _again(pending.error) from pending.error

    def _commit(self, batch: list[_Pending]) -> None:
        try:
            with self._database.changing() as connection:
                for pending in batch:
                    try:
                        _add(connection, pending)
                    except CustodyError as error:
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
        conditions = Conditions(wanted, before, self._database.contains)
        where = " AND ".join([NEWEST, *conditions.where])
        with self._database.reading() as connection:
            if not (conditions.texts and self._database.trigrams):
                return _page(connection, where, conditions.values, limit)
            oldest = connection.execute(_NTH_NEWEST, (RECENT,)).fetchone()
            recent = f"{where} AND e.id > ?"
            found = _page(connection, recent, [*conditions.values, oldest[0] if oldest else ""], limit)
            if oldest is None or len(found) == limit:
                return found
            asked = _asked(connection, conditions.texts)
            if not asked:
                return _page(connection, where, conditions.values, limit)
            return _page(connection, where, [asked, *conditions.values], limit, _INDEXED)

    def entry(self, identifier: str) -> Entry | None:
        """The entry, or None."""
        with self._database.reading() as connection:
            row = connection.execute(f"{_SELECT} WHERE e.id = ?", (identifier,)).fetchone()
        return entry_in(row) if row else None

    def stats(self, since: float) -> list[tuple[str, str, int, int]]:
        """Of what came since then: state, reason, how many entries and bytes."""
        with self._database.reading() as connection:
            return connection.execute(
                "SELECT state, code, count(*), CAST(sum(size) AS BIGINT) FROM entries WHERE id >= ?"
                " GROUP BY state, code ORDER BY state, count(*) DESC",
                (new_id(max(since, 0.0), bytes(10)),),
            ).fetchall()

    def copies(self, entry: Entry) -> list[Entry]:
        """As Quarantine.copies."""
        with self._database.reading() as connection:
            return _page(connection, "e.digest = ? AND e.state = ?", [entry.digest, entry.state], MAX_PAGE)

    def with_files(self) -> Iterator[Entry]:
        """All entries that should have their files, oldest first."""
        after = ""
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(
                    f"{_SELECT} WHERE e.files AND e.id > ? ORDER BY e.id LIMIT ?", (after, MAX_PAGE)
                ).fetchall()
            if not rows:
                return
            yield from [entry_in(row) for row in rows]
            after = rows[-1][0]

    def used(self, sha256: str) -> bool:
        """Whether an entry that has its files needs this blob."""
        with self._database.reading() as connection:
            found = connection.execute("SELECT 1 FROM entries WHERE sha256 = ? AND files LIMIT 1", (sha256,)).fetchone()
        return found is not None

    def place(self, identifier: str) -> str | None:
        """The SHA-256 of an entry's message, or None where there is no such entry: all that a removal reads."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT sha256 FROM entries WHERE id = ?", (identifier,)).fetchone()
        return str(row[0]) if row else None

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to look at; whatever the database raises becomes CustodyError."""
        return self._database.reading()

    def changing(self) -> AbstractContextManager[Connection]:
        """A connection in a write transaction, which is durable at the end; CustodyError as above."""
        return self._database.changing()

    def close(self) -> None:
        """Close this process's connections."""
        self._database.close()


def _add(connection: Connection, pending: _Pending) -> None:
    if pending.within is not None:
        pending.within(connection)
    if not connection.execute(INSERT, values_of(pending.entry)).rowcount:
        raise TakenError("ledger: this id is taken")
    append(connection, Act(pending.entry.id, DAEMON, pending.entry.changed).row("hold"))


def _again(error: CustodyError) -> CustodyError:
    """The same error for each of those that waited for one commit."""
    return type(error)(str(error))


def _page(connection: Connection, where: str, values: list[Any], limit: int, select: str = _SELECT) -> list[Entry]:
    rows = connection.execute(f"{select} WHERE {where} ORDER BY e.id DESC LIMIT ?", (*values, limit)).fetchall()
    return [entry_in(row) for row in rows]


def _asked(connection: Connection, texts: list[tuple[str, str]]) -> str:
    """What the index of trigrams is asked to find these texts; empty where it cannot help."""
    found = []
    for column, text in texts:
        newest = connection.execute(f"SELECT {column} FROM entries ORDER BY id DESC LIMIT ?", (SAMPLE,))  # noqa: S608  # a constant
        threes = rarest(text, [row[0] for row in newest])
        if threes:
            found.append(f"({match(column, threes)})")
    return " AND ".join(found)
