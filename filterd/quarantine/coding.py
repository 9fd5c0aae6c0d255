"""Held bytes in less space: zstd frames (RFC 8878), and reading them back without trusting them.

A frame has a checksum, the size of its content in its header, and a window of at most 2 MB. What is read back is
bounded by the size that the ledger or the evidence says: a frame that gives more, less, or not what was put in, that
asks for a larger window or has something behind it, is DamagedError. Digests are of the content, never of a frame.
"""

import io
import sys
from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO, Final

from filterd.model.custody import CustodyError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SUFFIX: Final = ".zst"  # of files and objects that are frames
LEVEL: Final = 3  # zstd's own default: 9 takes three times as long for one more part in a hundred
WINDOW: Final = 23  # log2 of the bytes a frame may have the reader keep: 8 MB, four times what ours need
CHUNK: Final = 256 * 1024  # bytes read, and given back, at once
HEAD: Final = 18  # bytes; RFC 8878, section 3.1.1.1: a frame's magic number and the longest header
_UNKNOWN: Final = "its size is not in its header"


class Coding(IntEnum):
    """What was done to bytes before they were stored."""

    NONE = 0
    ZSTD = 1


class DamagedError(OSError, ValueError):
    """What is stored is not what was held."""


@cache
def _zstd() -> ModuleType:
    """The library. CustodyError where it is not installed: held mail that needs it is not lost then, only shut."""
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415  # most sites never need it
        else:
            from backports import zstd  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise CustodyError(f"quarantine: {error}: what is kept as zstd needs pip install filterd[zstd]") from None
    return zstd


def require(coding: Coding) -> None:
    """CustodyError where this host cannot do it."""
    if coding is Coding.ZSTD:
        _zstd()


def pack(data: bytes) -> bytes:
    """The frame of these bytes."""
    return b"".join(packed((data,), len(data)))


def packed(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The frame of these bytes, as it comes; of `size` bytes altogether, or it is DamagedError."""
    library = _zstd()
    parameter = library.CompressionParameter
    compressor = library.ZstdCompressor(options={parameter.compression_level: LEVEL, parameter.checksum_flag: 1})
    compressor.set_pledged_input_size(size)
    given = 0
    try:
        for chunk in chunks:
            given += len(chunk)
            if piece := compressor.compress(chunk):
                yield piece
        yield compressor.flush()
    except library.ZstdError as error:
        raise DamagedError(f"not {size} bytes: {error}") from None
    if given != size:  # the library lets nothing at all pass for anything
        raise DamagedError(f"not {size} bytes, but {given}")


def unpack(data: bytes, most: int) -> bytes:
    """The content of a frame of at most so many bytes. DamagedError."""
    size = content_size(data)
    if size is None or size > most:
        raise DamagedError(f"zstd: {_UNKNOWN}" if size is None else f"zstd: {size} bytes, {most} at most")
    return unpacked(io.BytesIO(data), size).read()


def unpacked(source: BinaryIO, size: int) -> BinaryIO:
    """The content of a frame, which has `size` bytes, as a file that closes `source` with it.

    Reading is DamagedError as soon as that is seen to be untrue, at the latest when the end is read.
    """
    return io.BufferedReader(_Unpacked(source, size), CHUNK)


def content_size(head: bytes) -> int | None:
    """What a frame that begins so says of its content's size; None where it says nothing, or is no frame."""
    library = _zstd()
    try:
        size = library.get_frame_info(head[:HEAD]).decompressed_size
    except library.ZstdError:
        return None
    return None if size is None else int(size)


class _Unpacked(io.RawIOBase):
    """Content as it is asked for: no more is in memory than a chunk of each and the window."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        library = _zstd()
        self._error: type[Exception] = library.ZstdError
        self._decompressor = library.ZstdDecompressor(options={library.DecompressionParameter.window_log_max: WINDOW})
        self._source = source
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        if not view:
            return 0
        # One byte more than there should be is asked for, to see that there is none.
        piece = self._piece(min(len(view), self._left + 1))
        self._left -= len(piece)
        if self._left < 0:
            raise DamagedError("zstd: more bytes than were held")
        if not piece and (self._left or not self._decompressor.eof):
            raise DamagedError(f"zstd: {self._left} of its bytes are not there")
        view[: len(piece)] = piece
        return len(piece)

    def _piece(self, most: int) -> bytes:
        """The next bytes; empty at the end of the frame, or of what there is of it."""
        while not self._decompressor.eof:
            data = b""
            if self._decompressor.needs_input and not (data := self._source.read(CHUNK)):
                return b""
            try:
                piece = bytes(self._decompressor.decompress(data, most))
            except self._error as error:
                raise DamagedError(f"zstd: {error}") from None
            if piece:
                return piece
        if self._decompressor.unused_data or self._source.read(1):
            raise DamagedError("zstd: something stands behind the frame")
        return b""

    def close(self) -> None:
        self._source.close()
        super().close()
