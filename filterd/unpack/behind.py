"""Archives behind something else: a program that unpacks itself, a picture, whatever their own unpackers step over."""

import re
import zlib
from collections.abc import Callable
from typing import Final, TypeAlias

Data: TypeAlias = bytes | memoryview

ACE: Final = b"**ACE**"  # behind a header's checksum, size, type and flags
# What the first header begins with. Two letters of ARJ are not enough to look closer at every place where they stand:
# sizes, versions and the mark of a main header follow.
MARKS: Final = {
    "7z": b"7z\xbc\xaf\x27\x1c",
    "rar": b"Rar!\x1a\x07",
    "cab": b"MSCF\0\0\0\0",
    "arj": b"\x60\xea",
    "ace": ACE,
}
_WANTED: Final = {kind: re.compile(re.escape(mark)) for kind, mark in MARKS.items()} | {
    "arj": re.compile(rb"\x60\xea[\s\S][\0-\x0a][\x1e-\x30][\x01-\x0f]{2}[\0-\x0f][\s\S]{2}\x02")
}
_BEFORE: Final = {"ace": 7}  # bytes of a header before its mark
_LOOKED: Final = dict.fromkeys(MARKS, 64) | {"arj": 2_700}  # bytes of a header that tell whether it is one
_SHORTEST: Final = 32  # bytes of the smallest archive behind a mark
_MAX_TRIES: Final = 10_000  # marks in one file: what has more of them than any program is taken for an archive
_CABINET: Final = 36  # bytes of its header
_ACE_HEADER: Final = (27, 1_024)  # bytes that a main header may have


def embedded(data: Data, kind: str) -> int:
    """Where an archive of that kind (of MARKS) begins in the data, -1 where none does: its first header must hold."""
    for number, match in enumerate(_WANTED[kind].finditer(data)):
        place = match.start() - _BEFORE.get(kind, 0)
        if place < 0:
            continue
        head = bytes(data[place : place + _LOOKED[kind]])
        if number >= _MAX_TRIES or (len(head) >= _SHORTEST and _HOLDS[kind](head, len(data) - place)):
            return place
    return -1


def _is_7z(head: bytes, _size: int) -> bool:
    return zlib.crc32(head[12:32]) == int.from_bytes(head[8:12], "little") and head[6:7] == b"\0"


def _is_rar(head: bytes, _size: int) -> bool:
    if head[6:8] == b"\x01\0":
        length = head[12] & 0x7F
        return zlib.crc32(head[12 : 13 + length]) == int.from_bytes(head[8:12], "little")
    return head[6:7] == b"\0" and head[9:10] == b"\x73"


def _is_cab(head: bytes, size: int) -> bool:
    return head[24:26] == b"\x03\x01" and _CABINET < int.from_bytes(head[8:12], "little") <= size


def _is_arj(head: bytes, _size: int) -> bool:
    length = int.from_bytes(head[2:4], "little")
    return zlib.crc32(head[4 : 4 + length]) == int.from_bytes(head[4 + length : 8 + length], "little")


def _is_ace(head: bytes, _size: int) -> bool:
    """By type and size: programs that unpack hold the mark itself."""
    return head[4] == 0 and _ACE_HEADER[0] <= int.from_bytes(head[2:4], "little") <= _ACE_HEADER[1]


_HOLDS: Final[dict[str, Callable[[bytes, int], bool]]] = {
    "7z": _is_7z,
    "rar": _is_rar,
    "cab": _is_cab,
    "arj": _is_arj,
    "ace": _is_ace,
}
