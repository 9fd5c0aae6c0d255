"""One frame in, one frame out, with descriptors, by a monotonic deadline."""

import os
import socket
import struct
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

MAX_FRAME: Final = 4_000_000  # bytes; what is in them is cut to fit: decoding takes up to nine times as much memory
FIRST_READ: Final = 64 * 1024  # bytes; nearly every frame arrives whole in one call

_HEADER: Final = struct.Struct(">IB")
_FD_SIZE: Final = array("i").itemsize

Clock: TypeAlias = Callable[[], float]


class FrameError(Exception):
    """The conversation is broken: what came is no frame. Subclasses say how it ended otherwise."""


class FrameClosedError(FrameError):
    """The other side is gone; `untouched` is True where it was gone before it could have read our whole frame."""

    def __init__(self, text: str, *, untouched: bool = False) -> None:
        """Say what was found closed."""
        super().__init__(text)
        self.untouched = untouched


class FrameTimeoutError(FrameError):
    """The deadline passed."""


class Frame(NamedTuple):
    """What came: the receiver owns the descriptors in `fds`."""

    kind: int
    payload: bytes | bytearray | memoryview
    fds: tuple[int, ...] = ()


def _arm(sock: socket.socket, deadline: float | None, clock: Clock) -> None:
    if deadline is None:
        sock.settimeout(None)
        return
    remaining = deadline - clock()
    if remaining <= 0:
        raise FrameTimeoutError("the deadline passed")
    sock.settimeout(remaining)


def send_frame(
    sock: socket.socket,
    kind: int,
    payload: bytes = b"",
    *,
    fds: Sequence[int] = (),
    deadline: float | None = None,
    clock: Clock = time.monotonic,
) -> None:
    """Send one frame; None as deadline waits for ever. FrameError and its subclasses."""
    if len(payload) > MAX_FRAME:
        raise FrameError(f"a frame of {len(payload)} bytes is over the limit of {MAX_FRAME}")
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))] if fds else []
    sent = 0
    try:
        _arm(sock, deadline, clock)
        header = _HEADER.pack(len(payload), kind)
        sent = sock.sendmsg([header, payload], rights)
        if sent == _HEADER.size + len(payload):
            return
        rest = memoryview(header + payload)  # rare: more than the socket's buffer holds
        while sent < len(rest):
            _arm(sock, deadline, clock)
            sent += sock.send(rest[sent:])
    except TimeoutError as error:
        raise FrameTimeoutError("the deadline passed while sending") from error
    except OSError as error:
        raise FrameClosedError(f"sending failed: {error}", untouched=sent == 0) from error


def recv_frame(sock: socket.socket, *, deadline: float | None = None, clock: Clock = time.monotonic) -> Frame:
    """Receive one frame; descriptors that came with it are dropped by the kernel. FrameError and its subclasses."""
    try:
        _arm(sock, deadline, clock)
        return _finish(sock, sock.recv(FIRST_READ), (), deadline, clock)
    except TimeoutError as error:
        raise FrameTimeoutError("the deadline passed while receiving") from error
    except OSError as error:
        raise _reset(error) from error


def recv_frame_with_fds(
    sock: socket.socket, most: int, *, deadline: float | None = None, clock: Clock = time.monotonic
) -> Frame:
    """Receive one frame and up to `most` descriptors (close-on-exec), which are closed again where the frame is bad."""
    fds: tuple[int, ...] = ()
    try:
        _arm(sock, deadline, clock)
        data, ancillary, flags, _ = sock.recvmsg(
            FIRST_READ, socket.CMSG_SPACE(most * _FD_SIZE), socket.MSG_CMSG_CLOEXEC
        )
        fds = _descriptors(ancillary, flags, most)
        return _finish(sock, data, fds, deadline, clock)
    except TimeoutError as error:
        close_all(fds)
        raise FrameTimeoutError("the deadline passed while receiving") from error
    except OSError as error:
        close_all(fds)
        raise _reset(error) from error
    except FrameError:
        close_all(fds)
        raise


def close_all(fds: Sequence[int]) -> None:
    """Close descriptors that came with a frame."""
    for fd in fds:
        os.close(fd)


def _reset(error: OSError) -> FrameClosedError:
    """An error while receiving; unix(7): a reset says that the other side ended without having read all we sent."""
    return FrameClosedError(f"receiving failed: {error}", untouched=isinstance(error, ConnectionResetError))


def _descriptors(ancillary: list[tuple[int, int, bytes]], flags: int, most: int) -> tuple[int, ...]:
    """The descriptors that came; FrameError, and all closed again, where there were more than agreed."""
    fds: list[int] = []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.extend(array("i", data[: len(data) - len(data) % _FD_SIZE]))
    if flags & socket.MSG_CTRUNC or len(fds) > most:  # room for one is room for two: the kernel rounds up
        close_all(fds)
        raise FrameError("more descriptors than agreed")
    return tuple(fds)


def _finish(sock: socket.socket, data: bytes, fds: tuple[int, ...], deadline: float | None, clock: Clock) -> Frame:
    """Read on until the frame that `data` begins is whole."""
    while len(data) < _HEADER.size:
        # An empty read is the end; a header in pieces is legal on a stream.
        if not data:
            raise FrameClosedError("the other side closed")
        _arm(sock, deadline, clock)
        more = sock.recv(_HEADER.size - len(data))
        if not more:
            raise FrameClosedError("the other side closed within a header")
        data += more
    length, kind = _HEADER.unpack_from(data)
    total = _HEADER.size + length
    if length > MAX_FRAME:
        raise FrameError(f"a frame of {length} bytes is over the limit of {MAX_FRAME}")
    if len(data) == total:
        return Frame(kind, memoryview(data)[_HEADER.size :], fds)
    if len(data) > total:
        raise FrameError("bytes behind the frame")
    payload = bytearray(length)
    have = len(data) - _HEADER.size
    payload[:have] = data[_HEADER.size :]
    view = memoryview(payload)
    while have < length:
        _arm(sock, deadline, clock)
        count = sock.recv_into(view[have:])
        if not count:
            raise FrameClosedError("the other side closed within a frame")
        have += count
    return Frame(kind, payload, fds)
