"""How long one request may ask."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from filterd.model.store import StoreError
from filterd.store import Breaker, GuardedStore, MemoryStore
from filterd.store.patience import BEGIN, TIRED, Patience
from tests.store.test_breaker import Clock


def test_a_request_has_its_time() -> None:
    """From its first question on, for all that ask; another request has its own."""
    clock = Clock()
    patience = Patience(clock=clock)
    found = [patience.left("a")]
    clock.now += BEGIN / 2
    found.append(patience.left("a"))
    clock.now += BEGIN
    assert [*found, patience.left("a"), patience.left("b")] == [True, True, False, True]


def test_threads_are_apart() -> None:
    """What another thread waits for does not count."""
    clock = Clock()
    patience = Patience(clock=clock)
    patience.left("a")
    clock.now += 1.0
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(patience.left, "a").result()
    assert not patience.left("a")


@pytest.mark.parametrize(("waited", "left"), [(0.0, True), (0.15, False)])
def test_a_store_that_failed_was_wait_enough(waited: float, left: bool) -> None:  # noqa: FBT001  # a column above
    """Whoever asked it in this thread: a request that waited long asks no more, the next one does."""
    clock, memory = Clock(), MemoryStore()
    patience, store = Patience(clock=clock), GuardedStore(memory, Breaker(clock=clock))
    told: list[float] = []
    store.on_failure = told.append
    memory.fail = True
    with pytest.raises(StoreError):
        store.get_many(["a"])
    assert len(told) == 1
    patience.failed(waited)
    assert [patience.left(request) for request in ("a", "a", "b")] == [left, left, True]


def test_what_failed_long_ago_does_not_count() -> None:
    """A thread that has done other things since has not waited for this request."""
    clock = Clock()
    patience = Patience(clock=clock)
    patience.failed(0.15)
    clock.now += TIRED
    assert patience.left("a")


def test_what_a_request_has_waited_for_is_its_own() -> None:
    """The next one begins with its whole time."""
    patience = Patience(clock=Clock())
    patience.left("a")
    patience.failed(0.15)
    patience.done()
    assert patience.left("b")
