"""PowerPoint's binary presentations ([MS-PPT]): the compound files inside, which hold objects and macros."""

import struct
from collections.abc import Iterator
from typing import Final

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.ole import Compound, Entry
from filterd.unpack.pieces import Piece, hand_out
from filterd.unpack.streams import StreamError, inflate

MAX_RECORDS: Final = 500_000  # of one presentation
_HEAD: Final = struct.Struct("<HHL")
_CONTAINER: Final = 0xF
_OBJECT: Final = 0x1011  # 2.10.34 and 2.4.11: embedded objects, controls, and the VBA project
_ENCRYPTED: Final = b"\xdf\xc4\xd1\xf3"  # 2.3.2: headerToken


def locked(compound: Compound) -> bool:
    """True for an encrypted presentation."""
    for entry in compound.entries:
        if entry.stream and entry.name.lower() == "current user":
            return compound.read(entry, 16)[12:16] == _ENCRYPTED
    return False


def pieces(compound: Compound, entry: Entry, path: str, budget: Budget) -> Iterator[Piece]:
    """The objects of a presentation in `entry`: records one by one, containers entered."""
    data = compound.read(entry)
    position = count = found = 0
    while position + _HEAD.size <= len(data):
        count += 1
        if count > MAX_RECORDS or budget.stopped:
            budget.note(symbols.UNSCANNABLE_DOCUMENT, "more records than are read", path)
            return
        version, kind, size = _HEAD.unpack_from(data, position)
        position += _HEAD.size
        if version & 0xF == _CONTAINER:
            continue
        if kind == _OBJECT:
            found += 1
            packed = version >> 4 == 1
            content = unpacked(data[position : position + size], path, budget, packed=packed)
            yield from hand_out(budget, path, f"object-{found}", content)
        position += size


def unpacked(record: bytes, path: str, budget: Budget, *, packed: bool) -> bytes:
    """An object as it lies there, or compressed behind its size."""
    if not packed:
        return record
    allowance = budget.allowance(len(record))
    try:
        content, _ = inflate(record[4:], allowance, 15)
    except StreamError as error:
        content = bytes(error.partial)
        # PowerPoint itself leaves a stream's end out; the size in front tells whether all is there.
        if len(content) < int.from_bytes(record[:4], "little") or not content:
            budget.note(symbols.UNSCANNABLE_DOCUMENT, f"an object: {error}", path)
    if len(content) > allowance:
        budget.overdrawn(len(record), path)
    return content[:allowance]
