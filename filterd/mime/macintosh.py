"""Macintosh files in mail: BinHex 4.0 (RFC 1741), AppleSingle (RFC 1740) and MacBinary, down to the data fork."""

import binascii
import re
from typing import Final, TypeAlias

from filterd.mime.limits import MAX_WRITTEN_FILE

Data: TypeAlias = bytes | memoryview

_BINHEX: Final = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
_TO_BASE64: Final = bytes.maketrans(_BINHEX, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_NOT_BINHEX: Final = bytes(set(range(256)) - set(_BINHEX))
_COLON: Final = re.compile(rb"[\r\n]:")
_CODED: Final = re.compile(rb"[^:]*+:?")
_FAR: Final = 2_000  # bytes between the line that announces a file and its first colon
_RUN: Final = b"\x90"
_SINGLE: Final = b"\0\x05\x16\0"
_HEADER: Final = 26  # bytes before the table of an AppleSingle file
_ENTRY: Final = 12  # bytes of a row: number, offset, length
_MAX_ENTRIES: Final = 32  # fifteen kinds of entries are defined
_DATA_FORK: Final = 1
_REAL_NAME: Final = 3
_MACBINARY: Final = 128  # bytes of its header
_LONGEST: Final = 63  # bytes of a file's name


def unbinhex(data: Data, start: int, allowance: int) -> tuple[bytes, bytes, int, str]:
    """Name and data fork of the BinHex file behind `start`, where it ends, and what is missing of it."""
    begin = _COLON.search(data, start, start + _FAR)
    match = _CODED.match(data, begin.end(), begin.end() + MAX_WRITTEN_FILE) if begin is not None else None
    if match is None:
        return b"", b"", start, ""
    coded = match[0].translate(_TO_BASE64, _NOT_BINHEX)
    coded = coded[: len(coded) - (len(coded) % 4 == 1)]
    stream = _expanded(binascii.a2b_base64(coded + b"=" * (-len(coded) % 4)), allowance + _MACBINARY)
    if not stream:
        return b"", b"", match.end(), ""
    # RFC 1741, 5: length and name, a zero, type, creator, flags, the lengths of both forks, and a checksum.
    place = stream[0] + 2
    size = int.from_bytes(stream[place + 10 : place + 14], "big")
    content = stream[place + 20 : place + 20 + min(size, allowance)]
    return stream[1 : stream[0] + 1], content, match.end(), "" if len(content) == size else "cut short"


def _expanded(data: bytes, most: int) -> bytes:
    """Undo the runs: 0x90 and a count repeat the byte before them, 0x90 and zero stand for 0x90 itself."""
    first, *pieces = data.split(_RUN)
    out = bytearray(first)
    doubled = False
    for number, piece in enumerate(pieces):
        if len(out) > most:
            break
        if doubled:  # the mark that was the count of the run before
            out += piece
            doubled = False
        elif piece:
            out += out[-1:] * (piece[0] - 1) if piece[0] else _RUN
            out += piece[1:]
        elif number + 1 < len(pieces):
            out += out[-1:] * (_RUN[0] - 1)
            doubled = True
    return bytes(out)


def data_fork(data: Data) -> tuple[str, bytes] | None:
    """Name and data fork of an AppleSingle or MacBinary file; None where it is neither."""
    head = bytes(data[:_MACBINARY])
    if head[:1] != b"\0":
        return None
    if head[:4] == _SINGLE:
        return _single(data, head)
    if len(head) == _MACBINARY and 0 < head[1] <= _LONGEST and not head[74] and not head[82]:
        size = int.from_bytes(head[83:87], "big")
        checked = binascii.crc_hqx(head[:124], 0) == int.from_bytes(head[124:126], "big")
        if (checked or head[102:106] == b"mBIN" or not any(head[87:])) and 0 < size <= len(data) - _MACBINARY:
            return _name(head[2 : 2 + head[1]]), bytes(data[_MACBINARY : _MACBINARY + size])
    return None


def _single(data: Data, head: bytes) -> tuple[str, bytes]:
    """AppleSingle: a table says where each part of the file stands."""
    count = min(int.from_bytes(head[24:26], "big"), _MAX_ENTRIES)
    table = bytes(data[_HEADER : _HEADER + count * _ENTRY])
    found: dict[int, bytes] = {}
    for row in range(0, len(table) - _ENTRY + 1, _ENTRY):
        number, offset, size = (int.from_bytes(table[place : place + 4], "big") for place in (row, row + 4, row + 8))
        if number in (_DATA_FORK, _REAL_NAME):
            found.setdefault(number, bytes(data[offset : offset + size]))
    return _name(found.get(_REAL_NAME, b"")[:255]), found.get(_DATA_FORK, b"")


def _name(raw: bytes) -> str:
    return raw.decode("mac-roman")
