"""Threads for what waits for the store, so that a front's loop does not."""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class WaitingThreads(Generic[T]):
    """Runs jobs in a few threads, each with a time limit. `run` belongs to the loop's thread, which hears the end."""

    def __init__(self, loop: AbstractEventLoop, threads: int, most: int) -> None:
        """At most `most` jobs at a time, those that wait for a thread included."""
        self._loop = loop
        self._most = most
        self._open = 0
        self._pool = ThreadPoolExecutor(threads, "gates")

    def run(self, job: Callable[[], T], seconds: float, done: Callable[[Future[T] | None], None]) -> None:
        """Have `done` called with the job's future, or with None where it was not done within `seconds`, once."""
        if self._open >= self._most:
            done(None)
            return
        self._open += 1
        waiting = True

        def tell(found: Future[T] | None) -> None:
            nonlocal waiting
            if waiting:
                waiting = False
                timer.cancel()
                done(found)

        def returned() -> None:
            self._open -= 1
            tell(future)

        timer = self._loop.call_later(seconds, tell, None)
        future = self._pool.submit(job)
        future.add_done_callback(lambda _: self._back(returned))

    def close(self) -> None:
        """Take no more; what threads are at ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _back(self, returned: Callable[[], None]) -> None:
        """In a job's thread: the loop has it again."""
        try:
            self._loop.call_soon_threadsafe(returned)
        except RuntimeError:  # the loop is closed: we are stopping
            return
