"""Frames. Invariant: any bytes in any chunks give a frame or a FrameError, no other error, and leak no descriptor."""

import os
import socket
import struct
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.ipc.frames import (
    MAX_FRAME,
    Frame,
    FrameClosedError,
    FrameError,
    FrameTimeoutError,
    close_all,
    recv_frame,
    recv_frame_with_fds,
    send_frame,
)

Pair = tuple[socket.socket, socket.socket]


class Chunks:
    """A socket that gives these chunks one by one, and then the end."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        """An empty chunk would be the end: they are left out."""
        self._chunks = [chunk for chunk in chunks if chunk]

    def settimeout(self, seconds: float | None) -> None:
        """Never waits."""

    def recv(self, most: int) -> bytes:
        """The next chunk or what there is room for."""
        if not self._chunks:
            return b""
        chunk = self._chunks.pop(0)
        if len(chunk) > most:
            self._chunks.insert(0, chunk[most:])
        return chunk[:most]

    def recv_into(self, view: memoryview) -> int:
        """The same into a buffer."""
        data = self.recv(len(view))
        view[: len(data)] = data
        return len(data)

    def recvmsg(self, most: int, _room: int, _flags: int) -> tuple[bytes, list[object], int, None]:
        """The same without descriptors."""
        return self.recv(most), [], 0, None


def receivers(chunks: Sequence[bytes]) -> Iterator[Callable[[], Frame]]:
    """Both ways to receive, each from a socket of its own."""
    yield lambda: recv_frame(cast("socket.socket", Chunks(chunks)))
    yield lambda: recv_frame_with_fds(cast("socket.socket", Chunks(chunks)), 1)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data in pieces."""
    ends = sorted({place % (len(data) + 1) for place in places})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


def wire(kind: int, payload: bytes) -> bytes:
    """A frame as it stands on the wire."""
    return struct.pack(">IB", len(payload), kind) + payload


def open_descriptors() -> list[str]:
    """What this process has open."""
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())[:-1]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends of a stream."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_in_any_chunks(data: bytes, places: list[int]) -> None:
    """A frame that stands at the beginning of the bytes, or a FrameError."""
    for receive in receivers(cut(data, places)):
        try:
            frame = receive()
        except FrameError:
            continue
        assert data.startswith(wire(frame.kind, bytes(frame.payload)))
        assert frame.fds == ()


@given(st.integers(0, 255), st.binary(max_size=300), st.lists(st.integers(0, 310), max_size=8))
def test_a_frame_arrives_in_any_chunks(kind: int, payload: bytes, places: list[int]) -> None:
    """A stream may cut anywhere, in the header too."""
    for receive in receivers(cut(wire(kind, payload), places)):
        frame = receive()
        assert (frame.kind, bytes(frame.payload)) == (kind, payload)


def test_byte_by_byte() -> None:
    """The smallest chunks there are."""
    data = wire(7, b"payload")
    for receive in receivers([bytes([byte]) for byte in data]):
        assert bytes(receive().payload) == b"payload"


def test_a_frame_that_claims_too_much_is_refused_at_once() -> None:
    """Nothing is allocated or waited for."""
    for length in (MAX_FRAME + 1, 0xFFFFFFFF):
        for receive in receivers([struct.pack(">IB", length, 1)]):
            with pytest.raises(FrameError, match="over the limit"):
                receive()


