"""Where a message is that came more than once."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filterd.quarantine import Quarantine, whereabouts
from filterd.quarantine.database import TOGETHER, SqliteDatabase
from filterd.quarantine.ledger import Ledger
from tests.quarantine.samples import evidence, raw


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """One that has an entry whose message is `whole()`."""
    with closing(Quarantine(tmp_path)) as quarantine, raw() as message:
        quarantine.hold(evidence(), message)
    with closing(SqliteDatabase(tmp_path / "ledger.sqlite")) as database:
        yield Ledger(database)


def test_settled(ledger: Ledger) -> None:
    """A message that an entry has, or that came before in the same batch, is where that is; its own copy is litter."""
    known = evidence().sha256
    with ledger.reading() as connection:
        (there,) = whereabouts.of_message(connection, known)
    new = [(f"{number:064x}", f"slot {number}") for number in range(TOGETHER)]  # more than one statement looks for
    with ledger.changing() as connection:
        places = whereabouts.settled(connection, [(known, "slot a"), *new, (known, "slot b"), (new[-1][0], "slot c")])
    assert places == [there, *[slot for _, slot in new], there, new[-1][1]]
    assert sorted(whereabouts.litter(ledger)) == ["slot a", "slot b", "slot c"]
