"""A copy of a database is of one moment, whatever others write meanwhile."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from filterd.store.embedded import Schema, open_database
from filterd.store.snapshot import DamagedDatabaseError, schema_of, snapshot

SCHEMA = Schema(7, ("CREATE TABLE pairs (one INTEGER NOT NULL, other INTEGER NOT NULL, filler BLOB NOT NULL)",))


def silent(_done: int, _whole: int) -> None:
    """Tell nobody."""


def opened(path: Path) -> sqlite3.Connection:
    """A database of pairs."""
    return open_database(path, SCHEMA, synchronous="NORMAL", busy=5.0)


def put(connection: sqlite3.Connection, number: int) -> None:
    """One transaction."""
    connection.execute("INSERT INTO pairs VALUES (?, ?, zeroblob(20000))", (number, -number))


def test_while_another_writes(tmp_path: Path) -> None:
    """Writers are not kept waiting, and the copy has the transactions before its beginning and no other."""
    with closing(opened(tmp_path / "live")) as writer:
        for number in range(2_000):
            put(writer, number)
        before = threading.Event()
        done: list[int] = []

        def told(done_bytes: int, whole: int) -> None:
            if not before.is_set():  # in the middle of copying
                assert done_bytes < whole
                put(writer, 10_000)
                before.set()
            done.append(done_bytes)

        assert snapshot(tmp_path / "live", tmp_path / "copy", told) == 7
        assert before.is_set()
        assert done == sorted(done)
    with closing(sqlite3.connect(tmp_path / "copy")) as copy:
        assert copy.execute("SELECT count(*), sum(one + other), max(one) FROM pairs").fetchone() == (2_000, 0, 1_999)


def test_one_private_file(tmp_path: Path) -> None:
    """The copy is one file that nobody else may read, and this program opens it again."""
    with closing(opened(tmp_path / "live")) as writer:
        put(writer, 1)
        snapshot(tmp_path / "live", tmp_path / "copy", silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "live"]
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    assert schema_of(tmp_path / "copy") == 7
    with closing(opened(tmp_path / "copy")) as copy:
        assert copy.execute("SELECT count(*) FROM pairs").fetchone() == (1,)


def test_nothing_is_made_where_nothing_is(tmp_path: Path) -> None:
    """A database that is not there is an error, and is not there afterwards either."""
    with pytest.raises(sqlite3.OperationalError):
        snapshot(tmp_path / "live", tmp_path / "copy", silent)
    assert not (tmp_path / "live").exists()


def test_damage(tmp_path: Path) -> None:
    """Pages that are none are told of."""
    with closing(opened(tmp_path / "live")) as writer:
        for number in range(100):
            put(writer, number)
    data = bytearray((tmp_path / "live").read_bytes())
    data[8 * 4096 : 40 * 4096] = b"\xff" * (32 * 4096)
    (tmp_path / "live").write_bytes(data)
    with pytest.raises(DamagedDatabaseError):
        snapshot(tmp_path / "live", tmp_path / "copy", silent)