def test_the_largest_frame_passes_and_one_byte_more_is_not_sent(pair: Pair) -> None:
    """Both sides hold to the same bound."""
    ours, theirs = pair
    payload = os.urandom(1_000) * (MAX_FRAME // 1_000)
    sender = threading.Thread(target=send_frame, args=(ours, 3, payload))
    sender.start()
    frame = recv_frame(theirs)
    sender.join()
    assert (frame.kind, bytes(frame.payload) == payload) == (3, True)
    with pytest.raises(FrameError, match="over the limit"):
        send_frame(ours, 3, bytes(MAX_FRAME + 1))
    ours.close()
    assert theirs.recv(1) == b""


def test_a_byte_too_many_is_an_error(pair: Pair) -> None:
    """A conversation is question and answer: nothing may follow unasked."""
    ours, theirs = pair
    ours.sendall(wire(1, b"x") + b"y")
    with pytest.raises(FrameError, match="behind the frame"):
        recv_frame(theirs)


@pytest.mark.parametrize("data", [b"", b"\0\0", wire(1, b"payload")[:-1], wire(1, b"x" * 100_000)[:90_000]])
def test_an_end_in_the_middle_is_a_closed_frame(pair: Pair, data: bytes) -> None:
    """Before the header, within it, within the content, behind the first read."""
    ours, theirs = pair
    ours.sendall(data)
    ours.close()
    with pytest.raises(FrameClosedError) as caught:
        recv_frame(theirs)
    assert not caught.value.untouched


def test_who_was_gone_before_has_read_nothing(pair: Pair) -> None:
    """A question to the dead is known to be unread, and may be put to another."""
    ours, theirs = pair
    theirs.close()
    with pytest.raises(FrameClosedError) as caught:
        send_frame(ours, 1, b"x")
    assert caught.value.untouched


def test_a_reset_says_that_the_question_was_not_read(pair: Pair) -> None:
    """Who was killed with it in the buffer has not seen it; who had read it has."""
    ours, theirs = pair
    ours.sendall(b"unread")
    theirs.close()
    with pytest.raises(FrameClosedError) as caught:
        recv_frame(ours)
    assert caught.value.untouched


def test_a_closed_socket_of_our_own_is_a_closed_frame(pair: Pair) -> None:
    """Another thread closed it."""
    ours, _ = pair
    ours.close()
    with pytest.raises(FrameClosedError):
        recv_frame(ours)
    with pytest.raises(FrameClosedError):
        recv_frame_with_fds(ours, 1)


def test_silence_ends_with_the_deadline(pair: Pair) -> None:
    """Whether nothing came or a piece."""
    ours, theirs = pair
    for _ in range(2):
        with pytest.raises(FrameTimeoutError):
            recv_frame(theirs, deadline=0.02, clock=lambda: 0.0)
        ours.sendall(b"\0")


def test_a_frame_that_drips_ends_with_the_deadline() -> None:
    """Each byte in time does not renew it."""
    ticks = iter(range(100))
    chunks = Chunks([bytes([byte]) for byte in wire(1, b"x" * 50)])
    with pytest.raises(FrameTimeoutError):
        recv_frame(cast("socket.socket", chunks), deadline=20, clock=lambda: float(next(ticks)))


def test_a_deadline_that_has_passed_is_not_waited_for(pair: Pair) -> None:
    """Neither to send nor to receive."""
    ours, theirs = pair
    ours.sendall(wire(1, b"x"))
    with pytest.raises(FrameTimeoutError):
        send_frame(ours, 1, b"", deadline=1.0, clock=lambda: 1.0)
    with pytest.raises(FrameTimeoutError):
        recv_frame(theirs, deadline=1.0, clock=lambda: 1.0)
    with pytest.raises(FrameTimeoutError):
        recv_frame_with_fds(theirs, 1, deadline=1.0, clock=lambda: 1.0)


def test_who_does_not_read_is_not_waited_for_beyond_the_deadline(pair: Pair) -> None:
    """A full buffer is a timeout."""
    ours, _ = pair
    with pytest.raises(FrameTimeoutError):
        send_frame(ours, 1, bytes(2_000_000), deadline=0.02, clock=lambda: 0.0)


def test_descriptors_pass_and_do_not_outlive_an_exec(pair: Pair) -> None:
    """The receiver owns a copy of its own."""
    ours, theirs = pair
    reader, writer = os.pipe()
    send_frame(ours, 1, b"x", fds=(writer,))
    os.close(writer)
    frame = recv_frame_with_fds(theirs, 1)
    assert [os.get_inheritable(fd) for fd in frame.fds] == [False]
    os.write(frame.fds[0], b"through")
    assert os.read(reader, 100) == b"through"
    close_all((*frame.fds, reader))


@pytest.mark.parametrize("count", [2, 3, 200])
def test_more_descriptors_than_agreed_are_an_error_and_closed(pair: Pair, count: int) -> None:
    """Two fit where there is room for one, as the kernel rounds up."""
    ours, theirs = pair
    before = open_descriptors()
    ours.sendmsg([wire(1, b"x")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [0] * count))])
    with pytest.raises(FrameError, match="more descriptors"):
        recv_frame_with_fds(theirs, 1)
    assert open_descriptors() == before


@pytest.mark.parametrize("data", [b"\0", b"\xff" * 5, wire(1, b"x") + b"y", wire(1, b"payload")[:-1]])
def test_descriptors_of_a_bad_frame_are_closed(pair: Pair, data: bytes) -> None:
    """Cut short, too long, too much."""
    ours, theirs = pair
    before = open_descriptors()
    ours.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [0]))])
    ours.shutdown(socket.SHUT_WR)
    with pytest.raises(FrameError):
        recv_frame_with_fds(theirs, 1)
    assert open_descriptors() == before


def test_descriptors_of_a_frame_that_comes_too_late_are_closed(pair: Pair) -> None:
    """The deadline passes within the frame."""
    ours, theirs = pair
    before = open_descriptors()
    ours.sendmsg([wire(1, b"payload")[:-1]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [0]))])
    with pytest.raises(FrameTimeoutError):
        recv_frame_with_fds(theirs, 1, deadline=0.02, clock=lambda: 0.0)
    assert open_descriptors() == before


def test_descriptors_that_nobody_asked_for_are_dropped(pair: Pair) -> None:
    """An inspector cannot push files into a front."""
    ours, theirs = pair
    before = open_descriptors()
    send_frame(ours, 1, b"x", fds=(0,) * 100)
    assert recv_frame(theirs).fds == ()
    assert open_descriptors() == before
