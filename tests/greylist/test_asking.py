"""The greylist over a store: embedded, Redis and one in memory alike."""

from collections.abc import Sequence

import pytest

from filterd.greylist import Attempt, Greylist, State, Times
from filterd.greylist.asking import MAX_RECIPIENTS
from filterd.model.store import StoreError
from filterd.store import Breaker, GuardedStore, MemoryStore, WriteBehind
from filterd.store.writes import BatchStore, Write
from tests.store.test_breaker import Clock

TIMES = Times(delay=300, window=86_400, lifetime=30 * 86_400)
NOW = 1_700_000_000.0
FIRST = Attempt("198.51.100.7", "alice@example.org", ("bob@local.test",))


class Site:
    """A greylist and its queue of writes, which is emptied after each question."""

    def __init__(self, store: BatchStore, times: Times = TIMES) -> None:
        """On that store."""
        self.writes = WriteBehind(store, interval=3600)
        self.greylist = Greylist(store, self.writes, times, clock=Clock())

    def ask(self, attempt: Attempt, after: float = 0.0, *, begin: bool = True) -> tuple[State | None, int, int]:
        """State, seconds since the first attempt and seconds to wait."""
        found = self.greylist.ask(attempt, NOW + after, begin=begin)
        self.writes.flush()
        return found.state, found.since, found.wait


def test_a_life(store: BatchStore) -> None:
    """First, too early, back in time, known, and known from its whole network."""
    site = Site(store)
    assert site.ask(FIRST) == (State.NEW, 0, 300)
    assert site.ask(FIRST, 60) == (State.EARLY, 60, 240)
    assert site.ask(FIRST, 312) == (State.RETURNED, 312, 0)
    assert site.ask(FIRST, 400) == (State.KNOWN, 312, 0)
    near = Attempt("198.51.100.99", FIRST.sender, FIRST.recipients)
    assert site.ask(near, 10 * 86_400) == (State.KNOWN, 312, 0)


def test_another_host_of_the_pool(store: BatchStore) -> None:
    """The same body from another network passes in time, and that network is known then."""
    site = Site(store)
    first = Attempt(FIRST.address, FIRST.sender, FIRST.recipients, body="aa")
    retry = Attempt("203.0.113.9", FIRST.sender, FIRST.recipients, body="aa")
    assert site.ask(first)[0] is State.NEW
    assert site.ask(retry, 20) == (State.EARLY, 20, 280)
    assert site.ask(retry, 400) == (State.RETURNED, 400, 0)
    other = Attempt("203.0.113.10", FIRST.sender, FIRST.recipients, body="bb")
    assert site.ask(other, 500) == (State.KNOWN, 400, 0)


def test_a_domain_that_sends_from_anywhere(store: BatchStore) -> None:
    """Where SPF passes, the retry counts from any network."""
    site = Site(store)
    site.ask(Attempt(FIRST.address, FIRST.sender, FIRST.recipients, "example.org"))
    assert site.ask(Attempt("203.0.113.9", FIRST.sender, FIRST.recipients, "example.org"), 300)[0] is State.RETURNED


def test_several_recipients(store: BatchStore) -> None:
    """The one that is least known decides: a message has one answer at its end."""
    site = Site(store)
    site.ask(FIRST)
    both = Attempt(FIRST.address, FIRST.sender, ("bob@local.test", "carol@local.test"))
    assert site.ask(both, 400) == (State.NEW, 0, 300)
    assert site.ask(both, 500) == (State.EARLY, 100, 200)
    assert site.ask(both, 700)[0] is State.RETURNED
    assert site.ask(both, 800)[0] is State.KNOWN


def test_what_is_early_is_not_put_off(store: BatchStore) -> None:
    """Who tries every minute passes as soon as who waits."""
    site = Site(store)
    states = [site.ask(FIRST, after)[0] for after in range(0, 361, 60)]
    assert states == [State.NEW, *[State.EARLY] * 4, State.RETURNED, State.KNOWN]


