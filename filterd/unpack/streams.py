"""Compressed streams under an allowance: no more is ever unpacked than may be kept."""

import bz2
import lzma
import re
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Final, Protocol

MAX_STREAMS: Final = 10_000  # behind one another in one file; parallel compressors write one per megabyte
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_SKIPPED: Final = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")  # a frame of user data
_GZIP: Final = b"\x1f\x8b"
_NAMED: Final = 8  # a gzip member's flag
_REPEATED: Final = 1  # a block of one byte that is repeated
_PADDING: Final = re.compile(rb"\0*+")  # between streams: what the tape left, and allowed in xz
_STEP: Final = 4_194_304  # bytes that a machine gives at once: it puts them together from pieces, in a copy
_WINDOW: Final = 4_096  # bytes given to a new stream at first
_LARGEST_WINDOW: Final = 262_144
_MEMORY: Final = 64_000_000  # bytes an xz dictionary may take; presets end at 64 MB


class _Decompressor(Protocol):
    """What bz2 and lzma offer alike."""

    @property
    def eof(self) -> bool:
        """The stream's end was reached."""

    @property
    def unused_data(self) -> bytes:
        """What stood behind it."""

    def decompress(self, data: memoryview | bytes, max_length: int, /) -> bytes:
        """At most `max_length` bytes."""


class StreamError(Exception):
    """The stream is damaged, cut short or of an unknown kind; `partial` is what came out before."""

    def __init__(self, reason: str, partial: bytes | memoryview = b"") -> None:
        """Say what was wrong."""
        super().__init__(reason)
        self.partial = partial


def inflate(data: bytes | memoryview, allowance: int, wbits: int = -15) -> tuple[bytes, int]:
    """Deflated bytes, at most one more than `allowance`, and how many packed ones were used. StreamError."""
    machine = zlib.decompressobj(wbits)
    view = memoryview(data)
    out = BytesIO()
    used = 0
    try:
        while not machine.eof and out.tell() <= allowance and used < len(view):
            piece = view[used : used + _LARGEST_WINDOW]
            _pour(machine, piece, out, allowance)
            used += len(piece) - len(machine.unused_data)
    except zlib.error as error:
        out.close()
        raise StreamError(str(error), _until_broken(data, allowance, wbits)) from error
    if not machine.eof and out.tell() <= allowance:
        raise StreamError("the stream is cut short", out.getvalue())
    return out.getvalue(), used - len(machine.unconsumed_tail)


def _pour(machine: "_Decompressor", piece: memoryview, out: BytesIO, allowance: int) -> None:
    """All that a piece of a stream gives, until one byte more than `allowance` is there. What the machine raises."""
    rest: memoryview | bytes = piece
    while not machine.eof and (most := min(allowance + 1 - out.tell(), _STEP)) > 0:
        content = machine.decompress(rest, most)
        out.write(content)
        if len(content) < most:
            return
        rest = getattr(machine, "unconsumed_tail", b"")  # zlib's; the others keep what they have not used


def _until_broken(data: bytes | memoryview, allowance: int, wbits: int) -> bytes:
    """What a stream gave before it broke, by pieces."""
    machine = zlib.decompressobj(wbits)
    out = BytesIO()
    try:
        for start in range(0, len(data), 4_096):
            out.write(machine.decompress(data[start : start + 4_096], max(allowance - out.tell(), 1)))
            if out.tell() >= allowance:
                break
    except zlib.error:
        pass
    return out.getvalue()


def gunzip(data: bytes | memoryview, allowance: int) -> bytes:
    """All members of a gzip file (RFC 1952, section 2.2), at most one byte more than `allowance`. StreamError."""
    return _streams(lambda: zlib.decompressobj(31), data, allowance, _GZIP)


def bunzip(data: bytes | memoryview, allowance: int) -> bytes:
    """All streams of a bzip2 file, at most one byte more than `allowance`. StreamError."""
    return _streams(bz2.BZ2Decompressor, data, allowance, b"BZh")


def unxz(data: bytes | memoryview, allowance: int) -> bytes:
    """All streams of an xz file, at most one byte more than `allowance`. StreamError."""
    return _streams(lambda: lzma.LZMADecompressor(memlimit=_MEMORY), data, allowance, b"\xfd7zXZ")


def zstd_end(data: bytes | memoryview) -> int:
    """Where the frames of a Zstandard file end (RFC 8878, 3.1): libarchive gives nothing of one with more behind it.

    The data's length where that cannot be told.
    """
    position = 0
    while position + 8 < len(data):
        if _SKIPPED.match(data, position) is not None:
            position += 8 + int.from_bytes(data[position + 4 : position + 8], "little")
            continue
        if data[position : position + 4] != _ZSTD:
            break
        flags = data[position + 4]
        single = flags >> 5 & 1
        # 3.1.1.1: window (unless single), dictionary, content size (one byte at least where single).
        position += 5 + (1 - single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]
        last = 0
        while not last and position + 3 <= len(data):
            block = int.from_bytes(data[position : position + 3], "little")
            last, kind, size = block & 1, block >> 1 & 3, block >> 3
            position += 3 + (1 if kind == _REPEATED else size)
        position += 4 * (flags >> 2 & 1)
    return position if 0 < position < len(data) else len(data)


def _streams(make: Callable[[], _Decompressor], data: bytes | memoryview, allowance: int, magic: bytes) -> bytes:
    """Decode stream after stream, as long as another one begins behind the last."""
    view = memoryview(data)
    out = BytesIO()
    position = 0
    several = False
    for number in range(MAX_STREAMS):
        if out.tell() > allowance or position >= len(view):
            if several:
                raise StreamError("several files in one stream", out.getvalue())
            return out.getvalue()
        if bytes(view[position : position + len(magic)]) != magic:
            raise StreamError("bytes behind the stream", out.getvalue())
        # RFC 1952, 2.3.1: a member that has a name is a file of its own, for which some readers stop.
        several |= number > 0 and magic == _GZIP and position + 3 < len(view) and bool(view[position + 3] & _NAMED)
        machine = make()
        window = _WINDOW
        while not machine.eof and out.tell() <= allowance:
            # What stands behind a stream's end is copied by the machine: small steps keep many short streams linear.
            piece = view[position : position + window]
            if not piece:
                raise StreamError("the stream is cut short", out.getvalue())
            try:
                _pour(machine, piece, out, allowance)
            except (OSError, lzma.LZMAError, zlib.error, EOFError, ValueError) as error:
                raise StreamError(f"{type(error).__name__}: {error}", out.getvalue()) from error
            position += len(piece)
            window = min(window * 2, _LARGEST_WINDOW)
        position -= len(machine.unused_data) if machine.eof else 0
        padding = _PADDING.match(view, position)
        position = padding.end() if padding is not None else position
    raise StreamError("too many streams", out.getvalue())
