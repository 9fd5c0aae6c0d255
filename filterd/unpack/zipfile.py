"""Zip (APPNOTE 6.3): what the central directory says, what the local headers say, and where they part."""

import re
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from filterd.mime.charset import decode

_END: Final = struct.Struct("<4s4H2LH")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_MARK: Final = re.compile(rb"PK\x03\x04")  # of a local header
_TAIL: Final = 65_557  # bytes; the end record with the longest comment
_ALL_ONES: Final = 0xFFFFFFFF
_ALL_ONES_16: Final = 0xFFFF
ENCRYPTED: Final = 1  # bit 0 of the flags
_STREAMED: Final = 8  # bit 3: sizes follow the data
_UTF8: Final = 0x800
_MASKED: Final = 0x2000  # bit 13: local header values are masked
_TYPE: Final = 0o170000  # the bits of a Unix mode that tell what an entry is
_LINK: Final = 0o120000
MAX_NAME: Final = 1_000  # characters of a member's name
MAX_ENTRIES: Final = 20_000  # central entries looked at; the budget stops long before


@dataclass(frozen=True, slots=True)
class Entry:
    """One member as one of the two views has it; `start` is where its local header begins, `begin` its data.

    A `link` has its target for content.
    """

    name: str
    other_name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    start: int
    begin: int
    link: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """All members of both views; `doubts` say where the views differ, `broken` what could not be read."""

    entries: tuple[Entry, ...] = ()
    doubts: tuple[str, ...] = ()
    broken: str = ""
    overlap: str = ""


def list_members(data: bytes | memoryview) -> Listing:
    """Read both views. Linear in the data; never raises."""
    doubts: list[str] = []
    central, broken = _central(data, doubts)
    entries = [_with_local(data, entry, doubts) for entry in central]
    ranges = sorted([(entry.start, entry.begin + entry.packed, entry.name) for entry in entries])
    overlap = next((later[2] for one, later in pairwise(ranges) if later[0] < one[1]), "")
    hidden = _hidden(data, ranges)
    if hidden and not broken:
        doubts.append("members that the directory does not name")
    _same_names(entries, doubts)
    return Listing((*entries, *hidden), tuple(dict.fromkeys(doubts)), broken, overlap)


def _same_names(entries: list[Entry], doubts: list[str]) -> None:
    """Two members of one name: unpackers keep the first or the last."""
    seen: set[str] = set()
    for entry in entries:
        key = entry.name.lower()
        if key in seen:
            doubts.append("two members of one name")
            return
        seen.add(key)


def _central(data: bytes | memoryview, doubts: list[str]) -> tuple[list[Entry], str]:
    """The central directory's entries, offsets corrected for what was put before the archive."""
    base = max(0, len(data) - _TAIL)
    tail = bytes(data[base:])
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) < place + _END.size:
        return [], "no central directory"
    _, disk, _, _, count, size, offset, comment = _END.unpack_from(tail, place)
    if place + _END.size + comment != len(tail):
        doubts.append("bytes behind the archive")
    earlier = tail.rfind(b"PK\x05\x06", 0, place)
    if earlier >= 0 and _END.size + earlier + int.from_bytes(tail[earlier + 20 : earlier + 22], "little") == len(tail):
        doubts.append("two end records")
    end = base + place
    if disk not in (0, _ALL_ONES_16):
        return [], "part of several volumes"
    if _ALL_ONES in (size, offset) or count == _ALL_ONES_16:
        record = tail.rfind(b"PK\x06\x06", 0, place)
        if record >= 0 and len(tail) >= record + _END64.size:
            count, size, offset = _END64.unpack_from(tail, record)[7:10]
            end = base + record
    start = end - size
    if start < 0:
        return [], "the directory lies outside the file"
    entries = _entries(data, start, end, start - offset)
    if len(entries) != count:
        doubts.append("the directory's count is wrong")
    return entries, "" if entries or not count else "the directory cannot be read"


def _entries(data: bytes | memoryview, start: int, end: int, shift: int) -> list[Entry]:
    """The directory's entries as far as they can be read."""
    entries: list[Entry] = []
    while len(entries) < MAX_ENTRIES and start + _CENTRAL.size <= end:
        entry, start = _central_entry(data, start, shift)
        if entry is None:
            break
        entries.append(entry)
    return entries


def _central_entry(data: bytes | memoryview, position: int, shift: int) -> tuple[Entry | None, int]:
    """The entry at `position` and where the next one begins."""
    values = _CENTRAL.unpack_from(data, position)
    magic, _, _, flags, method, _, _, crc, packed, size, name_size, extra_size, comment_size, _, _, mode, offset = (
        values
    )
    if magic != b"PK\x01\x02":
        return None, position
    position += _CENTRAL.size
    name = bytes(data[position : position + name_size])
    extra = bytes(data[position + name_size : position + name_size + extra_size])
    if _ALL_ONES in (packed, size, offset):
        size, packed, offset = _zip64(extra, size, packed, offset)
    other = _unicode_name(extra)
    link = mode >> 16 & _TYPE == _LINK
    entry = Entry(_text(name, flags), other, flags, method, crc, packed, size, offset + shift, 0, link)
    return entry, position + name_size + extra_size + comment_size


