"""What every backend does alike: the same tests run against memory, SQLite and a real Redis."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from filterd.store import MemoryStore, StoreRefusedError
from filterd.store.writes import Add, BatchStore, Put, Remember, Write


class TestValues:
    """get_many, put, delete."""

    def test_order(self, store: BatchStore) -> None:
        """Values come in the order of the keys, None where there is none, a key asked twice answered twice."""
        store.put("a", b"1", 60)
        store.put("b", b"2", 60)
        assert store.get_many(["b", "none", "a", "b"]) == [b"2", None, b"1", b"2"]

    def test_no_keys(self, store: BatchStore) -> None:
        """No key, no value."""
        assert store.get_many([]) == []

    def test_overwrite(self, store: BatchStore) -> None:
        """The last value put counts."""
        store.put("a", b"1", 60)
        store.put("a", b"2", 60)
        assert store.get_many(["a"]) == [b"2"]

    def test_any_bytes(self, store: BatchStore) -> None:
        """A value is any bytes, none included."""
        store.put("all", bytes(range(256)), 60)
        store.put("none", b"", 60)
        assert store.get_many(["all", "none"]) == [bytes(range(256)), b""]

    @pytest.mark.parametrize("key", ["", "k\0y", "ключ", "lone\udc80", "a b\r\nDEL a", "k" * 5000])
    def test_any_key(self, store: BatchStore, key: str) -> None:
        """A key is any text: keys are made from what mail says."""
        store.put(key, b"1", 60)
        store.remember(f"{key}set", key, 60, 8)
        assert (store.get_many([key]), store.members(f"{key}set")) == ([b"1"], (key,))

    def test_delete(self, store: BatchStore) -> None:
        """Values and sets can be deleted, and what is not there too."""
        store.put("value", b"1", 60)
        store.remember("set", "member", 60, 8)
        for key in ("value", "set", "nothing"):
            store.delete(key)
        assert (store.get_many(["value"]), store.members("set")) == ([None], ())

    def test_many(self, store: BatchStore) -> None:
        """More keys than one SQL statement takes."""
        store.apply([Put(f"key{number}", b"%d" % number, 60) for number in range(1200)])
        assert store.get_many([f"key{number}" for number in range(1200)]) == [b"%d" % number for number in range(1200)]

    def test_lifetime_zero(self, store: BatchStore) -> None:
        """A lifetime below one second is one second, not an error and not for ever."""
        store.put("a", b"1", 0)
        assert store.get_many(["a"]) == [b"1"]


class TestCounters:
    """add."""

    def test_sum(self, store: BatchStore) -> None:
        """A counter starts at 0, and its value reads as decimal text."""
        assert [store.add("n", 2, 60), store.add("n", -5, 60)] == [2, -3]
        assert store.get_many(["n"]) == [b"-3"]

    def test_put_number(self, store: BatchStore) -> None:
        """Adding to a value that is a number in plain form counts on from it."""
        store.put("n", b"41", 60)
        assert store.add("n", 1, 60) == 42

    def test_no_number(self, store: BatchStore) -> None:
        """Adding to anything else is refused and changes nothing."""
        store.put("n", b"many", 60)
        with pytest.raises(StoreRefusedError):
            store.add("n", 1, 60)
        assert store.get_many(["n"]) == [b"many"]

    def test_concurrent(self, store: BatchStore) -> None:
        """No addition is lost between threads."""
        with ThreadPoolExecutor(4) as pool:
            sums = list(pool.map(lambda _: store.add("n", 1, 60), range(100)))
        assert sorted(sums) == list(range(1, 101))


class TestSets:
    """remember, members."""

    def test_newest_first(self, store: BatchStore) -> None:
        """Members come most recently remembered first; remembering again moves one to the front."""
        for member in ("a", "b", "c", "a"):
            store.remember("s", member, 60, 8)
        assert store.members("s") == ("a", "c", "b")

    def test_bounded(self, store: BatchStore) -> None:
        """The member remembered longest ago falls out."""
        for member in ("a", "b", "a", "c"):
            store.remember("s", member, 60, 2)
        assert store.members("s") == ("c", "a")

    def test_unknown(self, store: BatchStore) -> None:
        """A set nobody wrote is empty."""
        assert store.members("s") == ()


class TestFetch:
    """Values and sets in one call."""

    def test_both(self, store: BatchStore) -> None:
        """Each in its own order, as get_many and members would answer."""
        store.put("a", b"1", 60)
        store.remember("s", "old", 60, 8)
        store.remember("s", "new", 60, 8)
        assert store.fetch(["none", "a"], ["nobody", "s"]) == ([None, b"1"], [(), ("new", "old")])

    @pytest.mark.parametrize(("keys", "sets"), [([], []), (["a"], []), ([], ["s"])])
    def test_one_kind(self, store: BatchStore, keys: list[str], sets: list[str]) -> None:
        """Either kind may be missing."""
        store.put("a", b"1", 60)
        store.remember("s", "m", 60, 8)
        assert store.fetch(keys, sets) == ([b"1"] * len(keys), [("m",)] * len(sets))


class TestBatches:
    """apply."""

    def test_in_order(self, store: BatchStore) -> None:
        """All kinds of write in one go, in their order; what is refused is counted and hinders nothing."""
        writes: list[Write] = [
            Put("text", b"x", 60),
            Add("text", 1, 60),
            Add("n", 3, 60),
            Add("n", 4, 60),
            Remember("s", "a", 60, 8),
            Remember("s", "b", 60, 8),
        ]
        assert store.apply(writes) == 1
        assert (store.get_many(["text", "n"]), store.members("s")) == ([b"x", b"7"], ("b", "a"))

    def test_nothing(self, store: BatchStore) -> None:
        """An empty batch is no error."""
        assert store.apply([]) == 0


@pytest.mark.threat("RES-03")
def test_wrong_kind(store: BatchStore) -> None:
    """A key of another kind reads as absent or is refused; nothing but StoreError leaves a store."""
    store.put("value", b"1", 60)
    store.remember("set", "member", 60, 8)
    assert store.get_many(["set"]) == [None]
    with suppress(StoreRefusedError):
        assert store.members("value") == ()


def test_threads(store: BatchStore) -> None:
    """One store serves many threads at once, each getting its own answers."""
    start = threading.Barrier(8)

    def work(number: int) -> list[bytes | None]:
        start.wait()
        for turn in range(20):
            store.put(f"key{number}", b"%d.%d" % (number, turn), 60)
        return store.get_many([f"key{number}"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [[b"%d.19" % number] for number in range(8)]


def test_fork(store: BatchStore) -> None:
    """A store used before a fork serves the child on connections of its own, and the parent afterwards."""
    if isinstance(store, MemoryStore):
        pytest.skip("memory is one process's")
    store.put("parent", b"1", 60)
    child = os.fork()
    if child == 0:
        try:
            store.put("child", store.get_many(["parent"])[0] or b"?", 60)
        finally:
            os._exit(0)
    for turn in range(20):
        store.put("parent", b"%d" % turn, 60)
    os.waitpid(child, 0)
    assert store.get_many(["parent"]) == [b"19"]
    assert store.get_many(["child"])[0] is not None
