"""Token buckets: the arithmetic, and that every keeper does the same, a real Redis among them."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filterd.model.store import StoreError
from filterd.store.buckets import SECOND, Bucket, Buckets, Draw, MemoryBuckets, draw
from filterd.store.buckets_redis import RedisBuckets
from filterd.store.buckets_table import KEY, SIZE, WAYS, TableBuckets
from tests.support.redis import RedisServer

NOW = 1_700_000_000 * SECOND
HOUR = 3600 * SECOND
RUNS = count()  # keys of their own for each run of a property

BUCKETS = st.lists(
    st.builds(
        Bucket,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([1, 7, SECOND // 3, SECOND, 90 * SECOND]),
        st.integers(1, 4),
        st.booleans(),
    ),
    max_size=3,
    unique_by=lambda bucket: bucket.key,
)
# Steps of no time, of a little, of much, and back: a little, as clocks of several nodes do among themselves, and a day.
TIMES = st.sampled_from([0, 1, SECOND // 2, SECOND, HOUR, -1, -2 * SECOND, -25 * HOUR])
STEPS = st.lists(st.tuples(BUCKETS, TIMES), max_size=12)


@pytest.fixture(params=["memory", "table", pytest.param("redis", marks=pytest.mark.integration)])
def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Buckets]:
    """Each keeper in turn."""
    made: Buckets
    if request.param == "memory":
        made = MemoryBuckets()
    elif request.param == "table":
        made = TableBuckets(tmp_path / "limits.table")
    else:
        running: RedisServer = request.getfixturevalue("server")
        with running.client() as client:
            client.flushall()
        made = RedisBuckets(running.url)
    yield made
    made.close()


def replay(keeper: Buckets, steps: list[tuple[list[Bucket], int]], prefix: str) -> None:
    """Take the steps with the keeper and with the arithmetic alone: every answer and every state is the same."""
    state: dict[str, int] = {}
    now = NOW
    for buckets, step in steps:
        now += step
        named = [Bucket(prefix + one.key, one.interval, one.capacity, one.binding) for one in buckets]
        expected, after = draw(named, [state.get(one.key, 0) for one in named], now)
        assert keeper.draw(named, now) == expected
        state.update({one.key: full for one, full in zip(named, after, strict=True) if full})
    for key, full in state.items():
        assert keeper.full_at(key) == full


class TestArithmetic:
    """draw."""

    def test_a_full_bucket_gives_its_capacity_at_once(self) -> None:
        """Then no more before a token has come."""
        bucket, full, granted = Bucket("a", SECOND, 3), 0, []
        for _ in range(5):
            found, (full,) = draw([bucket], [full], NOW)
            granted.append((found.granted, found.waits))
        assert granted == [(True, (0,))] * 3 + [(False, (SECOND,))] * 2

    def test_tokens_come_at_their_pace(self) -> None:
        """Half an interval after the last one was taken half an interval is left to wait."""
        bucket, (_, (full,)) = Bucket("a", SECOND, 1), draw([Bucket("a", SECOND, 1)], [0], NOW)
        assert draw([bucket], [full], NOW + SECOND // 2)[0] == Draw(granted=False, waits=(SECOND // 2,))
        assert draw([bucket], [full], NOW + SECOND)[0].granted

    def test_all_or_none(self) -> None:
        """What one bucket refuses is not taken from the others."""
        empty = Bucket("a", SECOND, 1), NOW + SECOND
        other = Bucket("b", SECOND, 5), 0
        found, after = draw([empty[0], other[0]], [empty[1], other[1]], NOW)
        assert (found, after) == (Draw(granted=False, waits=(SECOND, 0)), (empty[1], other[1]))

    def test_a_dry_run_hinders_nobody(self) -> None:
        """An empty bucket that is not binding says how long one would wait, and the others are drawn from."""
        dry = Bucket("a", SECOND, 1, binding=False), NOW + SECOND
        other = Bucket("b", SECOND, 5), 0
        found, after = draw([dry[0], other[0]], [dry[1], other[1]], NOW)
        assert (found, after) == (Draw(granted=True, waits=(SECOND, 0)), (NOW + SECOND, NOW + SECOND))

    def test_a_clock_that_jumps_back_costs_a_span(self) -> None:
        """A bucket that seems to fill only next year is empty, and full again after its span."""
        bucket = Bucket("a", SECOND, 2)
        assert draw([bucket], [NOW + 1000 * HOUR], NOW)[0].waits == (SECOND,)
        assert bucket.left(NOW + 1000 * HOUR, NOW) == 0
        found, full = draw([bucket], [NOW + 1000 * HOUR], NOW)
        assert (found.granted, full) == (False, (NOW + bucket.span,))
        assert draw([bucket], full, NOW + SECOND)[0].granted

    def test_a_clock_that_is_a_little_ahead_is_believed(self) -> None:
        """Another node's moments stay as they are within the minute that its clock may be ahead."""
        bucket = Bucket("a", SECOND, 2)
        assert draw([bucket], [NOW + 30 * SECOND], NOW)[1] == (NOW + 30 * SECOND,)

    @given(st.integers(1, 20), st.integers(1, 100), st.lists(st.integers(0, 500), max_size=60))
    def test_never_more_than_burst_and_rate(self, capacity: int, interval: int, steps: list[int]) -> None:
        """In any stretch of time no more is granted than the capacity and what came meanwhile."""
        bucket, full, now, granted = Bucket("a", interval, capacity), 0, NOW, []
        for step in steps:
            now += step
            found, (full,) = draw([bucket], [full], now)
            granted += [now] * found.granted
        for first in range(len(granted)):
            for last in range(first, len(granted)):
                assert last - first + 1 <= capacity + (granted[last] - granted[first]) // interval

    @given(st.integers(1, 20), st.integers(1, 100), st.lists(st.integers(0, 500), max_size=60))
    def test_a_wait_is_as_long_as_it_is_said(self, capacity: int, interval: int, steps: list[int]) -> None:
        """Who waits as long as he is told gets his token, and not a microsecond earlier."""
        bucket, full, now = Bucket("a", interval, capacity), 0, NOW
        for step in steps:
            now += step
            found, (after,) = draw([bucket], [full], now)
            if not found.granted:
                assert draw([bucket], [full], now + found.waits[0])[0].granted
                assert not draw([bucket], [full], now + found.waits[0] - 1)[0].granted
            full = after


