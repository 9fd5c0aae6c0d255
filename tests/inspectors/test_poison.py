"""The poison ledger: what has ended an inspector is remembered, by every store and by a store that fails."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from filterd.inspectors import PoisonLedger
from filterd.inspectors.poison import CAUSE_PREFIX, KEY_PREFIX, LIFETIME, MAX_CAUSE
from filterd.store import MemoryStore, SqliteStore
from filterd.store.writes import BatchStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BatchStore]:
    """Each backend that fronts of one machine share."""
    made: BatchStore = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "state.sqlite")
    yield made
    made.close()


@pytest.mark.threat("RES-01")
def test_strikes_are_counted_by_message(store: BatchStore) -> None:
    """The sum comes back with each strike, and a front that asks later sees it."""
    ledger = PoisonLedger(store)
    assert ledger.strikes("digest") == 0
    assert [ledger.strike("digest", "died") for _ in range(3)] == [1, 2, 3]
    assert PoisonLedger(store).strikes("digest") == 3
    assert ledger.strikes("other") == 0
    assert ledger.stats() == {"strikes": 3, "store_errors": 0}


@pytest.mark.parametrize("hostile", ["x" * 10_000, "\udcff\0\x1b[2J", ""])
def test_the_cause_is_kept_beside_the_count(store: BatchStore, hostile: str) -> None:
    """Bounded, and in bytes whatever it quotes."""
    PoisonLedger(store).strike("digest", hostile)
    kept = store.get_many([CAUSE_PREFIX + "digest"])[0]
    assert kept is not None
    assert kept == hostile[:MAX_CAUSE].encode("utf-8", "replace")


def test_two_fronts_that_strike_together_both_count(store: BatchStore) -> None:
    """The count is the store's, not a front's."""
    ledgers = [PoisonLedger(store) for _ in range(4)]
    with ThreadPoolExecutor(4) as executor:
        sums = list(executor.map(lambda ledger: ledger.strike("digest", "died"), ledgers * 5))
    assert sorted(sums) == list(range(1, 21))


def test_strikes_are_forgotten_when_no_client_tries_again() -> None:
    """Later than the five days for which MTAs do."""
    now = [0.0]
    ledger = PoisonLedger(MemoryStore(clock=lambda: now[0]))
    ledger.strike("digest", "died")
    now[0] = 5 * 24 * 3600.0
    assert ledger.strikes("digest") == 1
    now[0] = LIFETIME + 1.0
    assert ledger.strikes("digest") == 0


def test_a_store_that_fails_is_counted_and_stops_nothing() -> None:
    """Nothing is known: the message is inspected, and a strike is at least the one just seen."""
    store = MemoryStore()
    ledger = PoisonLedger(store)
    ledger.strike("digest", "died")
    store.fail = True
    assert ledger.strikes("digest") == 0
    assert ledger.strike("digest", "died again") == 1
    assert ledger.stats() == {"strikes": 2, "store_errors": 2}
    store.fail = False
    assert ledger.strikes("digest") == 1


def test_a_cause_that_cannot_be_kept_takes_nothing_from_the_count() -> None:
    """The count is what custody hangs on."""

    class Half(MemoryStore):
        """Counts, and stores no values."""

        def put(self, key: str, value: bytes, ttl: int) -> None:
            """Fail."""
            self.fail = True
            try:
                super().put(key, value, ttl)
            finally:
                self.fail = False

    ledger = PoisonLedger(Half())
    assert [ledger.strike("digest", "died") for _ in range(2)] == [1, 2]
    assert ledger.stats()["store_errors"] == 2


@pytest.mark.parametrize("value", [b"", b"many", b"-1", "²".encode(), b"1.5"])
def test_a_value_that_is_no_count_is_none(value: bytes, store: BatchStore) -> None:
    """What somebody else wrote under the key is not taken for strikes."""
    store.put(KEY_PREFIX + "digest", value, 60)
    assert PoisonLedger(store).strikes("digest") == 0


def test_a_strike_is_not_lost_between_asking_and_counting(store: BatchStore) -> None:
    """The sum that comes back is the store's, so that two fronts cannot both take theirs for the first."""
    first, second = PoisonLedger(store), PoisonLedger(store)
    calls: list[Callable[[str, str], int]] = [first.strike, second.strike]
    assert [call("digest", "died") for call in calls] == [1, 2]
