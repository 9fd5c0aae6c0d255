"""Lines into a pipe that nobody reads, that somebody reads again, and whose reader has gone."""

import fcntl
import os
import socket
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest

from filterd.telemetry.lines import PIECE, Lines

SIZE = 16 * PIECE  # bytes the pipe holds


@pytest.fixture
def pipe() -> Iterator[tuple[int, BinaryIO]]:
    """A pipe: the reader's descriptor, which does not block, and the writer's stream, which does."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, SIZE)
    stream = os.fdopen(writer, "wb", buffering=0)
    yield reader, stream
    stream.close()
    os.close(reader)


def drained(reader: int) -> bytes:
    """All that is in the pipe."""
    found = b""
    while True:
        try:
            piece = os.read(reader, SIZE)
        except BlockingIOError:
            return found
        if not piece:
            return found
        found += piece


@pytest.mark.threat("RES-06")
def test_a_reader_that_sleeps(pipe: tuple[int, BinaryIO]) -> None:
    """Lines that find no room are lost whole; the first that finds some is there, and the number lost is told once."""
    reader, stream = pipe
    told: list[int] = []
    lines = Lines(stream, told.append)
    line = b"x" * 1_000 + b"\n"
    for _ in range(100):
        lines.msg(line)
    before = drained(reader)
    lines.msg(b"back\n")
    lines.msg(b"again\n")
    assert before == line * (len(before) // len(line))
    assert told == [100 - len(before) // len(line)]
    assert drained(reader) == b"back\nagain\n"


@pytest.mark.threat("RES-06")
def test_a_line_that_is_cut(pipe: tuple[int, BinaryIO]) -> None:
    """A line larger than the room left is cut; the next one stands on a line of its own."""
    reader, stream = pipe
    lines = Lines(stream)
    lines.msg(b"y" * 2 * SIZE + b"\n")
    assert set(drained(reader)) == {ord("y")}
    lines.msg(b"next\n")
    lines.msg(b"last\n")
    assert drained(reader) == b"\nnext\nlast\n"


@pytest.mark.threat("RES-06")
def test_a_reader_that_goes() -> None:
    """Lines for a reader that has gone are lost, and nobody is told but by counting on."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb", buffering=0) as stream:
        told: list[int] = []
        lines = Lines(stream, told.append)
        os.close(reader)
        for _ in range(3):
            lines.msg(b"z\n")
    assert told == []


@pytest.mark.integration
@pytest.mark.threat("RES-06")
def test_a_journal_that_is_stopped() -> None:
    """A stream socket, as journald's is, whose other end reads nothing: lines are lost, and told of once it does."""
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SIZE)
        reader.setblocking(False)
        told: list[int] = []
        with os.fdopen(os.dup(writer.fileno()), "wb", buffering=0) as stream:
            lines = Lines(stream, told.append)
            line = b"x" * 1_000 + b"\n"
            for _ in range(1_000):
                lines.msg(line)
            before = drained(reader.fileno())
            lines.msg(b"back\n")
            assert before == line * (len(before) // len(line))
            assert told == [1_000 - len(before) // len(line)]
            assert drained(reader.fileno()) == b"back\n"
            assert writer.getblocking()  # others have it, too


@pytest.mark.threat("RES-06")
def test_a_full_disk(tmp_path: Path) -> None:
    """ENOSPC costs lines, raises nothing, and their number is told once there is room."""
    told: list[int] = []
    with (tmp_path / "log").open("wb", buffering=0) as stream:
        lines = Lines(stream, told.append)
        lines.msg(b"first\n")
        kept = os.dup(stream.fileno())
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, stream.fileno())
        for _ in range(5):
            lines.msg(b"lost\n")
        os.dup2(kept, stream.fileno())
        lines.msg(b"back\n")
        os.close(full)
        os.close(kept)
    assert (tmp_path / "log").read_bytes() in (b"first\nback\n", b"first\n\nback\n")
    assert told == [5]


def test_other_descriptors_keep_their_flags(pipe: tuple[int, BinaryIO]) -> None:
    """The stream that was handed in, which other processes share, goes on to block."""
    _, stream = pipe
    Lines(stream).msg(b"x\n")
    assert os.get_blocking(stream.fileno())


def test_streams_without_a_descriptor() -> None:
    """A stream in memory takes lines too."""
    stream = BytesIO()
    Lines(stream).msg(b"x\n")
    assert stream.getvalue() == b"x\n"