class TestKeepers:
    """What all of them do alike."""

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(STEPS)
    def test_the_same_as_the_arithmetic(self, keeper: Buckets, steps: list[tuple[list[Bucket], int]]) -> None:
        """Any sequence of draws, on a clock that also steps back, ends as the pure function says."""
        replay(keeper, steps, f"{next(RUNS)}:")

    @pytest.mark.parametrize("key", ["", "k\0y", "ключ", "lone\udc80", "a b\r\nDEL a", "k" * 5000])
    def test_any_key(self, keeper: Buckets, key: str) -> None:
        """Keys are made from what mail says."""
        assert [keeper.draw([Bucket(key, HOUR, 1)], NOW).granted for _ in range(2)] == [True, False]
        assert keeper.full_at(key) == NOW + HOUR

    def test_listed(self, keeper: Buckets) -> None:
        """Those that are not full, with the moment when they will be."""
        keeper.draw([Bucket("a:1", HOUR, 1), Bucket("b:ü", SECOND, 1)], NOW)
        assert sorted(keeper.listed(NOW)) == [("a:1", NOW + HOUR), ("b:ü", NOW + SECOND)]
        assert list(keeper.listed(NOW + SECOND)) == [("a:1", NOW + HOUR)]

    def test_fill(self, keeper: Buckets) -> None:
        """A bucket made full is as new; so is one that nobody has drawn from."""
        keeper.draw([Bucket("a", HOUR, 1)], NOW)
        keeper.fill("a")
        keeper.fill("nobody")
        assert (keeper.full_at("a"), keeper.draw([Bucket("a", HOUR, 1)], NOW).granted) == (0, True)

    def test_fill_all(self, keeper: Buckets) -> None:
        """All whose key begins so, long ones too; the others stay."""
        keys = ["a:1", "a:" + "ü" * 200, "ab:1", "b:a:"]
        keeper.draw([Bucket(key, HOUR, 1) for key in keys], NOW)
        assert keeper.fill_all("a:") == 2
        assert sorted(key for key, _ in keeper.listed(NOW)) == ["ab:1", "b:a:"]
        assert keeper.fill_all("c:") == 0

    def test_threads(self, keeper: Buckets) -> None:
        """However many draw at once, no token is given twice."""
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: keeper.draw([Bucket("a", HOUR, 20)], NOW).granted, range(60)))
        assert sum(found) == 20

    def test_processes(self, keeper: Buckets) -> None:
        """The same between processes; a keeper used before a fork is used by both sides."""
        if isinstance(keeper, MemoryBuckets):
            pytest.skip("memory is one process's")
        bucket = Bucket("a", HOUR, 30)
        keeper.draw([bucket], NOW)
        children = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                granted = 255
                try:
                    granted = sum(keeper.draw([bucket], NOW).granted for _ in range(20))
                finally:
                    os._exit(granted)
            children.append(child)
        assert sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children) == 29
        assert not keeper.draw([bucket], NOW).granted