def _zip64(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """APPNOTE 4.5.3: 64-bit values stand for those that are all ones, in this order."""
    field = _extra(extra, 0x0001)
    values = [int.from_bytes(field[place : place + 8], "little") for place in range(0, len(field) - 7, 8)]
    size, packed, offset = [
        values.pop(0) if value == _ALL_ONES and values else value for value in (size, packed, offset)
    ]
    return size, packed, offset


def _extra(extra: bytes, wanted: int) -> bytes:
    """One extra field's content, empty where there is none."""
    position = 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, position)
        if kind == wanted:
            return extra[position + 4 : position + 4 + size]
        position += 4 + size
    return b""


def _unicode_name(extra: bytes) -> str:
    """APPNOTE 4.6.9: the Unicode path that some unpackers prefer."""
    field = _extra(extra, 0x7075) if extra else b""
    return field[5:].decode("utf-8", "replace")[:MAX_NAME]


def _text(name: bytes, flags: int) -> str:
    """A member's name; without the UTF-8 flag it is in the writer's own code page."""
    short = name[:MAX_NAME]
    return decode(short, "utf-8") if flags & _UTF8 or short.isascii() else decode(short, "cp437")


def _with_local(data: bytes | memoryview, entry: Entry, doubts: list[str]) -> Entry:
    """The entry with its data's place, which only the local header tells; disagreements are doubts."""
    local = _local(data, entry.start)
    if local is None:
        doubts.append("a member without local header")
        return Entry(entry.name, entry.other_name, entry.flags, entry.method, entry.crc, 0, entry.size, 0, -1)
    if (local.flags ^ entry.flags) & ENCRYPTED:
        doubts.append("encryption flags differ")
    if local.name != entry.name and not entry.flags & _MASKED:
        doubts.append("names differ")
    if local.method != entry.method:
        doubts.append("methods differ")
    streamed = local.flags & _STREAMED and not local.packed
    sizes = (local.packed, local.size)
    if not streamed and _ALL_ONES not in sizes and sizes != (entry.packed, entry.size):
        doubts.append("sizes differ")
    other = entry.other_name or (local.name if local.name != entry.name else local.other_name)
    flags = entry.flags | (local.flags & ENCRYPTED)
    return Entry(
        entry.name,
        other,
        flags,
        entry.method,
        entry.crc,
        entry.packed,
        entry.size,
        entry.start,
        local.begin,
        entry.link,
    )


def _local(data: bytes | memoryview, start: int) -> Entry | None:
    """The local header at `start`, None where there is none."""
    if start < 0 or start + _LOCAL.size > len(data):
        return None
    magic, _, flags, method, _, _, crc, packed, size, name_size, extra_size = _LOCAL.unpack_from(data, start)
    if magic != b"PK\x03\x04":
        return None
    position = start + _LOCAL.size
    name = bytes(data[position : position + name_size])
    extra = bytes(data[position + name_size : position + name_size + extra_size])
    begin = position + name_size + extra_size
    return Entry(_text(name, flags), _unicode_name(extra), flags, method, crc, packed, size, start, begin)


def _hidden(data: bytes | memoryview, ranges: list[tuple[int, int, str]]) -> list[Entry]:
    """Members between those that the directory names, and behind them: a reader of the stream unpacks them."""
    found: list[Entry] = []
    position = 0
    for start, end, _ in [*ranges, (len(data), len(data), "")]:
        if start - position > _LOCAL.size:
            found += _in_gap(data, position, start)
        position = max(position, end)
    return found[:MAX_ENTRIES]


def _in_gap(data: bytes | memoryview, begin: int, end: int) -> list[Entry]:
    """The members that begin in a gap."""
    found: list[Entry] = []
    match = _MARK.search(data, begin, end)
    while match is not None and len(found) < MAX_ENTRIES:
        entry = _local(data, match.start())
        after = match.end()
        if entry is not None and entry.name and entry.begin <= len(data):
            packed = entry.packed or max(end, entry.begin) - entry.begin
            found.append(
                Entry(
                    entry.name, "", entry.flags, entry.method, entry.crc, packed, entry.size, entry.start, entry.begin
                )
            )
            # A size beyond the gap is a lie: the next header may stand anywhere.
            after = entry.begin + (packed if entry.begin + packed <= end else 0)
        match = _MARK.search(data, after, end)
    return found
