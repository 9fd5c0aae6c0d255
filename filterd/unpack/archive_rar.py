"""RAR (4 and 5): an own look at the block headers, for what libarchive passes over in silence.

It reads on where a volume is missing, takes encrypted data of RAR 5 for content, and stops early without a word.
"""

import zlib
from dataclasses import dataclass, field
from typing import Final

from filterd.unpack.types import Data

OLD: Final = b"Rar!\x1a\x07\x00"
NEW: Final = b"Rar!\x1a\x07\x01\x00"
MAX_BLOCKS: Final = 20_000  # block headers looked at; the budget of files ends long before
MAX_HEADER: Final = 2_000_000  # bytes of one header, as the format's own reader allows
_HEAD: Final = 7  # bytes of the smallest header of RAR 4


@dataclass(slots=True)
class Rar:
    """What the headers say: `files` counts members, `encrypted` names those that are, `end` is where all ends."""

    files: int = 0
    encrypted: set[bytes] = field(default_factory=set)
    hidden_names: bool = False
    volume: bool = False
    hollow: bool = False
    broken: str = ""
    end: int = -1


def look(data: Data) -> Rar:
    """Walk the headers. Linear; never raises."""
    rar = Rar()
    try:
        (_walk_new if bytes(data[: len(NEW)]) == NEW else _walk_old)(data, rar)
    except (ValueError, IndexError):
        rar.broken = rar.broken or "a header is cut short"
    return rar


def _walk_old(data: Data, rar: Rar) -> None:
    position = len(OLD)
    for _ in range(MAX_BLOCKS):
        head = bytes(data[position : position + _HEAD])
        if len(head) < _HEAD:
            return
        kind, flags, size = head[2], int.from_bytes(head[3:5], "little"), int.from_bytes(head[5:7], "little")
        block = bytes(data[position : position + size])
        # Names are checked by the block's own sum: the low half of a CRC of all but itself.
        short = kind == 0x73 and size >= 13  # noqa: PLR2004  # the main header's first 13 bytes are what it covers
        if size < _HEAD or (zlib.crc32(block[2:13] if short else block[2:]) & 0xFFFF) != _number(head, 0, 2):
            rar.broken = "a header's checksum is wrong"
            return
        if kind == 0x7B:  # noqa: PLR2004  # the end
            rar.end = position + size
            return
        extra = _number(block, 7, 4) if flags & 0x8000 or kind in (0x74, 0x7A) else 0
        if kind == 0x73:  # noqa: PLR2004  # the archive
            rar.volume = bool(flags & 0x0001)
            rar.hidden_names = bool(flags & 0x0080)
            if rar.hidden_names:
                return
        elif kind in (0x74, 0x7A) and flags & 0x0100:
            extra += _number(block, 32, 4) << 32
        if kind == 0x74:  # noqa: PLR2004  # a member
            _old_member(block, flags, rar)
        position += size + extra


def _old_member(block: bytes, flags: int, rar: Rar) -> None:
    rar.files += 1
    rar.volume |= bool(flags & 0x0003)
    if flags & 0x0004:
        start = 40 if flags & 0x0100 else 32
        rar.encrypted.add(block[start : start + _number(block, 26, 2)])


def _walk_new(data: Data, rar: Rar) -> None:
    position = len(NEW)
    for _ in range(MAX_BLOCKS):
        if position >= len(data):
            return
        start = bytes(data[position : position + 16])
        size, used = _vint(start, 4)
        if not 0 < size <= MAX_HEADER:
            rar.broken = "a header of impossible size"
            return
        block = bytes(data[position + 4 : position + used + size])
        if len(block) < used - 4 + size or zlib.crc32(block) != _number(start, 0, 4):
            rar.broken = "a header's checksum is wrong"
            return
        position += used + size
        kind, at = _vint(block, used - 4)
        flags, at = _vint(block, at)
        extra, at = _vint(block, at) if flags & 1 else (0, at)
        content, at = _vint(block, at) if flags & 2 else (0, at)
        position += content
        if kind == 5:  # noqa: PLR2004  # the end
            rar.end = position
            return
        if kind == 4:  # noqa: PLR2004  # all that follows is encrypted
            rar.hidden_names = True
            return
        if kind == 1:
            rar.volume |= bool(_vint(block, at)[0] & 1)
        elif kind == 2:  # noqa: PLR2004  # a member
            rar.volume |= bool(flags & 0x18)
            _new_member(block, at, len(block) - extra, content, rar)


def _new_member(block: bytes, at: int, extra: int, content: int, rar: Rar) -> None:
    rar.files += 1
    flags, at = _vint(block, at)
    _, at = _vint(block, at)
    _, at = _vint(block, at)
    at += (4 if flags & 2 else 0) + (4 if flags & 4 else 0)
    _, at = _vint(block, at)
    _, at = _vint(block, at)
    length, at = _vint(block, at)
    rar.hollow |= bool(flags & 1) and content > 0
    while 0 <= extra < len(block):
        size, begin = _vint(block, extra)
        if _vint(block, begin)[0] == 1:
            rar.encrypted.add(block[at : at + length])
        extra = begin + max(size, 1)


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, and where it ends. IndexError where it does not end."""
    value = 0
    for place in range(10):
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004  # the last group
            return value, at + place + 1
    raise ValueError("a number too long")
