"""How long one request may wait for shared state, over everybody who asks for it."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Final

# Seconds from its first question in which a request may begin to ask. A question takes TIMEOUT (150 ms) at most, so a
# request waits for 200 ms at most however many questions it has; a healthy store has answered all of them in 2 ms.
BEGIN: Final = 0.05
TIRED: Final = 0.2  # seconds for which it counts what a thread has waited for in vain


class Patience:
    """Each thread serves one request at a time. Thread-safe."""

    def __init__(self, *, begin: float = BEGIN, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._begin = begin
        self._clock = clock
        self._local = threading.local()

    def left(self, request: Hashable) -> bool:
        """Whether this request may still ask; its time begins with its first question.

        What its thread has waited for in vain before that counts: the request was what it waited for.
        """
        local, now = self._local, self._clock()
        if getattr(local, "request", None) != request:
            tired = now - getattr(local, "failed", float("-inf")) < TIRED
            local.request, local.started = request, now - TIRED if tired else now
            local.failed = float("-inf")
        return bool(now - local.started <= self._begin)

    def failed(self, seconds: float) -> None:
        """A store has kept this thread waiting so long in vain: if that was long, its request has waited enough."""
        if seconds > self._begin:
            self._local.failed = self._clock()

    def done(self) -> None:
        """This request has asked what it may ask: what failed belongs to it, and not to the next one."""
        self._local.failed = float("-inf")
