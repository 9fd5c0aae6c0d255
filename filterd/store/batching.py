"""Work that may be done a little later, many pieces at once, by one thread of the process."""

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

T = TypeVar("T")

INTERVAL: Final = 0.05  # seconds that items are collected: at most twenty wake-ups of the thread a second
MAX_BATCH: Final = 1_000  # items handed over at once
CLOSE_WAIT: Final = 5.0  # seconds that `close` gives a thread which is in the middle of a batch


class Batcher(Generic[T]):
    """A bounded queue and the thread that empties it, started at the first item in the process that offers it.

    Counters, for metrics: `dropped` items found the queue full or closed, `failed` ones were handed over and not
    written; `last_error` says why.
    """

    def __init__(
        self, name: str, write: Callable[[Sequence[T]], int], *, interval: float = INTERVAL, most: int = 10_000
    ) -> None:
        """`write` gets the items in order and returns how many it could not write; it may raise."""
        self.dropped = 0
        self.failed = 0
        self.last_error = ""
        self._name = name
        self._write = write
        self._interval = interval
        self._most = most
        self._reset()

    def _reset(self) -> None:
        """Begin empty: in a new process the queue belongs to the parent, and the thread does not exist."""
        self._pid = os.getpid()
        self._queue: deque[T] = deque()
        self._starting = threading.Lock()
        self._writing = threading.Lock()
        self._work = threading.Event()
        self._closing = threading.Event()
        self._awake = False
        self._thread: threading.Thread | None = None

    def offer(self, item: T) -> None:
        """Take the item, or count it as dropped. Never waits, never raises."""
        if self._pid != os.getpid():
            self._reset()
        if len(self._queue) >= self._most or self._closing.is_set():
            self.dropped += 1
            return
        self._queue.append(item)
        if not self._awake:
            self._wake()

    def _wake(self) -> None:
        with self._starting:
            self._awake = True
            self._work.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._work.wait()
            self._closing.wait(self._interval)
            # Cleared before the queue is emptied: an item that comes meanwhile sets it again.
            self._work.clear()
            self._awake = False
            self.flush()

    def flush(self) -> None:
        """Write what is queued now, in this thread."""
        if self._pid != os.getpid():
            self._reset()
        with self._writing:
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(MAX_BATCH, len(self._queue)))]
                try:
                    self.failed += self._write(batch)
                except Exception as error:  # noqa: BLE001  # border: the thread must live on, the loss is counted
                    self.failed += len(batch)
                    self.last_error = f"{type(error).__name__}: {error}"

    def close(self) -> None:
        """Write what is queued and stop; items offered later are dropped."""
        if self._pid != os.getpid():
            self._reset()
        self._closing.set()
        self._work.set()
        if self._thread is not None:
            self._thread.join(CLOSE_WAIT)
        self.flush()