class TestTable:
    """The file."""

    def test_it_survives_its_processes(self, tmp_path: Path) -> None:
        """What was drawn is still drawn after a restart, and the file is private."""
        path = tmp_path / "limits.table"
        first = TableBuckets(path)
        first.draw([Bucket("a", HOUR, 1)], NOW)
        first.close()
        assert not TableBuckets(path).draw([Bucket("a", HOUR, 1)], NOW).granted
        assert (path.stat().st_mode & 0o777, path.stat().st_size) == (0o600, SIZE)

    def test_a_full_set_lets_go_of_what_is_nearest_to_full(self, tmp_path: Path) -> None:
        """Many keys of one draw each do not push out the one who has drawn much."""
        table = TableBuckets(tmp_path / "limits.table")
        greedy = Bucket("greedy", SECOND, 10)
        for _ in range(10):
            table.draw([greedy], NOW)
        for number in range(40_000):
            table.draw([Bucket(f"one{number}", SECOND, 10)], NOW)
        assert table.pushed_out > WAYS
        assert not table.draw([greedy], NOW).granted

    def test_a_long_key_is_listed_by_its_beginning(self, tmp_path: Path) -> None:
        """The digest tells keys apart that begin alike."""
        table = TableBuckets(tmp_path / "limits.table")
        for end in "ab":
            table.draw([Bucket("ü" * KEY + end, HOUR, 1)], NOW)
        assert [key for key, _ in table.listed(NOW)] == ["ü" * (KEY // 2) + "…"] * 2

    def test_a_file_that_cannot_be_is_an_error(self, tmp_path: Path) -> None:
        """StoreError, and good again when the trouble is over."""
        folder = tmp_path / "state"
        folder.write_bytes(b"")
        table = TableBuckets(folder / "limits.table")
        with pytest.raises(StoreError):
            table.draw([Bucket("a", HOUR, 1)], NOW)
        folder.unlink()
        assert table.draw([Bucket("a", HOUR, 1)], NOW).granted

    def test_somebody_who_keeps_the_lock_is_not_waited_for(self, tmp_path: Path) -> None:
        """A stopped process with the lock costs a moment and an error."""
        path = tmp_path / "limits.table"
        holder, other = TableBuckets(path), TableBuckets(path, patience=0.01)
        with holder._locked(1.0), pytest.raises(StoreError):  # no other way to stop in the middle
            other.draw([Bucket("a", HOUR, 1)], NOW)
        assert other.draw([Bucket("a", HOUR, 1)], NOW).granted

    def test_at_once(self, tmp_path: Path) -> None:
        """Not before the file is open, and not while somebody else has the lock; else as any other draw."""
        path, bucket = tmp_path / "limits.table", Bucket("a", HOUR, 2)
        holder, other = TableBuckets(path), TableBuckets(path)
        assert other.try_draw([bucket], NOW) is None
        assert other.draw([bucket], NOW).granted
        with holder._locked(1.0):  # no other way to stop in the middle
            assert other.try_draw([bucket], NOW) is None
        found = [other.try_draw([bucket], NOW) for _ in range(2)]
        assert [one and one.granted for one in found] == [True, False]

    def test_any_content_is_read(self, tmp_path: Path) -> None:
        """A damaged file gives wrong counts at most."""
        path = tmp_path / "limits.table"
        path.touch(0o600)
        path.write_bytes(bytes(range(256)) * (SIZE // 256))
        table = TableBuckets(path)
        list(table.listed(NOW))
        assert table.draw([Bucket("a", HOUR, 1)], NOW).granted


@pytest.mark.integration
@pytest.mark.parametrize("value", [b"", b"soon", b"9" * 400, b"-5", b"nan"])
def test_a_value_that_is_no_moment_counts_as_none(server: RedisServer, value: bytes) -> None:
    """Somebody else's value under a key of ours costs a wrong count at most."""
    buckets = RedisBuckets(server.url)
    with server.client() as client:
        client.set("filterd:bucket:odd", value)
    waits = [buckets.draw([Bucket("odd", HOUR, 2)], NOW + number * HOUR).waits for number in range(3)]
    assert all(later <= earlier for (earlier,), (later,) in pairwise(waits))
    buckets.close()
