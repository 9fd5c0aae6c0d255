"""Exchanges with an ICAP service over a socket: OPTIONS, and one message."""

import os
import select
import socket
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from filterd.config.icap import IcapService
from filterd.icap.request import LAST, LAST_OF_ALL, Content, Span, ask_options, begin, chunks
from filterd.icap.response import CONTINUE, NO_CONTENT, ResponseReader
from filterd.icap.verdict import Options, infection, judge, read_options
from filterd.scanners.sockets import ScannerError, connected, wait

PIECE: Final = 65_536  # bytes read at once


class StaleError(ScannerError):
    """The service ended the connection before it answered anything: it may have been an old one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service calls the message, empty where it is clean; its tag; whether the connection can go on."""

    virus: str
    tag: str
    reusable: bool


class Outgoing:
    """What is still to be sent."""

    def __init__(self, fd: int, segments: Iterable[bytes | Span]) -> None:
        """Bytes, and bytes behind the descriptor."""
        self._fd = fd
        self._segments: deque[memoryview | Span] = deque()
        self.add(segments)

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return bool(self._segments)

    def add(self, segments: Iterable[bytes | Span]) -> None:
        """More to be sent."""
        self._segments += [segment if isinstance(segment, tuple) else memoryview(segment) for segment in segments]

    def send(self, sock: socket.socket) -> None:
        """As much as the socket takes. OSError."""
        try:
            while self._segments:
                segment = self._segments[0]
                if isinstance(segment, tuple):
                    sent = os.sendfile(sock.fileno(), self._fd, segment[0], segment[1] - segment[0])
                    if sent == 0:
                        raise ScannerError("the message is shorter than it was")
                    rest: memoryview | Span = (segment[0] + sent, segment[1])
                    over = rest[0] == rest[1]
                else:
                    more = socket.MSG_MORE if len(self._segments) > 1 else 0  # heads and small chunks in one packet
                    rest = segment[sock.send(segment, more) :]
                    over = not rest
                if over:
                    self._segments.popleft()
                else:
                    self._segments[0] = rest
        except BlockingIOError:
            return


def options(service: IcapService, method: str, deadline: float) -> Options:
    """Ask what the service can, over a connection of its own: also its sign of life. ScannerError."""
    reader = ResponseReader()
    try:
        with connected(service.address, deadline) as sock:
            _converse(sock, Outgoing(-1, [ask_options(service)]), reader, deadline)
    except OSError as error:
        raise ScannerError(error.strerror or type(error).__name__) from None
    assert reader.head is not None  # noqa: S101  # it is done
    return read_options(reader.head, method)


def ask(
    sock: socket.socket, service: IcapService, method: str, content: Content, preview: int | None, deadline: float
) -> Answer:
    """Send the message and read what the service says of it. ScannerError; OSError."""
    first = content.size if preview is None else min(preview, content.size)
    last = LAST if preview is None or first < content.size else LAST_OF_ALL
    outgoing = Outgoing(content.message.body_fd, [begin(service, method, content.size, preview)])
    outgoing.add(chunks(content, 0, first, last))
    reader = _reader(content, method)
    _converse(sock, outgoing, reader, deadline)
    if preview is not None and last is LAST and _status(reader) == CONTINUE:
        # RFC 3507, 4.5: the rest comes as if there had been no preview.
        outgoing.add(chunks(content, first, content.size, LAST))
        rest, reader = reader.rest, _reader(content, method)
        reader.feed(rest)
        _converse(sock, outgoing, reader, deadline)
    return _answer(reader, unsent=bool(outgoing))


def _answer(reader: ResponseReader, *, unsent: bool) -> Answer:
    head = reader.head
    assert head is not None  # noqa: S101  # it is done
    virus = judge(head, reader.changed)
    if not virus and unsent:
        raise ScannerError("it answered before it had the whole message")
    if head.status == NO_CONTENT and "body" in head.fields.get("encapsulated", "").replace("null-body", ""):
        raise ScannerError("it announced a body behind 204")
    clean = not virus and not reader.rest and not head.closes
    return Answer(virus, head.fields.get("istag", ""), clean)


def _reader(content: Content, method: str) -> ResponseReader:
    def original(offset: int, size: int) -> bytes:
        found = b""
        for piece in content.pieces(offset, offset + size):
            if isinstance(piece, tuple):
                found += os.pread(content.message.body_fd, piece[1] - piece[0], piece[0])
            else:
                found += piece
        return found

    kind = "res-body" if method == "RESPMOD" else "req-body"
    return ResponseReader(content.size, kind, original, lambda head: bool(infection(head.fields)))


def _status(reader: ResponseReader) -> int:
    return reader.head.status if reader.head is not None else 0


def _converse(sock: socket.socket, outgoing: Outgoing, reader: ResponseReader, deadline: float) -> None:
    """Send and read at the same time: a service may answer before it has everything, and wait to be read."""
    while not reader.done:
        ready = wait(sock, select.POLLIN | (select.POLLOUT if outgoing else 0), deadline)
        if ready & select.POLLOUT:
            try:
                outgoing.send(sock)
            except (BrokenPipeError, ConnectionResetError):
                ready |= select.POLLIN  # it may have said why before it hung up
        if ready & ~select.POLLOUT:
            _read(sock, reader)


def _read(sock: socket.socket, reader: ResponseReader) -> None:
    try:
        data = sock.recv(PIECE)
    except BlockingIOError:
        return
    except ConnectionResetError:
        data = b""
    if data:
        reader.feed(data)
    elif reader.started:
        raise ScannerError("it closed the connection in the middle of its answer")
    else:
        raise StaleError("it closed the connection without an answer")
