"""Reports read the journal page by page, each row once, whatever happens meanwhile."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.quarantine import Journal, Sighting, journal
from tests.quarantine.samples import NOW, journal_row


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """A journal that is read three rows at once."""
    monkeypatch.setattr(journal, "PAGE_ROWS", 3)
    made = Journal(tmp_path / "journal.sqlite", interval=60, clock=lambda: NOW)
    yield made
    made.close()


def times(pages: Iterator[list[Sighting]]) -> list[float]:
    """When each row was received, less the samples' own time."""
    return [row.received - NOW for page in pages for row in page]


def test_every_row_of_the_time_comes_once_and_in_order(kept: Journal) -> None:
    """From `since` on and before `until`, oldest first, whatever the order of writing."""
    for number in (5, 1, 8, 3, 2, 7, 4, 6):
        kept.record(journal_row(number))
    kept.flush()
    assert times(kept.pages(NOW + 2, NOW + 8)) == [2, 3, 4, 5, 6, 7]


def test_rows_of_one_moment(kept: Journal) -> None:
    """A page may end among them."""
    for _ in range(8):
        kept.record(journal_row(1))
    kept.flush()
    assert times(kept.pages(NOW, NOW + 2)) == [1] * 8


def test_who_writes_is_not_kept_from_it(kept: Journal) -> None:
    """Between two pages rows are written; those that are later than what was read are read, too."""
    for number in range(4):
        kept.record(journal_row(number))
    kept.flush()
    pages = kept.pages(NOW, NOW + 99)
    first = [row.received - NOW for row in next(pages)]
    kept.record(journal_row(9))
    kept.flush()
    assert (first, times(pages)) == ([0, 1, 2], [3, 9])


def test_looking_makes_nothing(tmp_path: Path) -> None:
    """Where there is no journal there are no rows, and there is none afterwards."""
    assert list(Journal(tmp_path / "journal.sqlite").pages(0, NOW)) == []
    assert list(tmp_path.iterdir()) == []
