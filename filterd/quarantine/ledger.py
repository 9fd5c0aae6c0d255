"""The index of held messages, in whatever database it is kept: every commit is durable before it counts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final

from filterd.model.custody import CustodyError
from filterd.model.ids import new_id
from filterd.quarantine import searching
from filterd.quarantine.changes import DAEMON, Act, append
from filterd.quarantine.database import TOGETHER, Connection, Database, in_statements, placeholders
from filterd.quarantine.entries import Entry, EntryFilter, State
from filterd.quarantine.gathering import Awaited, Gathering, PassOn
from filterd.quarantine.rows import COLUMNS, COPIES, NEWEST, SELECT, Conditions, entry_in, values_of

MAX_PAGE: Final = 1_000  # entries per call
MAX_NAMED: Final = 100  # entries of one public id, or of one message, that are named
_PUBLIC_AT: Final = 17  # where the public part of an id begins, counted from 1
# Entries that are looked through for a text before the index is asked: where it stands in many, they fill the page.
RECENT: Final = 5_000

INSERT: Final = f"INSERT INTO entries ({COLUMNS}) VALUES ({', '.join('?' * 24)}) ON CONFLICT DO NOTHING"  # noqa: S608  # constants
_WITH_SLOTS: Final = f"{COLUMNS}, body, record"
_LAST: Final = "~"  # behind every id
_NTH_NEWEST: Final = "SELECT id FROM entries ORDER BY id DESC LIMIT 1 OFFSET ?"
_SELECT: Final = f"{SELECT}, {COPIES} FROM entries e"


Within = Callable[[Connection], None]


class TakenError(CustodyError):
    """The id belongs to an earlier entry, whose files are not ours to remove."""


class _SomeTakenError(Exception):
    """Of several ids one is taken, and which is to be found out."""


class Pending(Awaited):
    """An entry to be committed; `within` is done in the same transaction, before it.

    `slots` are those of its message and its evidence, where they are in segments.
    """

    __slots__ = ("entry", "slots", "within")

    def __init__(self, entry: Entry, within: Within | None = None) -> None:
        """Nothing is done yet."""
        super().__init__()
        self.entry = entry
        self.within = within
        self.slots: tuple[str, str] | None = None


class _Group(Awaited):
    """Entries of one caller; `within` is done in their transaction, before them and behind those of earlier callers."""

    __slots__ = ("entries", "within")

    def __init__(self, entries: Sequence[Pending], within: Within | None) -> None:
        super().__init__()
        self.entries = entries
        self.within = within


class Ledger:
    """Thread-safe; connects at the first use. Whatever the database raises becomes CustodyError."""

    def __init__(self, database: Database) -> None:
        """`database` is where it is kept."""
        self._database = database
        self._gathering = Gathering(self._commit)

    def exists(self) -> bool:
        """As Database.exists."""
        return self._database.exists()

    def add(self, entry: Entry, within: Within | None = None) -> None:
        """Commit a new entry durably; CustodyError where it is not in the ledger.

        `within` takes part in the transaction; where it raises CustodyError it has changed nothing, and this entry is
        not added. Threads that come while another commits are committed together by the next of them: one fsync for
        all.
        """
        pending = Pending(entry, within)
        self.add_all([pending])
        if pending.error is not None:
            raise pending.error

    def add_all(self, entries: Sequence[Pending], within: Within | None = None) -> None:
        """The same for several; those that are not in the ledger afterwards have an error.

        `within` is done for all of them, and must not raise CustodyError for one of them.
        """
        self._gathering.do(_Group(entries, within))

    def _commit(self, groups: Sequence[_Group], _: PassOn) -> None:
        """In one transaction."""
        batch = [pending for group in groups for pending in group.entries]
        try:
            try:
                self._insert(groups, TOGETHER)
            except _SomeTakenError:
                self._insert(groups, 1)
        except CustodyError as error:
            for pending in batch:
                pending.error = pending.error or error

    def _insert(self, groups: Sequence[_Group], most: int) -> None:
        """As many with one statement; where that is one, each that is not added has an error afterwards."""
        with self._database.changing() as connection:
            plain = [pending for group in groups if group.within is None for pending in group.entries]
            added = _added(connection, plain, most)
            for group in groups:
                if group.within is not None:
                    group.within(connection)
                    added += _added(connection, group.entries, most)
            append(connection, *[Act(one.entry.id, DAEMON, one.entry.changed).row("hold") for one in added])

    def index(self) -> bool:
        """Put some of the texts that came into the index; whether there was anything to do."""
        if not self._database.trigrams or not self._database.exists():
            return False
        with self._database.reading() as connection:
            if not searching.pending(connection):
                return False
        with self._database.changing() as connection:
            return searching.index(connection) > 0

    def entries(self, wanted: EntryFilter, *, before: str | None, limit: int) -> list[Entry]:
        """As Quarantine.entries.

        Of several states each is asked for by itself: an index has the newest of one, of two it would have to sort all.
        """
        limit = max(0, min(limit, MAX_PAGE))
        if set(wanted.states) == set(State):
            wanted = replace(wanted, state=None, states=())
        if len(wanted.states) > 1:
            each = [replace(wanted, state=state, states=()) for state in dict.fromkeys(wanted.states)]
            pages = [self.entries(one, before=before, limit=limit) for one in each]
            merged = {entry.id: entry for page in pages for entry in page}  # once, should its state change meanwhile
            return [merged[identifier] for identifier in sorted(merged, reverse=True)[:limit]]
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
            by_text = searching.by_text(connection, conditions.texts, where, conditions.values, limit)
            return _page(connection, where, conditions.values, limit) if by_text is None else by_text

    def entry(self, identifier: str) -> Entry | None:
        """The entry, or None."""
        with self._database.reading() as connection:
            row = connection.execute(f"{_SELECT} WHERE e.id = ?", (identifier,)).fetchone()
        return entry_in(row) if row else None

    def named(self, public: str) -> list[str]:
        """The ids that end so, newest first: all ids are looked at, which takes a tenth of a second for a million."""
        with self._database.reading() as connection:
            query = "SELECT id FROM entries WHERE substr(id, ?) = ? ORDER BY id DESC LIMIT ?"
            rows = connection.execute(query, (_PUBLIC_AT, public, MAX_NAMED)).fetchall()
        return [str(row[0]) for row in rows]

    def entries_of(self, sha256: str) -> list[str]:
        """The ids of entries that should have this message, newest first."""
        with self._database.reading() as connection:
            query = "SELECT id FROM entries WHERE sha256 = ? AND files ORDER BY id DESC LIMIT ?"
            return [str(row[0]) for row in connection.execute(query, (sha256, MAX_NAMED)).fetchall()]

    def stats(self, since: float) -> list[tuple[str, str, int, int]]:
        """Of what came since then: state, reason, how many entries and bytes."""
        with self._database.reading() as connection:
            return connection.execute(
                "SELECT state, code, count(*), CAST(sum(size) AS BIGINT) FROM entries WHERE id >= ?"
                " GROUP BY state, code ORDER BY state, count(*) DESC",
                (new_id(max(since, 0.0), bytes(10)),),
            ).fetchall()

    def copies(self, entry: Entry) -> list[Entry]:
        """As Quarantine.copies: all of them, however often a client has tried."""
        found: list[Entry] = []
        same = "digest = ? AND state = ?", (entry.digest, entry.state)
        with self._database.reading() as connection:
            (count,) = connection.execute(f"SELECT count(*) FROM entries WHERE {same[0]}", same[1]).fetchone()  # noqa: S608  # constants
            query = f"{SELECT}, {int(count)} FROM entries WHERE {same[0]} AND id < ? ORDER BY id DESC LIMIT ?"
            before = _LAST
            while rows := connection.execute(query, (*same[1], before, MAX_PAGE)).fetchall():
                found += [entry_in(row) for row in rows]
                before = found[-1].id
        return found

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

    def place(self, identifier: str) -> str | None:
        """The SHA-256 of an entry's message, or None where there is no such entry: all that a removal reads."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT sha256 FROM entries WHERE id = ?", (identifier,)).fetchone()
        return str(row[0]) if row else None

    def size_of(self, sha256: str) -> int:
        """How many bytes a message has by its entries; 0 where there is none with files."""
        with self._database.reading() as connection:
            query = "SELECT size FROM entries WHERE sha256 = ? AND files LIMIT 1"
            row = connection.execute(query, (sha256,)).fetchone()
        return int(row[0]) if row else 0

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to look at; whatever the database raises becomes CustodyError."""
        return self._database.reading()

    def changing(self) -> AbstractContextManager[Connection]:
        """A connection in a write transaction, which is durable at the end; CustodyError as above."""
        return self._database.changing()

    def close(self) -> None:
        """Close this process's connections."""
        self._database.close()


