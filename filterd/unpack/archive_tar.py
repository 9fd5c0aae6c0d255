"""Tar (POSIX pax and ustar, GNU, V7): an own walk over the headers, for what two readers take differently.

A member's size may stand in its header, in a pax record before it, or be implied; the archive ends at two empty blocks
for one reader and goes on behind them for another. Where these part, what is a file for one is content for the other.
"""

import re
from typing import Final

from filterd.unpack.archive_checks import CHECKS, Look
from filterd.unpack.types import Data

_BLOCK: Final = 512
_ZEROS: Final = re.compile(rb"\0*+")
_SIZE_RECORD: Final = re.compile(rb"(?:\A|\n)\d{1,9} size=(-?\d{1,20})\n")
MAX_HEADERS: Final = 20_000  # headers looked at; the budget of files ends long before
MAX_PAX: Final = 1_000_000  # bytes of one pax header or long name; libarchive stops there too
_LINKS: Final = b"123456"


def tar(data: Data) -> Look:
    """Walk the headers. Linear; never raises."""
    look = Look()
    position, ended, size_before = 0, False, -1
    for _ in range(MAX_HEADERS):
        start = _ZEROS.match(data, position).end() // _BLOCK * _BLOCK  # type: ignore[union-attr]  # it matches nothing too
        if start >= position + _BLOCK:
            ended, position = True, start
        if position + _BLOCK > len(data):
            return look
        header = bytes(data[position : position + _BLOCK])
        if not checksum(header):
            _damaged(look, ended=ended)
            return look
        if ended:
            look.doubt("members behind the archive's end")
            ended = False
        size, kind = number(header[124:136]), header[156:157]
        if size < 0 or size > len(data):
            look.unread("an impossible size")
            return look
        if kind in (b"x", b"X"):
            size_before = _pax_size(data, position, size, look)
        elif kind not in (b"L", b"K", b"g", b"V"):
            size, size_before = _member_size(size, size_before, look), -1
        position = _after(data, position, kind, size, look)
        if position > len(data):
            look.unread("it is cut short")
            return look
    return look


def _member_size(size: int, before: int, look: Look) -> int:
    """A member's size by its own header and the pax header before it (-1: none), which counts."""
    if before >= 0 and size not in (0, before):
        look.doubt("sizes differ")
    return before if before >= 0 else size


def _damaged(look: Look, *, ended: bool) -> None:
    """No header stands where one should."""
    if ended:
        look.doubt("bytes behind the archive")
    else:
        look.unread("a header's checksum is wrong")


def _pax_size(data: Data, position: int, size: int, look: Look) -> int:
    """The size that a pax header gives the next member, -1 where it gives none."""
    if size > MAX_PAX:
        look.unread("a pax header too large")
        return -1
    found = _SIZE_RECORD.findall(bytes(data[position + _BLOCK : position + _BLOCK + size]))
    if len(set(found)) > 1:
        look.doubt("sizes differ")
    if not found:
        return -1
    if int(found[-1]) < 0:
        look.unread("an impossible size")
        return -1
    return int(found[-1])


def _after(data: Data, position: int, kind: bytes, size: int, look: Look) -> int:
    """Where the next header stands."""
    header = bytes(data[position : position + _BLOCK])
    position += _BLOCK
    if kind == b"S" and header[482]:
        # GNU: more of the map of a file with holes stands in blocks of its own, each saying whether another follows.
        more = True
        while more and position + _BLOCK <= len(data):
            more = bool(data[position + 504])
            position += _BLOCK
    end = position + (size + _BLOCK - 1) // _BLOCK * _BLOCK
    if kind and kind in _LINKS and size:
        follows = bytes(data[position : position + _BLOCK])
        if kind == b"5" or end > len(data) or not follows.strip(b"\0") or checksum(follows):
            return position  # a size without content, as old writers left it
        look.doubt("a link with content")
    return end


def checksum(header: bytes) -> bool:
    """Whether this is a header: its bytes add up to what it says, the sum's own field counting as blanks."""
    wanted = number(header[148:156])
    body = header[:148] + b" " * 8 + header[156:_BLOCK]
    if len(header) < _BLOCK or wanted <= 0:
        return False
    total = sum(body)
    return wanted in (total, total - 256 * sum([byte > 127 for byte in body]))  # noqa: PLR2004  # old writers added signed bytes


def number(field: bytes) -> int:
    """A number of a header: octal digits, or (GNU) base 256 behind a set bit; -1 where it is neither."""
    if field[:1] >= b"\x80":
        value = int.from_bytes(field, "big", signed=True) if field[0] == 0xFF else int.from_bytes(field[1:], "big")  # noqa: PLR2004  # a negative one
        return max(value, -1)
    digits = field.split(b"\0", 1)[0].strip(b" ")
    if not digits:
        return 0
    try:
        return int(digits, 8) if digits.isdigit() else -1
    except ValueError:
        return -1


CHECKS["tar"] = tar
