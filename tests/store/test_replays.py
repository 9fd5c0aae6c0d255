"""Counting the deliveries of one message over all fronts."""

import pytest

from filterd.store import MemoryStore
from filterd.store.replays import ReplayCounter


def test_own_counts_are_known_at_once() -> None:
    """Before the store was asked at all."""
    counter = ReplayCounter(MemoryStore(), interval=60)
    assert [counter.count("m", 2), counter.count("m", 3), counter.count("n", 1)] == [2, 5, 1]
    counter.close()


def test_what_others_counted_is_known_after_a_round_trip() -> None:
    """Two fronts, one store: each learns of the other's when it has told its own."""
    store = MemoryStore()
    one, other = ReplayCounter(store, interval=60), ReplayCounter(store, interval=60)
    one.count("m", 40)
    one.flush()
    assert other.count("m", 1) == 1
    other.flush()
    assert other.count("m", 1) == 42
    one.close()
    other.close()


@pytest.mark.threat("RES-03")
def test_without_a_store_own_counts_go_on() -> None:
    """Nobody waits and nothing is raised; what was not told is counted as failed."""
    store = MemoryStore()
    store.fail = True
    counter = ReplayCounter(store, interval=60)
    counter.count("m", 1)
    counter.flush()
    assert (counter.count("m", 1), counter.failed) == (2, 1)
    counter.close()


def test_many_deliveries_are_one_write() -> None:
    """A flood of one message costs the store one counter for each round."""
    store = MemoryStore()
    counter = ReplayCounter(store, interval=60)
    for _ in range(500):
        counter.count("m", 1)
    counter.close()
    assert store.get_many(["replay:m"]) == [b"500"]
