"""A Redis that Sentinel watches: its master dies, another is made, and all that goes there finds it."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from filterd.model.store import StoreError
from filterd.store.events import EventStream
from filterd.store.opening import open_store
from filterd.store.reads import RedisReads
from filterd.store.redis import RedisStore
from tests.support.process import wait_until
from tests.support.sentinel import Watched, watched_redis

WITHIN = 10.0  # seconds; half a second of silence, an election, and our own tries


@pytest.fixture
def watched() -> Iterator[Watched]:
    """A master, a replica, three Sentinels."""
    with watched_redis() as servers:
        yield servers


def replicated(watched: Watched, key: str) -> None:
    """Wait until the replica has it too: what only the master had is lost with it."""
    with watched.client() as client:
        assert client.exists(f"filterd:{key}")
        assert client.wait(1, 5_000) == 1


@pytest.mark.threat("RES-03")
def test_calls_find_the_new_master(watched: Watched) -> None:
    """Between two masters calls fail at once; then they go to the new one, and what was replicated is there."""
    with closing(RedisStore(watched.url)) as store:
        store.put("key", b"before", 600)
        replicated(watched, "key")
        watched.fail_over()
        began, slowest = time.monotonic(), 0.0
        values: list[bytes | None] = []

        def again() -> bool:
            nonlocal slowest
            called = time.monotonic()
            with suppress(StoreError):
                store.put("other", b"after", 600)
                values[:] = store.get_many(["key", "other"])
            slowest = max(slowest, time.monotonic() - called)
            return bool(values)

        wait_until(again, "a call that is answered", WITHIN)
        assert values == [b"before", b"after"]
        assert time.monotonic() - began <= WITHIN


@pytest.mark.threat("RES-03")
def test_reads_of_the_loop_find_it_too(watched: Watched) -> None:
    """The second level of the cache of answers has a line to the new master by itself."""

    async def story() -> list[bytes | None] | None:
        reads = RedisReads(watched.url, asyncio.get_running_loop())
        reads.start()
        try:
            with closing(RedisStore(watched.url)) as store:
                store.put("key", b"value", 600)
            await happens(lambda: reads.ready)
            assert await asked(reads) == [b"value"]
            replicated(watched, "key")
            await asyncio.to_thread(watched.fail_over)
            deadline = time.monotonic() + WITHIN
            while time.monotonic() < deadline:
                if (found := await asked(reads)) is not None:
                    return found
                await asyncio.sleep(0.05)
            return None
        finally:
            reads.close()

    assert asyncio.run(story()) == [b"value"]


async def happens(question: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + WITHIN
    while not question():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def asked(reads: RedisReads) -> list[bytes | None] | None:
    """One read; None where nobody answers."""
    answer: asyncio.Future[list[bytes | None] | None] = asyncio.get_running_loop().create_future()

    def done(values: list[bytes | None] | None) -> None:
        if not answer.done():
            answer.set_result(values)

    if not reads.get_many(["key"], done):
        return None
    return await answer


def test_lessons_go_on(watched: Watched) -> None:
    """The stream that nodes share a model by has its name and its numbers on the new master too."""
    with closing(EventStream(watched.url, "lessons")) as stream:
        assert stream.append("", "born", [b"one"], 100) == 1
        with watched.client() as client:
            assert client.wait(1, 5_000) == 1
        watched.fail_over()
        numbers: list[int] = []

        def again() -> bool:
            with suppress(StoreError):
                numbers.append(stream.append("born", "", [b"two"], 100))
            return bool(numbers)

        wait_until(again, "a lesson that is taken", WITHIN)
        assert numbers == [2]
        assert [event for _, event in stream.after(0, 10).entries] == [b"one", b"two"]


@pytest.mark.threat("RES-03")
def test_no_sentinel_answers(watched: Watched, tmp_path: Path) -> None:
    """A store whose Sentinels are all gone is one that does not answer, and costs no more than that."""
    with closing(open_store("redis+sentinel://127.0.0.1:1,127.0.0.1:2/filterd", tmp_path)) as store:
        began = time.monotonic()
        with pytest.raises(StoreError):
            store.get_many(["key"])
        assert time.monotonic() - began < WITHIN
    assert watched.master
