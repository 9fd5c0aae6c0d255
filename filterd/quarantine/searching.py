"""Texts of held mail in SQLite's index of trigrams, put there some time after they came.

To index an entry costs as much as all else that the ledger does for it, and no client has to wait for that. The upkeep
does it every few seconds; who looks for a text before reads the entries that are not in the index yet.
"""

from typing import Any, Final

from filterd.quarantine.database import Connection
from filterd.quarantine.entries import Entry
from filterd.quarantine.rows import COPIES, SELECT, entry_in
from filterd.quarantine.threes import SAMPLE, match, rarest

AT_ONCE: Final = 250  # entries indexed in one transaction: holds wait for it some milliseconds

_COLUMNS: Final = "sender, recipients, subject, header_from, symbols"
_LAST: Final = "SELECT max(number) FROM (SELECT number FROM entries WHERE number > ? ORDER BY number LIMIT ?)"
# CROSS JOIN keeps the order: what the index has found is few, and looked up one by one.
_INDEXED: Final = (
    f"{SELECT}, {COPIES} FROM (SELECT rowid AS found FROM search WHERE search MATCH ?)"  # noqa: S608  # constants
    " CROSS JOIN entries e ON e.number = found"
)
# By their numbers, whatever else is asked: they are few.
_TAIL: Final = f"{SELECT}, {COPIES} FROM entries e NOT INDEXED"


def pending(connection: Connection) -> bool:
    """Whether entries wait to be indexed."""
    query = "SELECT 1 FROM entries WHERE number > (SELECT number FROM searched) LIMIT 1"
    return connection.execute(query).fetchone() is not None


def index(connection: Connection, most: int = AT_ONCE) -> int:
    """Index the entries that came next; how many may be left is asked by `pending`. In a write transaction."""
    (done,) = connection.execute("SELECT number FROM searched").fetchone()
    (last,) = connection.execute(_LAST, (done, most)).fetchone()
    if last is None:
        return 0
    count = connection.execute(
        f"INSERT INTO search (rowid, {_COLUMNS}) SELECT number, {_COLUMNS} FROM entries"  # noqa: S608  # constants
        " WHERE number > ? AND number <= ?",
        (done, last),
    ).rowcount
    connection.execute("UPDATE searched SET number = ?", (last,))
    return count


def by_text(
    connection: Connection, texts: list[tuple[str, str]], where: str, values: list[Any], limit: int
) -> list[Entry] | None:
    """The newest entries that meet these conditions; None where the index cannot help to find these texts."""
    asked = _asked(connection, texts)
    if not asked:
        return None
    (done,) = connection.execute("SELECT number FROM searched").fetchone()
    order = "ORDER BY e.id DESC LIMIT ?"
    found = connection.execute(f"{_INDEXED} WHERE {where} {order}", (asked, *values, limit)).fetchall()
    tail = f"{_TAIL} WHERE e.number > ? AND {where} {order}"
    # An entry that is indexed between the two questions is found by both.
    rows = {row[0]: row for row in [*found, *connection.execute(tail, (done, *values, limit)).fetchall()]}
    return [entry_in(rows[identifier]) for identifier in sorted(rows, reverse=True)[:limit]]


def _asked(connection: Connection, texts: list[tuple[str, str]]) -> str:
    """What the index of trigrams is asked to find these texts; empty where it cannot help."""
    found = []
    for column, text in texts:
        newest = connection.execute(f"SELECT {column} FROM entries ORDER BY id DESC LIMIT ?", (SAMPLE,))  # noqa: S608  # a constant
        threes = rarest(text, [row[0] for row in newest])
        if threes:
            found.append(f"({match(column, threes)})")
    return " AND ".join(found)
