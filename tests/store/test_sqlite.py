"""What only the SQLite store has: a file, a size, other processes."""

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from filterd.model.store import StoreError
from filterd.store import MemoryStore, SqliteStore
from filterd.store.sqlite import PURGE_EVERY
from filterd.store.writes import Put
from tests.store.test_breaker import Clock


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_expiry(kind: str, tmp_path: Path) -> None:
    """Values, counters and sets end with their lifetime; adding and remembering renew it and start anew after it."""
    clock = Clock()
    store = MemoryStore(clock=clock) if kind == "memory" else SqliteStore(tmp_path / "s.sqlite", clock=clock)
    store.put("v", b"1", 10)
    store.add("n", 5, 10)
    store.remember("s", "a", 10, 8)
    clock.now += 9
    store.add("n", 5, 10)
    store.remember("s", "b", 10, 8)
    clock.now += 9
    assert (store.get_many(["v", "n"]), store.members("s")) == ([None, b"10"], ("b", "a"))
    clock.now += 2
    assert (store.get_many(["v", "n"]), store.members("s")) == ([None, None], ())
    store.remember("s", "c", 10, 8)
    assert (store.add("n", 1, 10), store.members("s")) == (1, ("c",))
    store.close()


def test_memory_bounded() -> None:
    """Memory keeps as many keys as it was told, the last written ones."""
    store = MemoryStore(most=2)
    for key in "abac":
        store.put(key, b"1", 60)
    assert store.get_many(["a", "b", "c"]) == [b"1", None, b"1"]


def test_shared(tmp_path: Path) -> None:
    """Two stores on one file see each other's writes, and a new one finds them."""
    with closing(SqliteStore(tmp_path / "s.sqlite")) as one, closing(SqliteStore(tmp_path / "s.sqlite")) as two:
        one.add("n", 1, 60)
        two.add("n", 1, 60)
        assert one.get_many(["n"]) == [b"2"]


def test_many_open_at_once(tmp_path: Path) -> None:
    """Many first openings of one file at the same time all succeed."""
    stores = [SqliteStore(tmp_path / "s.sqlite", busy=20) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda store: store.add("n", 1, 60), stores))
    assert stores[0].get_many(["n"]) == [b"8"]
    for store in stores:
        store.close()


@pytest.mark.threat("RES-05")
def test_locked(tmp_path: Path) -> None:
    """While another process holds the file, writes are StoreError and reads go on; afterwards both do."""
    with closing(SqliteStore(tmp_path / "s.sqlite", busy=0.01)) as store:
        store.put("a", b"1", 60)
        with closing(sqlite3.connect(tmp_path / "s.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked"):
                store.put("a", b"2", 60)
            assert store.get_many(["a"]) == [b"1"]
            other.execute("ROLLBACK")
        store.put("a", b"3", 60)
        assert store.get_many(["a"]) == [b"3"]


@pytest.mark.threat("RES-05")
@pytest.mark.parametrize("content", [b"no database at all" * 500])
def test_damaged(tmp_path: Path, content: bytes) -> None:
    """A damaged file is StoreError for every call."""
    (tmp_path / "s.sqlite").write_bytes(content)
    (tmp_path / "s.sqlite").chmod(0o600)
    with closing(SqliteStore(tmp_path / "s.sqlite")) as store:
        with pytest.raises(StoreError):
            store.get_many(["a"])
        with pytest.raises(StoreError):
            store.put("a", b"1", 60)


@pytest.mark.threat("QUA-10")
def test_modes(tmp_path: Path) -> None:
    """The file and what SQLite puts beside it are private; a file open to others is refused."""
    with closing(SqliteStore(tmp_path / "s.sqlite")) as store:
        store.put("a", b"1", 60)
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    (tmp_path / "s.sqlite").chmod(0o644)
    with closing(SqliteStore(tmp_path / "s.sqlite")) as store, pytest.raises(StoreError, match="private"):
        store.get_many(["a"])


def test_purge_expired(tmp_path: Path) -> None:
    """Expired rows leave the file in the course of writing."""
    clock = Clock()
    with closing(SqliteStore(tmp_path / "s.sqlite", clock=clock)) as store:
        store.apply([Put(f"old{number}", b"1", 10) for number in range(100)])
        store.remember("old", "m", 10, 8)
        clock.now += 11
        for number in range(PURGE_EVERY):
            store.put(f"new{number % 3}", b"1", 10)
        with closing(sqlite3.connect(tmp_path / "s.sqlite")) as other:
            assert other.execute("SELECT count(*) FROM entries").fetchone() == (3,)
            assert other.execute("SELECT count(*) FROM members").fetchone() == (0,)


def test_bounded(tmp_path: Path) -> None:
    """A file over its size loses what would expire next."""
    with closing(SqliteStore(tmp_path / "s.sqlite", max_bytes=1_000_000)) as store:
        for turn in range(PURGE_EVERY * 4):
            store.apply([Put(f"key{turn}.{number}", bytes(1000), 1000 + turn) for number in range(4)])
        assert (tmp_path / "s.sqlite").stat().st_size < 10_000_000  # without the bound 20 MB
        assert store.get_many([f"key{PURGE_EVERY * 4 - 1}.0"]) == [bytes(1000)]
        assert store.get_many(["key0.0"]) == [None]
