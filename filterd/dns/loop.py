"""The thread that runs a front's event loop."""

import asyncio
from collections.abc import Coroutine
from threading import Event, Thread
from typing import Any, Final, TypeVar

import uvloop

T = TypeVar("T")

STOP_TIMEOUT: Final = 5.0  # seconds for the tasks to take their cancellation


class LoopThread:
    """One daemon thread with a uvloop event loop. Make and start it after the fork: threads do not survive one."""

    def __init__(self, name: str = "loop") -> None:
        """Nothing runs yet; `name` is what thread lists show."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._name = name
        self._thread: Thread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop. RuntimeError before start and after stop."""
        if self._loop is None:
            raise RuntimeError("the loop is not running")
        return self._loop

    def start(self) -> None:
        """Start the thread; the loop runs when this returns."""
        if self._thread is not None:
            raise RuntimeError("the loop was started already")
        loop = uvloop.new_event_loop()
        running = Event()
        loop.call_soon(running.set)
        self._thread = Thread(target=self._run, args=(loop,), name=self._name, daemon=True)
        self._thread.start()
        running.wait()
        self._loop = loop

    def call(self, coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run a coroutine in the loop and wait for its result, from another thread. TimeoutError cancels it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise

    def stop(self) -> None:
        """Cancel what still runs, close the loop and end the thread; once more does nothing."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = self._thread = None
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STOP_TIMEOUT)

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        """The thread: run until stopped, then leave nothing behind."""
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks, timeout=STOP_TIMEOUT))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
