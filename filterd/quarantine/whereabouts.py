"""What the ledger of one host says of where messages and evidence are: in a slot of a segment, or in files."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from filterd.quarantine.database import Connection, in_statements
from filterd.quarantine.ledger import Ledger

LOOSE: Final = ""  # in a file of its own, named by its digest or by the entry's id
PAGE: Final = 10_000  # rows read at once
LITTER: Final = 1_000  # slots erased in one go that earlier removals left

_SELECT: Final = "SELECT id, sha256, body, record, files FROM entries"
_EARLIER: Final = "(SELECT body FROM entries WHERE sha256 = ? AND files AND body <> '' LIMIT 1)"
_GIVE_UP: Final = "INSERT INTO litter (slot) VALUES (?) ON CONFLICT DO NOTHING"


class Whereabouts(NamedTuple):
    """Of an entry: the slots of its message and its evidence, each LOOSE where it is a file."""

    id: str
    sha256: str
    body: str
    record: str
    files: bool


def of_entry(connection: Connection, identifier: str) -> Whereabouts | None:
    """None where there is no such entry."""
    row = connection.execute(f"{_SELECT} WHERE id = ?", (identifier,)).fetchone()
    return _found(row) if row else None


def _found(row: tuple[str, str, str, str, int]) -> Whereabouts:
    return Whereabouts(*row[:4], bool(row[4]))


def of_message(connection: Connection, sha256: str) -> list[str]:
    """Where this message is, in as many places as it was stored: slots first."""
    query = "SELECT DISTINCT body FROM entries WHERE sha256 = ? AND files ORDER BY body DESC"
    return [row[0] for row in connection.execute(query, (sha256,))]


def uses(connection: Connection, sha256: str, body: str) -> bool:
    """Whether an entry that has its files needs this message in this place."""
    query = "SELECT 1 FROM entries WHERE sha256 = ? AND files AND body = ? LIMIT 1"
    return connection.execute(query, (sha256, body)).fetchone() is not None


def used(ledger: Ledger, sha256: str, body: str = LOOSE) -> bool:
    """The same, asked by itself."""
    with ledger.reading() as connection:
        return uses(connection, sha256, body)


def settled(connection: Connection, stored: Sequence[tuple[str, str]]) -> list[str]:
    """The slots of messages that holds have stored, in their transaction: an earlier one's where there is one.

    Given are digests and slots. The later one is not needed then.
    """
    places: list[str] = []
    first: dict[str, str] = {}
    for some in in_statements(stored):
        query = f"SELECT {', '.join([_EARLIER] * len(some))}"
        found = connection.execute(query, [sha256 for sha256, _ in some]).fetchone()
        places += [earlier or first.setdefault(*one) for one, earlier in zip(some, found, strict=True)]
    for place, (_, slot) in zip(places, stored, strict=True):
        if place != slot:
            connection.execute(_GIVE_UP, (slot,))
    return places


def all_with_files(ledger: Ledger) -> Iterator[Whereabouts]:
    """All entries that should have their files, oldest first."""
    after = ""
    query = f"{_SELECT} WHERE files AND id > ? ORDER BY id LIMIT ?"
    while True:
        with ledger.reading() as connection:
            rows = connection.execute(query, (after, PAGE)).fetchall()
        if not rows:
            return
        yield from [_found(row) for row in rows]
        after = rows[-1][0]


def give_up(connection: Connection, found: Whereabouts) -> list[str]:
    """Say, in the transaction that takes an entry's files away, which slots nobody needs any more."""
    slots = [found.record] if found.record else []
    if found.body and not uses(connection, found.sha256, found.body):
        slots.append(found.body)
    for slot in slots:
        connection.execute(_GIVE_UP, (slot,))
    return slots


def litter(ledger: Ledger, most: int = LITTER) -> list[str]:
    """Slots that nobody needs and that are not erased yet; with -1 all of them."""
    with ledger.reading() as connection:
        return [row[0] for row in connection.execute("SELECT slot FROM litter LIMIT ?", (most,))]


def erased(ledger: Ledger, slots: list[str]) -> None:
    """They are no litter any more."""
    with ledger.changing() as connection:
        for slot in slots:
            connection.execute("DELETE FROM litter WHERE slot = ?", (slot,))
