"""The ledger of another release: taken over, or refused."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from filterd.model.custody import CustodyError
from filterd.quarantine import Actor, EntryFilter, Quarantine, State
from tests.quarantine.samples import evidence, identifier, raw

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
    with closing(Quarantine(folder)) as quarantine, raw() as message:
        quarantine.hold(evidence(), message)
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
