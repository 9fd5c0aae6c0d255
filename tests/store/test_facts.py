"""Writes behind, remembered selectors, suspended lists."""

import threading

import pytest

from filterd.store import MemoryStore, SelectorMemory, SuspendedLists, Suspension, WriteBehind
from filterd.store.suspended import FRESH
from tests.store.test_breaker import Clock


class TestWriteBehind:
    """Writes that nobody waits for."""

    def test_written(self) -> None:
        """The thread writes without being asked; close() writes the rest, later writes are dropped."""
        store = MemoryStore()
        writes = WriteBehind(store, interval=0.001)
        writes.put("a", b"1", 60)
        writes.add("n", 2, 60)
        writes.add("n", 3, 60)
        writes.remember("s", "m", 60, 8)
        writes.close()
        writes.put("late", b"1", 60)
        assert (store.get_many(["a", "n", "late"]), store.members("s")) == ([b"1", b"5", None], ("m",))
        assert (writes.dropped, writes.failed) == (1, 0)

    def test_full(self) -> None:
        """A full queue drops and counts, and nobody waits."""
        writes = WriteBehind(MemoryStore(), interval=60, most=3)
        for _ in range(5):
            writes.add("n", 1, 60)
        assert writes.dropped == 2
        writes.close()

    @pytest.mark.threat("RES-03")
    def test_store_fails(self) -> None:
        """Writes that a dead store did not take are counted, and the next ones are tried again."""
        store = MemoryStore()
        store.fail = True
        writes = WriteBehind(store, interval=60)
        writes.put("a", b"1", 60)
        writes.flush()
        store.fail = False
        writes.put("b", b"1", 60)
        writes.flush()
        assert (writes.failed, store.get_many(["a", "b"])) == (1, [None, b"1"])
        writes.close()

    def test_threads(self) -> None:
        """Nothing is lost between threads that write and the one that sends."""
        store = MemoryStore()
        writes = WriteBehind(store, interval=0.0005)

        def work() -> None:
            for _ in range(500):
                writes.add("n", 1, 60)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writes.close()
        assert store.get_many(["n"]) == [b"2000"]


class CountingStore(MemoryStore):
    """Counts reads."""

    reads = 0

    def members(self, key: str) -> tuple[str, ...]:
        """As Store."""
        self.reads += 1
        return super().members(key)


class TestSelectors:
    """SelectorMemory."""

    def test_other_process(self) -> None:
        """What one front remembers another recalls, newest first, at most eight."""
        store = MemoryStore()
        writes = WriteBehind(store, interval=60)
        memory = SelectorMemory(store, writes)
        for number in range(10):
            memory.remember("a.test", f"s{number}")
        writes.close()
        recalled = SelectorMemory(store, writes).recall("a.test")
        assert recalled == tuple(f"s{number}" for number in range(9, 1, -1))

    def test_quiet(self) -> None:
        """Repeated messages of a domain touch the store once in ten minutes, then renew the lifetime."""
        store, clock = CountingStore(), Clock()
        writes = WriteBehind(store, interval=60, most=100)
        memory = SelectorMemory(store, writes, clock=clock)
        for _ in range(3):
            memory.recall("a.test")
            memory.remember("a.test", "s1")
        assert (store.reads, memory.recall("a.test"), len(writes._batcher._queue)) == (1, ("s1",), 1)
        clock.now += 601
        memory.remember("a.test", "s1")
        assert len(writes._batcher._queue) == 2
        writes.close()

    def test_store_fails(self) -> None:
        """A silent store is no selectors, counted, and asked again at the next message."""
        store = CountingStore()
        store.fail = True
        writes = WriteBehind(store, interval=60)
        memory = SelectorMemory(store, writes)
        assert (memory.recall("a.test"), memory.recall("a.test"), memory.failures, store.reads) == ((), (), 2, 2)
        writes.close()

    def test_read_along(self) -> None:
        """Who reads several things at once reads the set where it is due, and what it hands over is not read again."""
        store = CountingStore()
        writes = WriteBehind(store, interval=60)
        memory = SelectorMemory(store, writes)
        key = memory.due("a.test")
        assert key is not None
        memory.take("a.test", ("s1",))
        assert (memory.due("a.test"), memory.due(""), memory.recall("a.test"), store.reads) == (None, None, ("s1",), 0)
        writes.close()

    @pytest.mark.parametrize(("domain", "selector"), [("", "s"), ("d", ""), ("d" * 254, "s"), ("d", "s" * 254)])
    def test_impossible_names(self, domain: str, selector: str) -> None:
        """Names that no DNS question can carry are neither kept nor asked for."""
        store = CountingStore()
        writes = WriteBehind(store, interval=60)
        memory = SelectorMemory(store, writes)
        memory.remember(domain, selector)
        assert len(writes._batcher._queue) == 0
        assert memory.recall(domain) == ()
        writes.close()


class TestSuspended:
    """SuspendedLists."""

    def test_shared(self) -> None:
        """A suspension counts at once in its own process and soon in others, until it is taken back."""
        store, clock = MemoryStore(), Clock()
        mine = SuspendedLists(store, ["zen", "dbl"], clock=clock)
        other = SuspendedLists(store, ["zen", "dbl"], clock=clock)
        assert (mine.current(), other.current()) == ({}, {})
        mine.suspend("zen", "answers everything", 5.0)
        assert (mine.current(), other.current()) == ({"zen": Suspension("answers everything", 5.0)}, {})
        clock.now += FRESH
        assert other.current() == mine.current()
        other.resume("zen")
        clock.now += FRESH
        assert (mine.current(), other.current()) == ({}, {})

    def test_refresh(self) -> None:
        """Who is about to change something reads what others did at once."""
        store, clock = MemoryStore(), Clock()
        mine, other = (SuspendedLists(store, ["zen"], clock=clock) for _ in range(2))
        assert (mine.current(), other.current()) == ({}, {})
        other.suspend("zen", "refuses", 5.0)
        assert (mine.current(), mine.refresh()) == ({}, {"zen": Suspension("refuses", 5.0)})

    def test_since(self) -> None:
        """A list that is suspended once more stays so since the first time, for the newer reason."""
        lists = SuspendedLists(MemoryStore(), ["zen"])
        lists.suspend("zen", "lists everything", 5.0, void=True)
        lists.suspend("zen", "refuses", 9.0)
        assert lists.refresh() == {"zen": Suspension("refuses", 5.0, void=True)}

    def test_store_fails(self) -> None:
        """While the store is silent the last known state goes on."""
        store, clock = MemoryStore(), Clock()
        lists = SuspendedLists(store, ["zen"], clock=clock)
        lists.suspend("zen", "lone \udc80", 5.0)
        store.fail = True
        clock.now += FRESH
        assert list(lists.current()) == ["zen"]
        lists.resume("zen")
        assert (lists.current(), lists.failures) == ({}, 3)

    def test_foreign_value(self) -> None:
        """A value that cannot be read still suspends: somebody meant it."""
        store = MemoryStore()
        store.put("suspended:zen", b"\xff", 60)
        assert list(SuspendedLists(store, ["zen"]).current()) == ["zen"]
