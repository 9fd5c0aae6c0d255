"""Turns at jobs that one process does for all."""

import threading

import pytest

from filterd.store import MemoryStore
from filterd.store.turns import LEASE, Turn, Turns
from tests.store.test_breaker import Clock


class TestTurns:
    """Turns."""

    def test_one_at_a_time(self) -> None:
        """Whoever asks first has the turn; the others have it when it was done or given back."""
        store = MemoryStore()
        mine, other = Turns(store, "test"), Turns(store, "test")
        assert (mine.take("zen"), other.take("zen"), other.take("dbl")) == (True, False, True)
        mine.done("zen", Turn(5.0, 60.0))
        assert (other.last(["zen", "dbl"]), other.take("zen")) == ({"zen": Turn(5.0, 60.0)}, True)
        other.leave("zen")
        assert mine.take("zen")

    def test_kinds(self) -> None:
        """Jobs of different kinds may have the same name."""
        store = MemoryStore()
        assert (Turns(store, "a").take("zen"), Turns(store, "b").take("zen")) == (True, True)

    @pytest.mark.threat("RES-03")
    def test_dead_process(self) -> None:
        """A process that dies in its turn holds it up for the lease, however often the others ask."""
        clock = Clock()
        store = MemoryStore(clock=clock)
        dead, other = Turns(store, "test"), Turns(store, "test")
        assert dead.take("zen")
        for _ in range(LEASE - 1):
            clock.now += 1
            assert not other.take("zen")
        clock.now += 1
        assert other.take("zen")

    def test_threads(self) -> None:
        """Of many that ask at the same moment one has the turn."""
        store = MemoryStore()
        took: list[bool] = []
        barrier = threading.Barrier(8)

        def work() -> None:
            turns = Turns(store, "test")
            barrier.wait()
            took.append(turns.take("zen"))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(took) == [False] * 7 + [True]

    @pytest.mark.threat("RES-03")
    def test_store_fails(self) -> None:
        """While the store is silent each process takes its turns alone, and knows its own last ones."""
        store = MemoryStore()
        store.fail = True
        turns = Turns(store, "test")
        assert (turns.last(["zen"]), turns.take("zen")) == ({}, True)
        turns.done("zen", Turn(5.0, 60.0))
        assert (turns.last(["zen"]), turns.failures) == ({"zen": Turn(5.0, 60.0)}, 5)
        store.fail = False
        Turns(store, "test").done("zen", Turn(9.0, 60.0))
        assert turns.last(["zen"]) == {"zen": Turn(9.0, 60.0)}

    @pytest.mark.parametrize("value", [b"\xff", b"[]", b'{"at": 1}', b"1"])
    def test_foreign_value(self, value: bytes) -> None:
        """What cannot be read was never done."""
        store = MemoryStore()
        store.put("turn:test:done:zen", value, 60)
        assert Turns(store, "test").last(["zen"]) == {}