@pytest.mark.threat("POL-09")
def test_nobody_new_under_stress(store: BatchStore) -> None:
    """A first attempt passes and is not remembered; one that waits already goes on waiting."""
    site = Site(store)
    assert site.ask(FIRST, begin=False) == (State.NEW, 0, 0)
    assert site.ask(FIRST, 1) == (State.NEW, 0, 300)
    assert site.ask(FIRST, 11, begin=False) == (State.EARLY, 10, 290)


def test_others_values(store: BatchStore) -> None:
    """What somebody else wrote under a key counts as nothing."""
    site = Site(store)
    for key in keys(FIRST):
        store.put(key, b"soon", 60)
    assert site.ask(FIRST)[0] is State.NEW
    assert site.ask(FIRST, 300)[0] is State.RETURNED


def test_many_recipients(store: BatchStore) -> None:
    """Those beyond a bound are not looked at."""
    site = Site(store)
    names = tuple(f"user{number}@local.test" for number in range(MAX_RECIPIENTS + 30))
    assert site.ask(Attempt(FIRST.address, FIRST.sender, names, body="aa"))[0] is State.NEW
    assert site.ask(Attempt(FIRST.address, FIRST.sender, names[MAX_RECIPIENTS:], body="aa"), 300)[0] is State.NEW


def test_no_recipient() -> None:
    """Nobody is nothing to ask for."""
    assert Site(MemoryStore()).ask(Attempt(FIRST.address, FIRST.sender, ()))[0] is None


def keys(attempt: Attempt) -> Sequence[str]:
    """All keys of an attempt."""
    from filterd.greylist.keys import keys_of  # noqa: PLC0415  # the only test that looks inside

    return [key for one in keys_of(attempt) for key in one.all]


class TestTrouble:
    """A store that is silent, refuses or is slow."""

    def test_silent(self) -> None:
        """It passes, and says that nobody knows."""
        store = MemoryStore()
        store.fail = True
        assert Site(store).ask(FIRST) == (None, 0, 0)

    def test_reads_but_does_not_write(self) -> None:
        """Who could not be written down is not made to wait: he would never pass."""
        full = Full()
        assert Site(full).ask(FIRST) == (None, 0, 0)
        assert full.asked == 1

    def test_slow(self) -> None:
        """After a slow answer nothing more is asked of the store."""
        clock = Clock()
        store = Slow(clock)
        greylist = Greylist(store, WriteBehind(store, interval=3600), TIMES, clock=clock)
        assert greylist.ask(FIRST, NOW).state is None
        assert store.written == 0

    @pytest.mark.threat("POL-08")
    def test_breaker(self) -> None:
        """After five failures in a row the store is left alone, and tried again once a second."""
        clock, memory = Clock(), MemoryStore()
        breaker = Breaker(clock=clock)
        site = Site(GuardedStore(memory, breaker))
        memory.fail = True
        for _ in range(5):
            assert site.ask(FIRST)[0] is None
        memory.fail = False
        assert (breaker.open, site.ask(FIRST)[0]) == (True, None)
        clock.now += 1.0
        assert site.ask(FIRST)[0] is State.NEW


class Full(MemoryStore):
    """Refuses every write."""

    def __init__(self) -> None:
        """Empty."""
        super().__init__()
        self.asked = 0

    def apply(self, writes: Sequence[Write]) -> int:
        """Refuse them."""
        self.asked += 1
        return len(writes)


class Slow(MemoryStore):
    """Takes 140 ms for a read."""

    def __init__(self, time: Clock) -> None:
        """On that clock."""
        super().__init__()
        self.written = 0
        self._time = time

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Take a while."""
        self._time.now += 0.14
        return super().get_many(keys)

    def apply(self, writes: Sequence[Write]) -> int:
        """Count them."""
        self.written += len(writes)
        return super().apply(writes)


def test_a_store_error_is_all_that_is_swallowed() -> None:
    """A bug is not hidden as a silent store."""

    class Broken(MemoryStore):
        def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
            raise KeyError(keys[0])

    with pytest.raises(KeyError):
        Site(Broken()).ask(FIRST)
    assert issubclass(StoreError, Exception)
