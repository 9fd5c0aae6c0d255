"""Every verdict leaves a row, and no message waits for it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filterd.quarantine import Journal, JournalFilter
from filterd.quarantine.journal import KEEP
from tests.quarantine.samples import NOW, identifier, journal_row


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty one that writes when it is flushed or closed."""
    made = Journal(tmp_path / "journal.sqlite", interval=60, clock=lambda: NOW)
    yield made
    made.close()


def test_round_trip(journal: Journal) -> None:
    """A row reads back as it was recorded."""
    journal.record(journal_row(observed="reject"))
    journal.flush()
    assert journal.search(JournalFilter()) == [journal_row(observed="reject")]


def test_written_by_itself(tmp_path: Path) -> None:
    """Nobody needs to flush: the writing thread does it, and close() waits for the rest."""
    journal = Journal(tmp_path / "journal.sqlite", interval=0.001, clock=lambda: NOW)
    for number in range(300):
        journal.record(journal_row(number))
    journal.close()
    with closing(Journal(tmp_path / "journal.sqlite")) as reader:
        assert len(reader.search(JournalFilter(), limit=1000)) == 300


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (JournalFilter(), [2, 1, 0]),
        (JournalFilter(identifier=identifier(1)), [1]),
        (JournalFilter(identifier=identifier(1)[-10:]), [2, 1, 0]),  # the samples share their random part
        (JournalFilter(identifier="%"), []),
        (JournalFilter(sender="SENDER@a.test"), [2, 0]),
        (JournalFilter(sender="%"), []),
        (JournalFilter(recipient="cc@B.test"), [2, 1]),
        (JournalFilter(recipient="cc@"), []),
        (JournalFilter(since=NOW + 1), [2, 1]),
        (JournalFilter(until=NOW + 1), [0]),
    ],
)
def test_search(journal: Journal, wanted: JournalFilter, found: list[int]) -> None:
    """Newest first, by id, public id, sender, recipient and time."""
    journal.record(journal_row(0, recipients=("to@b.test",)))
    journal.record(journal_row(1, sender="other@a.test"))
    journal.record(journal_row(2))
    journal.flush()
    assert [row.id for row in journal.search(wanted)] == [identifier(number) for number in found]


def test_hostile_text(journal: Journal) -> None:
    """Text that the database cannot hold is escaped; the rows beside it are written as they are."""
    journal.record(journal_row(0, subject="\udc80", recipients=("\ud800@b",), helo="x" * 10_000))
    journal.record(journal_row(1))
    journal.flush()
    good, bad = journal.search(JournalFilter())
    assert good == journal_row(1)
    assert (bad.subject, bad.recipients, len(bad.helo)) == ("\\udc80", ("\\ud800@b",), 500)


@pytest.mark.threat("RES-04")
def test_disk_refuses(tmp_path: Path) -> None:
    """Rows that cannot be written are counted; recording never raises."""
    (tmp_path / "journal.sqlite").write_bytes(b"this is no database" * 1000)
    with closing(Journal(tmp_path / "journal.sqlite", interval=60)) as journal:
        journal.record(journal_row())
        journal.flush()
        assert (journal.failed, journal.dropped) == (1, 0)


def test_bounded(tmp_path: Path) -> None:
    """A full queue drops and counts."""
    with closing(Journal(tmp_path / "journal.sqlite", interval=60, most=2)) as journal:
        for number in range(5):
            journal.record(journal_row(number))
        assert journal.dropped == 3


def test_old_rows_go(tmp_path: Path) -> None:
    """Rows are kept for their time and no longer."""
    now = [NOW]
    with closing(Journal(tmp_path / "journal.sqlite", interval=60, clock=lambda: now[0])) as journal:
        journal.record(journal_row(0))
        journal.flush()
        now[0] = NOW + KEEP + 1
        journal.record(journal_row(2))
        journal.flush()
        assert [row.id for row in journal.search(JournalFilter())] == [identifier(2)]


def test_fork(journal: Journal) -> None:
    """A child writes what it records and not what its parent had queued."""
    journal.record(journal_row(0))
    child = os.fork()
    if child == 0:
        try:
            journal.record(journal_row(1))
            journal.flush()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    journal.flush()
    assert [row.id for row in journal.search(JournalFilter())] == [identifier(1), identifier(0)]


def test_indexes(journal: Journal, tmp_path: Path) -> None:
    """Looking up an id and walking back in time use an index."""
    journal.record(journal_row())
    journal.flush()
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database:
        by_id = database.execute("EXPLAIN QUERY PLAN SELECT * FROM journal WHERE public_id = 'x'").fetchall()
        by_time = database.execute("EXPLAIN QUERY PLAN SELECT * FROM journal ORDER BY received DESC LIMIT 1").fetchall()
    assert "USING INDEX journal_public_id" in str(by_id)
    assert "USING INDEX journal_received" in str(by_time)
