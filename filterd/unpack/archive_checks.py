"""Own looks at archives before libarchive reads them: what it would pass over in silence, and what would upset it.

Each look says in (symbol, reason) pairs what two readers may take differently and what will stay unread; `closed` is
set where libarchive is not asked at all. All are linear in the data and never raise.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from filterd.mime.symbols import AMBIGUOUS_ARCHIVE, UNSCANNABLE_ARCHIVE, UNSCANNABLE_ENCRYPTED
from filterd.unpack.archive_rar import look as look_at_rar
from filterd.unpack.types import Data

_ZEROS: Final = re.compile(rb"\0*+")
_SECTOR: Final = 2_048
_FIRST_SECTOR: Final = 16  # of the volume descriptors (ECMA-119, 6.2.1)
_MAX_DESCRIPTORS: Final = 32
_AES: Final = b"\x06\xf1\x07\x01"  # the codec's number in a 7z header
_7Z: Final = struct.Struct("<6sBBLQQL")
_CAB: Final = struct.Struct("<4s5L2B5H")
_CAB_VERSION: Final = (3, 1)  # minor, major: the only one there is
_MAX_BLOCKS: Final = 10_000  # data blocks of a cabinet looked at: 320 MB of content
_MAX_BLOCK: Final = 32_768 + 6_144  # bytes of a packed block (MS-CAB 2.4)


@dataclass(slots=True)
class Look:
    """`findings` to be noted, `encrypted` members' names, `files` how many members there are (-1: not known)."""

    findings: list[tuple[str, str]] = field(default_factory=list)
    encrypted: frozenset[bytes] = frozenset()
    files: int = -1
    closed: bool = False

    def doubt(self, reason: str) -> None:
        """Two readers may take this differently."""
        self.findings.append((AMBIGUOUS_ARCHIVE, reason))

    def unread(self, reason: str, *, closed: bool = False) -> None:
        """This stays unread; all of it where it is `closed`."""
        self.findings.append((UNSCANNABLE_ARCHIVE, reason))
        self.closed |= closed

    def locked(self, reason: str) -> None:
        """Nothing is readable without a password."""
        self.findings.append((UNSCANNABLE_ENCRYPTED, reason))
        self.closed = True


def rar(data: Data) -> Look:
    """Volumes, encryption, what stands behind the end."""
    look, found = Look(), look_at_rar(data)
    if found.hidden_names:
        look.locked("names and contents")
    if found.volume:
        look.unread("one of several volumes")
    if found.hollow:
        look.unread("a folder with content")
    if found.broken and not found.hidden_names:
        look.unread(found.broken)
    if 0 <= found.end < len(data) and not only_zeros(data, found.end):
        look.doubt("bytes behind the archive")
    look.encrypted = frozenset(found.encrypted)
    look.files = found.files
    return look


def seven_zip(data: Data) -> Look:
    """The two ends of a 7z: where its header stands, whether that is encrypted."""
    look = Look()
    if len(data) < _7Z.size:
        look.unread("it is cut short", closed=True)
        return look
    _, _, _, crc, offset, size, header_crc = _7Z.unpack_from(data)
    if zlib.crc32(data[12 : _7Z.size]) != crc:
        look.unread("a header's checksum is wrong", closed=True)
        return look
    begin, end = _7Z.size + offset, _7Z.size + offset + size
    if end > len(data):
        look.unread("cut short, or one of several volumes", closed=True)
        return look
    header = bytes(data[begin:end])
    if size and zlib.crc32(header) != header_crc:
        look.unread("a header's checksum is wrong", closed=True)
    if header[:1] == b"\x17" and _AES in header:
        look.locked("names and contents")
    if not only_zeros(data, end):
        look.doubt("bytes behind the archive")
    _counts(header, look)
    look.files = min(size, 1)
    return look


def _counts(header: bytes, look: Look) -> None:
    """Every stream and folder takes bytes in the header: a count beyond them is a lie that costs memory."""
    # 7zFormat.txt: header, main streams, packed streams; an encoded header begins with its packed streams.
    at = 2 if header[:3] == b"\x01\x04\x06" else 0 if header[:2] == b"\x17\x06" else -1
    if at < 0:
        return
    at += 2 if at == 0 else 1
    at += _length(header, at)
    streams, at = _seven_zip_number(header, at)
    if streams <= len(header) and header[at : at + 1] == b"\x09":
        at += 1
        for _ in range(streams):
            at += _length(header, at)
    folders = 0
    if header[at : at + 3] == b"\x00\x07\x0b":
        folders, at = _seven_zip_number(header, at + 3)
    if max(streams, folders) > len(header):
        look.unread("a count beyond the header", closed=True)


