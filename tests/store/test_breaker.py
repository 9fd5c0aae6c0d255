"""The circuit breaker, by a clock of its own."""

from pathlib import Path

import pytest

from filterd.model.store import StoreError
from filterd.store import Breaker, GuardedStore, MemoryStore, StoreRefusedError, open_store


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        """Begin at 100."""
        self.now = 100.0

    def __call__(self) -> float:
        """As time.monotonic."""
        return self.now


def opened(clock: Clock) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(clock=clock)
    for _ in range(5):
        assert breaker.allow()
        breaker.failure()
    return breaker


def test_opens() -> None:
    """Five failures in a row open it; a success between starts the count anew."""
    breaker = Breaker(clock=Clock())
    for outcome in (breaker.failure,) * 4 + (breaker.success,) + (breaker.failure,) * 4:
        outcome()
    assert not breaker.open
    breaker.failure()
    assert (breaker.open, breaker.allow()) == (True, False)


def test_one_probe() -> None:
    """While open one caller an interval may try, the others not even while it tries."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 1.0
    assert [breaker.allow() for _ in range(3)] == [True, False, False]
    clock.now += 1.0
    assert [breaker.allow() for _ in range(2)] == [True, False]


def test_probe_fails() -> None:
    """A failed try waits a whole interval again."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 1.5
    assert breaker.allow()
    breaker.failure()
    clock.now += 0.9
    assert not breaker.allow()


def test_probe_succeeds() -> None:
    """A successful try closes it for all."""
    clock = Clock()
    breaker = opened(clock)
    clock.now += 1.0
    assert breaker.allow()
    breaker.success()
    assert (breaker.open, breaker.allow(), breaker.allow()) == (False, True, True)


@pytest.mark.threat("RES-03")
def test_guarded() -> None:
    """A guarded store leaves its backend alone while open, and uses it again after a good probe."""
    clock, backend = Clock(), MemoryStore()
    store = GuardedStore(backend, Breaker(clock=clock))
    backend.fail = True
    for _ in range(5):
        with pytest.raises(StoreError):
            store.get_many(["a"])
    backend.fail = False
    with pytest.raises(StoreError, match="left alone"):
        store.put("a", b"1", 60)
    clock.now += 1.0
    store.put("a", b"1", 60)
    assert store.get_many(["a"]) == [b"1"]


def test_refusals_do_not_open() -> None:
    """A backend that answers no is alive."""
    store = GuardedStore(MemoryStore(), Breaker(clock=Clock()))
    store.put("text", b"x", 60)
    for _ in range(10):
        with pytest.raises(StoreRefusedError):
            store.add("text", 1, 60)
    assert not store.breaker.open


@pytest.mark.parametrize("url", ["", "http://x", "redis", "redis+sentinel://host", "redis://x?socket_timeout=soon"])
def test_bad_urls(url: str, tmp_path: Path) -> None:
    """What names no store is ValueError at once: configuration is wrong, no server is down."""
    with pytest.raises(ValueError, match=r"store|Sentinel|Invalid"):
        open_store(url, tmp_path)


@pytest.mark.parametrize("url", [None, "memory://", "redis://localhost:1/0", "rediss://u:p@h", "unix:///r.sock?db=1"])
def test_urls(url: str | None, tmp_path: Path) -> None:
    """Opening touches neither disk nor network."""
    open_store(url, tmp_path / "none").close()
    assert not (tmp_path / "none").exists()
