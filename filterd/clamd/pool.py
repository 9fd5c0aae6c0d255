"""Threads that ask clamd while others read the message."""

import os
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Final

import structlog

from filterd.clamd.wire import ClamdError, ClamdRefusedError, instream, ping
from filterd.config.listen import Listen
from filterd.model.message import RawMessage
from filterd.model.scanning import Scanned
from filterd.store import Breaker
from filterd.telemetry.events import Event

CONNECTIONS: Final = 4  # of one front at once; clamd scans ten at once as it comes, of all fronts together
PING_SECONDS: Final = 1.0  # it answers at once, from its first thread
LATE: Final = 0.2  # seconds that an answer may come after its deadline: the thread says why itself
_log = structlog.get_logger()


class ClamdPool:
    """Asks clamd. Make it after the fork, in the front itself: threads start with the first message."""

    def __init__(
        self,
        address: Listen,
        seconds: float,
        most: int,
        ask: Callable[[Listen, RawMessage, float], str] = instream,
        call: Callable[[Listen, float], None] = ping,
    ) -> None:
        """`seconds` is how long a message may take, `most` the bytes of the largest one that is sent."""
        self._address = address
        self._seconds = seconds
        self._most = most
        self._ask = ask
        self._call = call
        self._breaker = Breaker()
        self._failing = False
        self._threads = ThreadPoolExecutor(CONNECTIONS, "clamd")

    def begin(self, message: RawMessage, deadline: float) -> Callable[[], Scanned]:
        """Start to ask; what is given back waits for the answer, at most until `deadline` (monotonic)."""
        if message.body_size > self._most:
            return _known(f"the message is larger than [clamd] max_size = {self._most}")
        if not self._breaker.allow():
            return _known("clamd does not answer")
        deadline = min(deadline, time.monotonic() + self._seconds)
        # A descriptor of its own: the message's may be closed, and its number be another's, while a late thread reads.
        try:
            fd = os.dup(message.body_fd)
        except OSError as error:
            return _known(f"clamd cannot be asked: {error.strerror}")
        try:
            future = self._threads.submit(self._scan, replace(message, body_fd=fd), deadline)
        except RuntimeError:  # it is at its end
            os.close(fd)
            return _known("clamd is no longer asked")
        future.add_done_callback(lambda _: os.close(fd))
        return lambda: _awaited(future, deadline)

    def close(self) -> None:
        """Ask nobody any more; what is under way ends at its own deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _scan(self, message: RawMessage, deadline: float) -> Scanned:
        if time.monotonic() >= deadline:
            return Scanned(cause="too many messages wait for clamd")
        try:
            virus = self._ask(self._address, message, deadline)
        except ClamdRefusedError as error:
            self._works()
            return Scanned(cause=f"clamd: {error}")
        except ClamdError as error:
            self._failed(str(error))
            return Scanned(cause=f"clamd: {error}")
        except Exception as error:  # noqa: BLE001  # the border of a thread: a bug is no answer, and ends no message
            _log.exception(Event.CHECK_CRASHED, check="clamd")
            return Scanned(cause=f"clamd could not be asked: {type(error).__name__}")
        self._works()
        return Scanned(virus)

    def _works(self) -> None:
        self._breaker.success()
        if self._failing:
            self._failing = False
            _log.warning(Event.CLAMD_RETURNED)

    def _failed(self, cause: str) -> None:
        """Whoever sends a message may have made it slow to scan: what counts is whether clamd lives."""
        try:
            self._call(self._address, time.monotonic() + PING_SECONDS)
        except ClamdError:
            self._fails(cause)
        else:
            self._works()

    def _fails(self, cause: str) -> None:
        self._breaker.failure()
        if self._breaker.open and not self._failing:
            self._failing = True
            _log.error(Event.CLAMD_FAILING, cause=cause)


def _known(cause: str) -> Callable[[], Scanned]:
    return lambda: Scanned(cause=cause)


def _awaited(future: Future[Scanned], deadline: float) -> Scanned:
    with suppress(TimeoutError, CancelledError):
        return future.result(max(0.0, deadline - time.monotonic()) + LATE)
    future.cancel()
    return Scanned(cause="clamd: no answer in time")