def _length(data: bytes, at: int) -> int:
    """How many bytes a 7z number takes: as many leading ones, and one."""
    first = data[at] if at < len(data) else 0
    return 9 - (first ^ 0xFF).bit_length() if first != 0xFF else 9  # noqa: PLR2004  # all ones: eight bytes follow


def _seven_zip_number(data: bytes, at: int) -> tuple[int, int]:
    """A 7z number and where it ends: the high bits behind the first byte's leading ones, the rest little-endian."""
    length = _length(data, at)
    first = data[at] if at < len(data) else 0
    low = int.from_bytes(data[at + 1 : at + length], "little")
    high = first & ((1 << (8 - length)) - 1) if length < 8 else 0  # noqa: PLR2004  # bits of a byte
    return low + (high << (8 * (length - 1))), at + length


def cab(data: Data) -> Look:
    """A cabinet's tables: libarchive trusts them with its memory."""
    look = Look()
    if len(data) < _CAB.size:
        look.unread("it is cut short", closed=True)
        return look
    values = _CAB.unpack_from(data)
    size, minor, major, folders, flags = values[2], values[6], values[7], values[8], values[10]
    if (minor, major) != _CAB_VERSION:
        look.unread("an unknown version", closed=True)
        return look
    if flags & 3:
        look.unread("one of several volumes")
    position = _CAB.size
    reserved = folder_reserve = block_reserve = 0
    if flags & 4 and len(data) >= position + 4:
        reserved, folder_reserve, block_reserve = struct.unpack_from("<H2B", data, position)
        position += 4 + reserved
    for _ in range(2 * (flags & 1) + (flags & 2)):
        end = bytes(data[position : position + 256]).find(b"\0")
        position += end + 1
    if size > len(data):
        look.unread("it is cut short")
    elif not flags & 4 and not only_zeros(data, size):
        look.doubt("bytes behind the archive")
    if not _cab_folders(data, position, folders, 8 + folder_reserve, block_reserve):
        look.unread("damaged tables", closed=True)
    return look


def _cab_folders(data: Data, position: int, folders: int, step: int, reserve: int) -> bool:
    """Whether every block of every folder lies within the file and has a possible size."""
    left = _MAX_BLOCKS
    for number in range(folders):
        place = position + number * step
        if place + 8 > len(data):
            return False
        at, blocks, method = struct.unpack_from("<L2H", data, place)
        window = method >> 8 & 0x1F
        if method & 0xF > 3 or (method & 0xF == 3 and not 15 <= window <= 21):  # noqa: PLR2004  # MS-CAB: LZX windows of 32 kB to 2 MB
            return False
        for _ in range(blocks):
            left -= 1
            if left < 0 or at + 8 + reserve > len(data):
                return False
            _, packed, unpacked = struct.unpack_from("<L2H", data, at)
            at += 8 + reserve + packed
            if packed > _MAX_BLOCK or unpacked > 32_768 or at > len(data):  # noqa: PLR2004  # MS-CAB: a block's content
                return False
    return True


def iso(data: Data) -> Look:
    """UDF beside ISO 9660: Windows reads that, libarchive does not."""
    look = Look()
    marks = list(_descriptors(data))
    if any(mark in (b"NSR02", b"NSR03") for mark in marks):
        if b"CD001" in marks:
            look.doubt("UDF beside ISO 9660")
        else:
            look.unread("UDF", closed=True)
    return look


def _descriptors(data: Data) -> Iterator[bytes]:
    """The identifiers of the volume descriptors."""
    for number in range(_FIRST_SECTOR, _FIRST_SECTOR + _MAX_DESCRIPTORS):
        yield bytes(data[number * _SECTOR + 1 : number * _SECTOR + 6])


def only_zeros(data: Data, begin: int) -> bool:
    """Whether only zeros stand from there on."""
    match = _ZEROS.match(data, begin)
    return match is None or match.end() == len(data)


CHECKS: Final[dict[str, Callable[[Data], Look]]] = {"rar": rar, "7z": seven_zip, "cab": cab, "iso": iso}
