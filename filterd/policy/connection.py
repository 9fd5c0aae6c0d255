"""One connection from the MTA: many requests, answered one after the other."""

from asyncio import AbstractEventLoop, BaseTransport, Protocol, Transport
from collections import deque
from collections.abc import Callable
from typing import Final, cast

import structlog

from filterd.policy.codec import Decoder, PolicyProtocolError, Request
from filterd.policy.messages import Messages
from filterd.policy.service import PolicyService
from filterd.telemetry.events import Event

READ_SECONDS: Final = 10.0  # from a request's first byte to its last; Postfix writes it at once
MAX_WAITING: Final = 100  # requests read and not yet answered; Postfix waits for each answer before it asks again
IDLE_SECONDS: Final = 1_200.0  # without a request; Postfix itself closes after 300 s, and any after 1,000 s
_log = structlog.get_logger()


class Connection(Protocol):
    """asyncio's side of a connection. All of it runs in the loop's thread."""

    def __init__(self, service: PolicyService, loop: AbstractEventLoop, gone: Callable[["Connection"], None]) -> None:
        """`gone` is told when the connection is closed, by whomever."""
        self._service = service
        self._loop = loop
        self._gone = gone
        self._transport: Transport | None = None
        self._decoder = Decoder()
        self._messages = Messages()
        self._waiting: deque[Request] = deque()
        self._busy = False
        self._stepping = False
        self._retired = False
        self._since = loop.time()  # the first byte of the request that has begun, or the last answer

    @property
    def busy(self) -> bool:
        """Whether a request is being read, waits or is at work."""
        return self._busy or bool(self._waiting) or self._decoder.within

    def connection_made(self, transport: BaseTransport) -> None:
        """It is there."""
        self._transport = cast("Transport", transport)  # a stream's, though uvloop's class does not say so
        self._service.counters.policy_connection(1)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # why does not matter
        """It is gone: what is at work is finished for nobody."""
        self._transport = None
        self._waiting.clear()
        self._messages.look_ahead(None)
        self._service.counters.policy_connection(-1)
        self._gone(self)

    def data_received(self, data: bytes) -> None:
        """Take requests as they come, in any pieces."""
        begun = self._decoder.within
        try:
            found = self._decoder.receive(data)
        except PolicyProtocolError as error:
            self._fail("protocol", str(error))
            return
        if found or not begun:
            self._since = self._loop.time()
        self._waiting += found
        if len(self._waiting) > MAX_WAITING:
            self._fail("protocol", f"more than {MAX_WAITING} requests without waiting for an answer")
            return
        self._next()

    def pause_writing(self) -> None:
        """Whoever does not read its answers is asked nothing new."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def look(self) -> None:
        """Once a second: close what has begun a request and does not end it, and what is forgotten."""
        silent = self._loop.time() - self._since
        if self._decoder.within and not self._busy and silent > READ_SECONDS:
            self._fail("timeout", f"a request was not complete within {READ_SECONDS:g} s")
        elif not self.busy and silent > IDLE_SECONDS:
            self.close()

    def retire(self) -> None:
        """Close as soon as nothing is at work; Postfix connects anew when it has the next question."""
        self._retired = True
        if not self.busy:
            self.close()

    def close(self) -> None:
        """Close it, what was answered is still sent."""
        if self._transport is not None:
            self._transport.close()

    def _next(self) -> None:
        """Answer what waits, as far as that does not have to wait itself."""
        if self._stepping:
            return
        self._stepping = True
        while self._waiting and not self._busy and self._transport is not None:
            self._busy = True
            self._service.ask(self._waiting.popleft(), self._messages, self._answered)
        self._stepping = False

    def _answered(self, reply: bytes | None) -> None:
        self._busy = False
        self._since = self._loop.time()
        if self._transport is None:
            return
        if reply is None:
            self._transport.abort()
            return
        self._transport.write(reply)
        if self._retired and not self.busy:
            self.close()
        else:
            self._next()

    def _fail(self, kind: str, cause: str) -> None:
        """No answer: log and hang up."""
        self._service.counters.policy_failed(kind)
        _log.warning(Event.POLICY_FAILED, cause=cause)
        self._waiting.clear()
        if self._transport is not None:
            self._transport.abort()