def _added(connection: Connection, batch: Sequence[Pending], most: int) -> list[Pending]:
    """Those that are in the ledger now."""
    ready = []
    for pending in batch:
        pending.error = None
        try:
            if pending.within is not None:
                pending.within(connection)
        except CustodyError as error:
            pending.error = error
        else:
            ready.append(pending)
    for columns, some in (
        (COLUMNS, [pending for pending in ready if pending.slots is None]),
        (_WITH_SLOTS, [pending for pending in ready if pending.slots is not None]),
    ):
        for part in in_statements(some, most):
            _insert(connection, columns, part)
    return [pending for pending in ready if pending.error is None]


def _insert(connection: Connection, columns: str, part: Sequence[Pending]) -> None:
    rows = [(*values_of(pending.entry), *(pending.slots or ())) for pending in part]
    places = placeholders(len(rows), len(rows[0]))
    query = f"INSERT INTO entries ({columns}) VALUES {places} ON CONFLICT DO NOTHING"  # noqa: S608  # constants
    added = connection.execute(query, [value for row in rows for value in row]).rowcount
    if added == len(part):
        return
    if len(part) > 1:
        raise _SomeTakenError
    part[0].error = TakenError("ledger: this id is taken")


def _page(connection: Connection, where: str, values: list[Any], limit: int) -> list[Entry]:
    rows = connection.execute(f"{_SELECT} WHERE {where} ORDER BY e.id DESC LIMIT ?", (*values, limit)).fetchall()
    return [entry_in(row) for row in rows]
