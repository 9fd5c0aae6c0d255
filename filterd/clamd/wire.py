"""One INSTREAM exchange with clamd."""

import os
import re
import select
import socket
from contextlib import suppress
from typing import Final

from filterd.config.listen import Listen
from filterd.model.message import RawMessage
from filterd.scanners.sockets import OPENING, ScannerError, ScannerRefusedError, connected, shown, wait

CHUNK: Final = 1 << 20  # bytes announced at once; clamd's StreamMaxLength is far above it
MAX_REPLY: Final = 1_024  # bytes; a signature's name has some dozens
_REPLY: Final = re.compile(rb"stream: (?:(?P<clean>OK)|(?P<virus>[^\r\n\x00]{1,900}) FOUND)\n?")


def instream(address: Listen, message: RawMessage, deadline: float) -> str:
    """Ask; the name of the signature that the message has, empty where it has none. ScannerError.

    Blocks until `deadline` (of time.monotonic) at most.
    """
    try:
        with connected(address, deadline) as sock:
            try:
                _send(sock, message, deadline)
            except (BrokenPipeError, ConnectionResetError) as error:
                # It may have said why before it hung up: where the message is above its StreamMaxLength.
                reply = b""
                with suppress(OSError, ScannerError):
                    reply = _receive(sock, deadline)
                if not reply:
                    raise ScannerError("it closed the connection while the message was sent") from error
                return read_reply(reply)
            return read_reply(_receive(sock, deadline))
    except OSError as error:
        raise ScannerError(error.strerror or type(error).__name__) from None


def ping(address: Listen, deadline: float) -> None:
    """Ask whether it lives, which it answers however busy it is with messages. ScannerError where it does not."""
    try:
        with connected(address, deadline) as sock:
            _write(sock, b"zPING\0", deadline)
            reply = _receive(sock, deadline)
    except OSError as error:
        raise ScannerError(error.strerror or type(error).__name__) from None
    if reply != b"PONG":
        raise ScannerError(f"it answered what nobody understands: {shown(reply)}")


def read_reply(reply: bytes) -> str:
    """The signature's name in printable ASCII, empty for `stream: OK`. ScannerError for everything else."""
    found = _REPLY.fullmatch(reply)
    if found is None:
        text = shown(reply)
        if reply.rstrip(b"\n").endswith(b" ERROR"):
            raise ScannerRefusedError(f"it answered: {text}")
        raise ScannerError(f"it answered what nobody understands: {text}")
    return "" if found["clean"] else shown(found["virus"]) or "?"


def _send(sock: socket.socket, message: RawMessage, deadline: float) -> None:
    """Command, message, end: each chunk behind its length in four bytes, the end is a chunk of none."""
    head = OPENING + message.header_block()
    start = b"zINSTREAM\0" + len(head).to_bytes(4, "big") + head
    _write(sock, start, deadline)
    for at in range(0, message.body_size, CHUNK):
        size = min(CHUNK, message.body_size - at)
        _write(sock, size.to_bytes(4, "big"), deadline)
        _pour(sock, message.body_fd, at, at + size, deadline)
    _write(sock, bytes(4), deadline)


def _write(sock: socket.socket, data: bytes, deadline: float) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[sock.send(view) :]
        except BlockingIOError:
            wait(sock, select.POLLOUT, deadline)


def _pour(sock: socket.socket, fd: int, at: int, end: int, deadline: float) -> None:
    """Send the bytes from `at` to `end` of the descriptor, past Python."""
    while at < end:
        try:
            sent = os.sendfile(sock.fileno(), fd, at, end - at)
        except BlockingIOError:
            wait(sock, select.POLLOUT, deadline)
            continue
        if sent == 0:
            raise ScannerError("the message is shorter than it was")
        at += sent


def _receive(sock: socket.socket, deadline: float) -> bytes:
    """The reply up to the NUL that ends it, or to the end of the connection."""
    reply = b""
    while len(reply) <= MAX_REPLY:
        try:
            more = sock.recv(MAX_REPLY)
        except BlockingIOError:
            wait(sock, select.POLLIN, deadline)
            continue
        reply += more
        if not more or b"\0" in more:
            return reply.partition(b"\0")[0]
    raise ScannerError("its answer is too long")
