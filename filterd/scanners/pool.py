"""Threads that ask a scanner while others read the message."""

import os
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Final

import structlog

from filterd.model.message import RawMessage
from filterd.model.scanning import Scanned
from filterd.scanners.sockets import ScannerError, ScannerRefusedError
from filterd.store import Breaker
from filterd.telemetry.events import Event

CONNECTIONS: Final = 4  # of one front at once
PING_SECONDS: Final = 1.0  # for a sign of life: it costs a scanner nothing
LATE: Final = 0.2  # seconds that an answer may come after its deadline: the thread says why itself
_log = structlog.get_logger()


class ScannerPool:
    """Asks one scanner. Make it after the fork, in the front itself: threads start with the first message."""

    def __init__(
        self,
        name: str,
        *,
        seconds: float,
        most: int,
        ask: Callable[[RawMessage, float], str],
        call: Callable[[float], None],
        events: tuple[Event, Event],
    ) -> None:
        """`seconds` is how long a message may take, `most` the bytes of the largest one that is sent.

        `ask` gives what the scanner calls a message by a deadline, empty where it finds nothing; `call` asks for a sign
        of life. Both raise ScannerError. `name` is its table of the configuration, and `events` say that it fails and
        that it is back.
        """
        self._name = name
        self._seconds = seconds
        self._most = most
        self._ask = ask
        self._call = call
        self._failing_event, self._returned_event = events
        self._breaker = Breaker()
        self._failing = False
        self._threads = ThreadPoolExecutor(CONNECTIONS, name)

    def begin(self, message: RawMessage, deadline: float) -> Callable[[], Scanned]:
        """Start to ask; what is given back waits for the answer, at most until `deadline` (monotonic)."""
        if message.body_size > self._most:
            return _known(f"the message is larger than [{self._name}] max_size = {self._most}")
        if not self._breaker.allow():
            return _known(f"{self._name} does not answer")
        deadline = min(deadline, time.monotonic() + self._seconds)
        # A descriptor of its own: the message's may be closed, and its number be another's, while a late thread reads.
        try:
            fd = os.dup(message.body_fd)
        except OSError as error:
            return _known(f"{self._name} cannot be asked: {error.strerror}")
        try:
            future = self._threads.submit(self._scan, replace(message, body_fd=fd), deadline)
        except RuntimeError:  # it is at its end
            os.close(fd)
            return _known(f"{self._name} is no longer asked")
        future.add_done_callback(lambda _: os.close(fd))
        return lambda: _awaited(future, deadline, self._name)

    def close(self) -> None:
        """Ask nobody any more; what is under way ends at its own deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _scan(self, message: RawMessage, deadline: float) -> Scanned:
        if time.monotonic() >= deadline:
            return Scanned(cause=f"too many messages wait for {self._name}")
        try:
            virus = self._ask(message, deadline)
        except ScannerRefusedError as error:
            self._works()
            return Scanned(cause=f"{self._name}: {error}")
        except ScannerError as error:
            self._failed(str(error))
            return Scanned(cause=f"{self._name}: {error}")
        except Exception as error:  # noqa: BLE001  # the border of a thread: a bug is no answer, and ends no message
            _log.exception(Event.CHECK_CRASHED, check=self._name)
            return Scanned(cause=f"{self._name} could not be asked: {type(error).__name__}")
        self._works()
        return Scanned(virus)

    def _works(self) -> None:
        self._breaker.success()
        if self._failing:
            self._failing = False
            _log.warning(self._returned_event)

    def _failed(self, cause: str) -> None:
        """Whoever sends a message may have made it slow to scan: what counts is whether the scanner lives."""
        try:
            self._call(time.monotonic() + PING_SECONDS)
        except ScannerError:
            self._fails(cause)
        else:
            self._works()

    def _fails(self, cause: str) -> None:
        self._breaker.failure()
        if self._breaker.open and not self._failing:
            self._failing = True
            _log.error(self._failing_event, cause=cause)


def _known(cause: str) -> Callable[[], Scanned]:
    return lambda: Scanned(cause=cause)


def _awaited(future: Future[Scanned], deadline: float, name: str) -> Scanned:
    with suppress(TimeoutError, CancelledError):
        return future.result(max(0.0, deadline - time.monotonic()) + LATE)
    future.cancel()
    return Scanned(cause=f"{name}: no answer in time")
