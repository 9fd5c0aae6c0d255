"""How long one request may wait for shared state, over everybody who asks for it."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Final

# Seconds from its first question in which a request may begin to ask. A question takes TIMEOUT (150 ms) at most, so a
# request waits for 200 ms at most however many questions it has; a healthy store has answered all of them in 2 ms.
BEGIN: Final = 0.05
TIRED: Final = 0.2  # seconds in which a thread asks for no further request after a store kept it waiting


class Patience:
    """Each thread serves one request at a time. Thread-safe."""

    def __init__(self, *, begin: float = BEGIN, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._begin = begin
        self._clock = clock
        self._local = threading.local()

    def left(self, request: Hashable) -> bool:
        """Whether this request may still ask; its time begins with its first question."""
        now = self._clock()
        if getattr(self._local, "request", None) != request:
            self._local.request, self._local.started = request, now
        if now - getattr(self._local, "failed", float("-inf")) < TIRED:
            return False
        return bool(now - self._local.started <= self._begin)

    def failed(self, seconds: float) -> None:
        """A store has kept this thread waiting so long in vain: if that was long, its request has waited enough."""
        if seconds > self._begin:
            self._local.failed = self._clock()
