"""Connections to one ICAP service, and what its OPTIONS said, shared by the threads that ask it."""

import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from filterd.config.icap import IcapService
from filterd.icap.exchange import Answer, StaleError, ask, options
from filterd.icap.request import Content
from filterd.icap.verdict import Options
from filterd.model.message import RawMessage
from filterd.scanners import ScannerError, ScannerPool
from filterd.scanners.pool import CONNECTIONS
from filterd.scanners.sockets import connected, left
from filterd.telemetry.events import Event

AFTER: Final = 1.0  # seconds after which OPTIONS are asked again at the earliest where the service's tag changes


@dataclass(frozen=True, slots=True)
class _Known:
    """What OPTIONS said, and when that is too old (monotonic)."""

    options: Options
    asked: float
    until: float


class IcapConnections:
    """Asks about messages, one after the other on each connection. Thread-safe."""

    def __init__(
        self,
        service: IcapService,
        method: str,
        sharers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`sharers` processes ask the same service: each keeps to its share of Max-Connections."""
        self._service = service
        self._method = method
        self._sharers = sharers
        self._clock = clock
        self._changed = threading.Condition()
        self._asking = threading.Lock()
        self._known: _Known | None = None
        self._busy = 0
        self._idle: list[socket.socket] = []
        self._closed = False

    def ask(self, message: RawMessage, deadline: float) -> str:
        """What the service calls the message, empty where it is clean. ScannerError."""
        try:
            known = self._options(deadline)
            self._enter(known, deadline)
            try:
                answer = self._exchange(Content.of(message), known.preview, deadline)
            finally:
                self._leave()
        except OSError as error:
            raise ScannerError(error.strerror or type(error).__name__) from None
        if answer.tag not in ("", known.tag):  # RFC 3507, 4.7: it has become another
            self._forget()
        return answer.virus

    def call(self, deadline: float) -> None:
        """Whether the service lives and can do what it is asked for. ScannerError."""
        options(self._service, self._method, deadline)

    def close(self) -> None:
        """End the connections that nobody uses, and keep none any more."""
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
        for sock in idle:
            sock.close()

    def _options(self, deadline: float) -> Options:
        """As they are known, else asked by one thread while the others wait."""
        if not self._asking.acquire(timeout=left(deadline)):
            raise ScannerError("no answer in time")
        try:
            known = self._known
            now = self._clock()
            if known is None or now >= known.until:
                found = options(self._service, self._method, deadline)
                self._known = known = _Known(found, now, now + found.seconds)
            return known.options
        finally:
            self._asking.release()

    def _forget(self) -> None:
        with self._asking:
            known = self._known
            if known is not None and self._clock() >= known.asked + AFTER:
                self._known = None

    def _enter(self, known: Options, deadline: float) -> None:
        """Wait for a turn: the service may not want so many connections."""
        most = CONNECTIONS if known.connections is None else max(1, known.connections // self._sharers)
        with self._changed:
            if not self._changed.wait_for(lambda: self._busy < most, left(deadline)):
                raise ScannerError("too many messages wait for its connections")
            self._busy += 1

    def _leave(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify()

    def _exchange(self, content: Content, preview: int | None, deadline: float) -> Answer:
        """Over a connection that is there, or a new one where that turns out to be dead."""
        old = self._reused()
        if old is not None:
            with suppress(StaleError):
                return self._over(old, content, preview, deadline)
        return self._over(connected(self._service.address, deadline), content, preview, deadline)

    def _over(self, sock: socket.socket, content: Content, preview: int | None, deadline: float) -> Answer:
        keep = False
        try:
            answer = ask(sock, self._service, self._method, content, preview, deadline)
            keep = answer.reusable
        finally:
            with self._changed:
                if keep and not self._closed:
                    self._idle.append(sock)
                else:
                    sock.close()
        return answer

    def _reused(self) -> socket.socket | None:
        """A connection on which nothing has come since its last answer."""
        while True:
            with self._changed:
                sock = self._idle.pop() if self._idle else None
            if sock is None:
                return None
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            if not poll.poll(0):
                return sock
            sock.close()


class IcapPool(ScannerPool):
    """Asks an ICAP service while others read the message."""

    def __init__(self, service: IcapService, method: str, *, seconds: float, most: int, sharers: int = 1) -> None:
        """`seconds` is how long a message may take, `most` the bytes of the largest one, `sharers` as connections."""
        self._connections = IcapConnections(service, method, sharers)
        super().__init__(
            "icap",
            seconds=seconds,
            most=most,
            ask=self._connections.ask,
            call=self._connections.call,
            events=(Event.ICAP_FAILING, Event.ICAP_RETURNED),
        )

    def close(self) -> None:
        """Ask nobody any more."""
        super().close()
        self._connections.close()
