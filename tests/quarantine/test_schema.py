"""The ledger of another release: taken over, or refused."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from filterd.model.custody import CustodyError
from filterd.quarantine import Actor, EntryFilter, Quarantine, State
from filterd.quarantine.entries import entry_of
from filterd.quarantine.evidence import encode
from filterd.quarantine.local import LocalFiles
from tests.quarantine.kept import kept
from tests.quarantine.samples import evidence, identifier, raw, whole

FIRST = """
CREATE TABLE entries (id TEXT PRIMARY KEY, received REAL NOT NULL, state TEXT NOT NULL, digest TEXT NOT NULL,
 sender TEXT NOT NULL, recipients TEXT NOT NULL, client TEXT NOT NULL, helo TEXT NOT NULL, subject TEXT NOT NULL,
 header_from TEXT NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL, score REAL NOT NULL, size INTEGER NOT NULL,
 sha256 TEXT NOT NULL, queue_id TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX entries_digest ON entries (digest, state, id);
CREATE INDEX entries_sha256 ON entries (sha256, state);
CREATE INDEX entries_state ON entries (state, id);
CREATE TABLE audit (seq INTEGER PRIMARY KEY, time REAL NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
 id TEXT NOT NULL, result TEXT NOT NULL);
CREATE INDEX audit_id ON audit (id);
INSERT INTO audit VALUES (1, 5.0, 'me', 'view', '{id}', 'done');
PRAGMA user_version = 1;
"""


def first_release(folder: Path) -> Path:
    """A quarantine as the first schema had it, with one held message; its ledger's path."""
    prepared_second(folder)
    path = folder / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute(
            "SELECT id, received, state, digest, sender, recipients, client, helo, subject, header_from, code, text,"
            " score, size, sha256, queue_id FROM entries"
        ).fetchone()
    for file in folder.glob("ledger.sqlite*"):
        file.unlink()
    path.touch(0o600)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(FIRST.format(id=identifier()))
        marks = ", ".join("?" * 16)
        connection.execute(f"INSERT INTO entries VALUES ({marks})", row)  # noqa: S608  # marks
    return path


@pytest.mark.threat("QUA-15")
def test_upgrade(tmp_path: Path) -> None:
    """The first schema's entries and audit are taken over: found, read, searched and added to."""
    first_release(tmp_path / "quarantine")
    with closing(Quarantine(tmp_path / "quarantine")) as quarantine:
        assert [entry.id for entry in quarantine.entries(EntryFilter(subject="invoice"))] == [identifier()]
        quarantine.note(Actor("me"), "view", identifier())
        found = quarantine.verify_audit()
        assert (found.rows, found.uncovered, found.broken) == (2, 1, None)
        assert quarantine.delete(identifier(), Actor("me")) is None


SECOND = """
ALTER TABLE entries DROP COLUMN body;
ALTER TABLE entries DROP COLUMN record;
DROP TRIGGER entries_removed;
DROP TABLE searched;
DROP TABLE litter;
INSERT INTO search (search) VALUES ('rebuild');
CREATE TRIGGER entries_added AFTER INSERT ON entries BEGIN
 INSERT INTO search (rowid, sender, recipients, subject, header_from, symbols)
 VALUES (new.number, new.sender, new.recipients, new.subject, new.header_from, new.symbols); END;
CREATE TRIGGER entries_removed AFTER DELETE ON entries BEGIN
 INSERT INTO search (search, rowid, sender, recipients, subject, header_from, symbols)
 VALUES ('delete', old.number, old.sender, old.recipients, old.subject, old.header_from, old.symbols); END;
PRAGMA user_version = 2;
"""


@pytest.mark.threat("QUA-15")
def test_upgrade_of_the_second(tmp_path: Path) -> None:
    """What was held in files stays readable there, is searched as before, and beside it new mail goes into segments."""
    folder = tmp_path / "quarantine"
    prepared_second(folder)
    with closing(Quarantine(folder)) as quarantine:
        with raw() as message:
            quarantine.hold(evidence(1), message)
        assert [entry.id for entry in quarantine.entries(EntryFilter(subject="invoice"))] == [identifier(1)]
        for number in range(2):
            with quarantine.open_raw(identifier(number)) as stored:
                assert stored.read() == whole()
            assert quarantine.evidence(identifier(number)) == evidence(number)
        assert list(quarantine.inventory().problems(contents=True)) == []
        assert [name.partition(" ")[0].partition("/")[0] for name in sorted(kept(folder))] == [
            "EVIDENCE",
            "MESSAGE",
            "blobs",
            "evidence",
        ]
        assert quarantine.purge(identifier(0), Actor("me"), "asked")
        assert [name.partition(" ")[0] for name in sorted(kept(folder))] == ["EVIDENCE", "MESSAGE"]
        with quarantine.open_raw(identifier(1)) as stored:
            assert stored.read() == whole()


def prepared_second(folder: Path) -> None:
    """A quarantine as the second schema had it, with one held message in files."""
    with closing(Quarantine(folder)) as quarantine:
        files = quarantine._files
        assert isinstance(files, LocalFiles)
        quarantine.prepare()
        with raw() as message:
            files.loose.hold(evidence(), encode(evidence()), message, entry_of(evidence(), message))
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if name not in BEFORE and not name.startswith(("search_", "sqlite_")):
                connection.execute(f"DROP TABLE {name}")
        connection.executescript(SECOND)


BEFORE = {"entries", "audit", "head", "search", "searched", "litter"}


@pytest.mark.threat("QUA-15")
def test_half_upgraded(tmp_path: Path) -> None:
    """An upgrade that fails leaves the file as it was, and says so."""
    path = first_release(tmp_path / "quarantine")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE head (x)")  # in the way of the last statements
    with closing(Quarantine(tmp_path / "quarantine")) as quarantine, pytest.raises(CustodyError, match="head"):
        quarantine.entries()
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("SELECT state FROM entries").fetchall() == [(State.HELD,)]
        connection.execute("DROP TABLE head")
    with closing(Quarantine(tmp_path / "quarantine")) as quarantine:
        assert len(quarantine.entries()) == 1


@pytest.mark.threat("QUA-15")
def test_downgrade(tmp_path: Path) -> None:
    """A ledger that a later release wrote is refused, and left alone."""
    path = first_release(tmp_path / "quarantine")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with closing(Quarantine(tmp_path / "quarantine")) as quarantine, pytest.raises(CustodyError, match="schema 99"):
        quarantine.entries()
