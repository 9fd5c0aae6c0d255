"""How long one request may ask."""

from concurrent.futures import ThreadPoolExecutor

from filterd.store.patience import BEGIN, Patience
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
