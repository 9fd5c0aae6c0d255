"""One member of a zip through libarchive: methods that the standard library does not know, and encryption.

The member is put into a zip of its own first, with what the directory says of it, so that libarchive reads exactly
the bytes that were judged and nothing else of a file that may have two readings.
"""

import struct
from io import BytesIO
from typing import Final

from filterd.unpack.archive_library import ArchiveError, Reading
from filterd.unpack.streams import StreamError
from filterd.unpack.types import Data
from filterd.unpack.zipfile import ENCRYPTED, Entry

METHODS: Final = frozenset({14, 93, 95, 98})  # LZMA, Zstandard, XZ, PPMd (APPNOTE 4.4.5)
_STREAMED: Final = 8  # bit 3: crc and sizes stand behind the data, too
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_NAME: Final = b"m"
_AES: Final = 0x9901  # the extra field that says how a member is encrypted


def read(data: Data, entry: Entry, allowance: int, password: bytes = b"") -> bytes:
    """The member's content, at most one byte more than `allowance`. StreamError, also for a wrong password.

    With a password the whole member has to hold its checksum: one byte of check lets one wrong password in 256 pass.
    """
    single = _single(data, entry)
    out = BytesIO()
    try:
        with Reading(single, "zip", password=password) as reading:
            if reading.next() is None:
                raise StreamError("the member cannot be read")
            for _, block in reading.blocks():
                out.write(block[: allowance + 1 - out.tell()])
                if out.tell() > allowance:
                    return out.getvalue()
            warnings = list(reading.warnings)
    except ArchiveError as error:
        raise StreamError(str(error), out.getvalue()) from error
    if warnings:
        raise StreamError(warnings[0], out.getvalue())
    return out.getvalue()


def _single(data: Data, entry: Entry) -> bytes:
    """A zip of this member alone. StreamError where its local header is not there."""
    if entry.begin < 0 or entry.start + _LOCAL.size > len(data):
        raise StreamError("no local header")
    _, need, flags, _, time, date, _, _, _, name_size, extra_size = _LOCAL.unpack_from(data, entry.start)
    place = entry.start + _LOCAL.size + name_size
    extra = _aes(bytes(data[place : place + extra_size]))
    # The first byte of ZipCrypto's check is the time's where the data is streamed, else the checksum's.
    flags = (flags & ~ENCRYPTED) | (entry.flags & ENCRYPTED)
    packed = memoryview(data)[entry.begin : entry.begin + entry.packed]
    sizes = (entry.crc, len(packed), entry.size & 0xFFFFFFFF)
    common = (need, flags, entry.method, time, date, *sizes, len(_NAME), len(extra))
    local = _LOCAL.pack(b"PK\x03\x04", *common) + _NAME + extra
    descriptor = struct.pack("<4s3L", b"PK\x07\x08", *sizes) if flags & _STREAMED else b""
    central = struct.pack("<4sH", b"PK\x01\x02", need) + struct.pack("<5H3L2H", *common)
    central += struct.pack("<3H2L", 0, 0, 0, 0, 0) + _NAME + extra
    offset = len(local) + len(packed) + len(descriptor)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central), offset, 0)
    return b"".join((local, packed, descriptor, central, end))


def _aes(extra: bytes) -> bytes:
    """The extra field about encryption alone: others speak of names and sizes that this zip does not have."""
    position = 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, position)
        if kind == _AES:
            return extra[position : position + 4 + size]
        position += 4 + size
    return b""
