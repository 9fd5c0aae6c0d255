"""A circuit breaker: after a row of failures nobody waits for a dead server, but one caller a second who tries."""

import threading
import time
from collections.abc import Callable
from typing import Final

OPENS_AFTER: Final = 5  # failures in a row
PROBE_EVERY: Final = 1.0  # seconds between two tries while open


class Breaker:
    """Thread-safe. Ask `allow` before a call and tell `success` or `failure` after it."""

    def __init__(
        self,
        *,
        opens_after: int = OPENS_AFTER,
        probe_every: float = PROBE_EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` counts seconds and never goes back."""
        self._opens_after = opens_after
        self._probe_every = probe_every
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._next_probe = 0.0
        self.on_change: Callable[[bool], None] = lambda _open: None  # told when it opens (True) and closes

    @property
    def open(self) -> bool:
        """True while calls are refused."""
        return self._failures >= self._opens_after

    def allow(self) -> bool:
        """Whether a call may be made now; while open, True for one caller per interval."""
        if self._failures < self._opens_after:  # read without the lock: this is the way of every healthy call
            return True
        with self._lock:
            now = self._clock()
            if self.open and now < self._next_probe:
                return False
            self._next_probe = now + self._probe_every
            return True

    def success(self) -> None:
        """The call was answered: closed again."""
        if self._failures:
            with self._lock:
                was_open, self._failures = self.open, 0
            if was_open:
                self.on_change(False)

    def failure(self) -> None:
        """The call was not answered."""
        with self._lock:
            self._failures += 1
            opened = self._failures == self._opens_after
            if self.open:
                self._next_probe = self._clock() + self._probe_every
        if opened:
            self.on_change(True)
