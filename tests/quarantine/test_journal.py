"""Every verdict leaves a row, and no message waits for it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filterd.model.custody import JournalRow
from filterd.quarantine import Journal, JournalFilter, journal_index
from filterd.quarantine.journal import _FIRST_COLUMNS, _INDEXES, _NOTE, _POLICY, _TABLE, KEEP, _values
from filterd.quarantine.journal_index import BLOCK, last_block, spelt, threes
from tests.quarantine.samples import NOW, identifier, journal_row


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block is indexed as soon as it is full."""
    monkeypatch.setattr(journal_index, "AT_ONCE", 1)


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
        (JournalFilter(identifier="4BxQ"), [2, 1, 0]),
        (JournalFilter(identifier="<1@a.test>"), [2, 1, 0]),
        (JournalFilter(identifier="1@a.test"), [2, 1, 0]),
        (JournalFilter(identifier="1@a.tes"), []),
        (JournalFilter(sender="SENDER@a.t"), [2, 0]),
        (JournalFilter(sender="other@"), [1]),
        (JournalFilter(sender="author@"), [1]),
        (JournalFilter(sender="%"), []),
        (JournalFilter(sender="s_nder"), []),
        (JournalFilter(recipient="cc@B.test"), [2, 1]),
        (JournalFilter(recipient="c@"), [2, 1]),
        (JournalFilter(subject="ELLO"), [2, 1, 0]),
        (JournalFilter(subject="\0\udc80"), []),
        (JournalFilter(client="192.0.2.7"), [2, 0]),
        (JournalFilter(client="192.0.2.70"), []),
        (JournalFilter(client="192.0."), [2, 0]),
        (JournalFilter(client="2001:DB8::0:1"), [1]),
        (JournalFilter(client="2001:db8:"), [1]),
        (JournalFilter(action="reject"), [1]),
        (JournalFilter(action="eject"), []),
        (JournalFilter(sender="a.test", recipient="cc@", action="accept"), [2]),
        (JournalFilter(since=NOW + 1), [2, 1]),
        (JournalFilter(until=NOW + 1), [0]),
    ],
)
def test_search(journal: Journal, wanted: JournalFilter, found: list[int]) -> None:
    """Newest first, by ids, parts of texts, client and time; SQL's wildcards are letters like others."""
    journal.record(journal_row(0, recipients=("to@b.test",)))
    odd = {"sender": "other@a.test", "header_from": "author@c.test", "client": "2001:db8::1", "action": "reject"}
    journal.record(journal_row(1, **odd))
    journal.record(journal_row(2))
    journal.flush()
    assert [row.id for row in journal.search(wanted)] == [identifier(number) for number in found]
    for number in range(3, 3 + 2 * BLOCK):  # what is found by the index is the same
        journal.record(_other(number))
    journal.flush()
    rest = [row.id for row in journal.search(wanted, limit=1000) if row.id <= identifier(2)]
    assert rest == [identifier(number) for number in found]


def _other(number: int) -> JournalRow:
    """A row that has nothing in common with the others but letters."""
    texts = dict.fromkeys(["sender", "header_from", "subject", "message_id", "queue_id"], f"x{number}@nobody.example")
    return journal_row(number, **texts, recipients=(f"y{number}@none.example",), client="198.51.100.9", action="defer")


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


@pytest.mark.parametrize(
    "wanted",
    [
        JournalFilter(sender="X77@nobody"),
        JournalFilter(recipient="y77@"),
        JournalFilter(subject="x77@"),
        JournalFilter(identifier="x77@nobody.example"),
        JournalFilter(sender="x77@", action="defer", client="198."),
    ],
)
def test_few_rows_are_read(journal: Journal, tmp_path: Path, wanted: JournalFilter) -> None:
    """Of many blocks of rows only those are looked at that can hold what is looked for, and those not yet indexed."""
    for number in range(20 * BLOCK):
        journal.record(_other(number))
    journal.flush()
    while _blocks(tmp_path) < 19:
        journal.record(_other(99_999))
        journal.flush()
    steps = [0]

    def count() -> int:
        steps[0] += 1
        return 0

    with journal._pool.connection() as connection:  # what SQLite does there is counted
        connection.set_progress_handler(count, 100)
    assert identifier(77) in [row.id for row in journal.search(wanted)]
    of_few, steps[0] = steps[0], 0
    journal.search(JournalFilter(sender="x", since=1.0, subject="zz"))  # two letters: every row is read
    assert of_few * 3 < steps[0]


def _blocks(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database:
        return last_block(database) + 1


@pytest.mark.threat("QUA-15")
def test_an_earlier_journal_is_read_on(tmp_path: Path) -> None:
    """Rows of the first schema are still there after the upgrade, in their order."""
    columns = _columns()
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database:
        database.execute(f"CREATE TABLE journal ({columns})")
        database.execute("CREATE INDEX journal_public_id ON journal (public_id)")
        database.execute("CREATE INDEX journal_received ON journal (received)")
        database.execute("PRAGMA user_version = 1")
        for row in (journal_row(0), journal_row(1)):
            database.execute(f"INSERT INTO journal VALUES ({_MARKS})", _values(row)[:19])  # noqa: S608  # a number
        database.commit()
    (tmp_path / "journal.sqlite").chmod(0o600)
    with closing(Journal(tmp_path / "journal.sqlite", interval=60, clock=lambda: NOW)) as journal:
        journal.record(journal_row(2))
        journal.flush()
        assert journal.search(JournalFilter()) == [journal_row(number) for number in (2, 1, 0)]


def test_a_journal_without_policies_is_read_on(tmp_path: Path) -> None:
    """Rows of the second schema had no policy; new ones have theirs."""
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database:
        for statement in (_TABLE, *_INDEXES, *journal_index.SCHEMA):
            database.execute(statement)
        values = _values(journal_row(0))[:19]
        database.execute(f"INSERT INTO journal ({_FIRST_COLUMNS}) VALUES ({_MARKS})", values)  # noqa: S608  # constants
        database.execute("PRAGMA user_version = 2")
        database.commit()
    (tmp_path / "journal.sqlite").chmod(0o600)
    with closing(Journal(tmp_path / "journal.sqlite", interval=60, clock=lambda: NOW)) as journal:
        journal.record(journal_row(1, policy="sales"))
        journal.flush()
        assert journal.search(JournalFilter()) == [journal_row(1, policy="sales"), journal_row(0)]


def test_a_journal_without_notes_is_read_on(tmp_path: Path) -> None:
    """Rows of the third schema had no note; new ones have theirs."""
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database:
        for statement in (_TABLE, _POLICY, *_INDEXES, *journal_index.SCHEMA):
            database.execute(statement)
        columns, marks = f"{_FIRST_COLUMNS}, policy", f"{_MARKS}, ?"
        values = _values(journal_row(0, policy="sales"))[:20]
        database.execute(f"INSERT INTO journal ({columns}) VALUES ({marks})", values)  # noqa: S608  # constants
        database.execute("PRAGMA user_version = 3")
        database.commit()
    (tmp_path / "journal.sqlite").chmod(0o600)
    with closing(Journal(tmp_path / "journal.sqlite", interval=60, clock=lambda: NOW)) as journal:
        journal.record(journal_row(1, note="greylisted, came back after 312 s"))
        journal.flush()
        found = journal.search(JournalFilter())
    assert [(row.policy, row.note) for row in found] == [("", "greylisted, came back after 312 s"), ("sales", "")]


def test_a_journal_without_places_is_read_on(tmp_path: Path) -> None:
    """Rows of the fourth schema did not say who keeps a message; new ones do."""
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as database:
        for statement in (_TABLE, _POLICY, _NOTE, *_INDEXES, *journal_index.SCHEMA):
            database.execute(statement)
        columns, marks = f"{_FIRST_COLUMNS}, policy, note", f"{_MARKS}, ?, ?"
        values = _values(journal_row(0, note="greylisted"))[:21]
        database.execute(f"INSERT INTO journal ({columns}) VALUES ({marks})", values)  # noqa: S608  # constants
        database.execute("PRAGMA user_version = 4")
        database.commit()
    (tmp_path / "journal.sqlite").chmod(0o600)
    with closing(Journal(tmp_path / "journal.sqlite", interval=60, clock=lambda: NOW)) as journal:
        journal.record(journal_row(1, place="mta"))
        journal.flush()
        found = journal.search(JournalFilter())
    assert [(row.note, row.place) for row in found] == [("", "mta"), ("greylisted", "")]


_MARKS = ", ".join("?" * 19)


def _columns() -> str:
    return _FIRST_COLUMNS.replace(",", " NOT NULL,")


def test_tables_of_old_rows_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index does not grow for ever: a table of it goes with the last of its rows."""
    monkeypatch.setattr(journal_index, "GENERATION", 2)
    monkeypatch.setattr(journal_index, "AT_ONCE", 5)
    now = [NOW]
    with closing(Journal(tmp_path / "journal.sqlite", interval=60, clock=lambda: now[0])) as journal:
        for number in range(5 * BLOCK):
            journal.record(_other(number))
        journal.flush()
        assert _tables(tmp_path) == ["journal_text_0", "journal_text_1", "journal_text_2"]
        now[0] = NOW + KEEP + 2 * BLOCK + 1
        journal.record(_other(9_999))
        journal.flush()
        assert _tables(tmp_path) == ["journal_text_1", "journal_text_2"]


def _tables(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database:
        sql = "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%' ORDER BY name"
        return [name for (name,) in database.execute(sql)]


def test_without_an_index_rows_are_kept_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An SQLite that has no index of texts costs time and nothing else."""
    monkeypatch.setattr(journal_index, "_TABLE", "CREATE VIRTUAL TABLE journal_text_{generation} USING nothing (x)")
    with closing(Journal(tmp_path / "journal.sqlite", interval=60, clock=lambda: NOW)) as journal:
        for number in range(2 * BLOCK):
            journal.record(_other(number))
        journal.flush()
        assert [row.id for row in journal.search(JournalFilter(sender="x77@"))] == [identifier(77)]
        assert journal.failed == 0


def test_what_the_index_is_asked() -> None:
    """Threes of letters as words of its language, quotes doubled; addresses by such bytes as are whole."""
    assert threes("sender", 'a"bc') == 'sender : ("a""b" AND """bc")'
    assert [threes("sender", text) for text in ("", "ab", "a\0bc")] == ["", "", ""]
    assert spelt("192.0.2.7").startswith(spelt("192.0.2."))
    assert spelt("192.0.2.7").startswith(spelt("192."))
    assert spelt("192.0.2") == spelt("192.0.")
    assert spelt("2001:db8::1").startswith(spelt("2001:db8:"))
    assert [spelt(text) for text in ("", "x", "1.x.", "300.1", "2001:zz:")] == [""] * 5


@pytest.mark.threat("QUA-12")
def test_removes_a_person(journal: Journal) -> None:
    """All rows of mail from or to an address go, in whichever case it was written, and no others."""
    rows = [
        journal_row(0, sender="Anna@A.test", header_from="x@b.test", recipients=("y@b.test",)),
        journal_row(1, sender="x@b.test", header_from="anna@a.test", recipients=("y@b.test",)),
        journal_row(2, sender="x@b.test", header_from="x@b.test", recipients=("y@b.test", "anna@a.TEST")),
        journal_row(3, sender="hanna@a.test", header_from="x@b.test", recipients=("anna@a.test.example",)),
    ]
    for row in rows:
        journal.record(row)
    journal.flush()
    assert journal.remove("anna@a.test") == 3
    assert journal.search(JournalFilter()) == [rows[3]]
