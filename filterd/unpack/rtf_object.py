"""Objects as OLE 1.0 writes them ([MS-OLEDS], 2.2): a header with the class's name, then its native data."""

import struct
from collections.abc import Iterator
from typing import Final

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.ole import MAGIC
from filterd.unpack.ole_objects import EMBEDDED, EQUATION, EQUATION_NAMES, LINKED, package_pieces
from filterd.unpack.pieces import Piece, hand_out

MAX_NAME: Final = 1_000  # bytes of a class's name, a topic or an item
_LONG: Final = struct.Struct("<L")
_HEAD: Final = struct.Struct("<LL")


def object_pieces(data: bytes, where: str, path: str, budget: Budget) -> Iterator[Piece]:
    """The native data; where the header makes no sense, everything from a compound file on, or everything."""
    header = _header(data)
    if header is None:
        place = data.find(MAGIC)
        budget.note(symbols.RTF_OBJECT, "without header", path)
        yield from hand_out(budget, path, where, data[place:] if place > 0 else data)
        return
    kind, name, topic, position = header
    budget.note(symbols.RTF_OBJECT, name, path)
    if name.lower().startswith(EQUATION_NAMES) or any(clsid in data for clsid in EQUATION):
        budget.note(symbols.OFFICE_EQUATION, name, path)
    if kind == LINKED:
        budget.note(symbols.OFFICE_REMOTE if _remote(topic) else symbols.OFFICE_EXTERNAL, name, topic, path)
        yield from hand_out(budget, path, where, data[position:])
        return
    size = int.from_bytes(data[position : position + 4], "little")
    native = data[position + 4 :]
    # What stands behind it is a picture of it; a wrong size hides nothing.
    native = native[:size] if size <= len(native) and size else native
    if name.lower() == "package":
        yield from package_pieces(native, where, path, budget, symbols.OFFICE_EMBEDDED)
    else:
        yield from hand_out(budget, path, where, native)


def _remote(topic: str) -> bool:
    """Whether a link leads to the network."""
    return topic.lower().startswith(("http:", "https:", "ftp:", "file:", "mhtml:", "\\\\"))


def _header(data: bytes) -> tuple[int, str, str, int] | None:
    """Kind, class, topic, and where the native data's size stands; None where it is none."""
    if len(data) < _HEAD.size + _LONG.size:
        return None
    _, kind = _HEAD.unpack_from(data)
    if kind not in (EMBEDDED, LINKED):
        return None
    position = _HEAD.size
    words: list[str] = []
    for _ in range(3):
        size = int.from_bytes(data[position : position + 4], "little")
        if size > MAX_NAME or position + 4 > len(data):
            return None
        words.append(data[position + 4 : position + 4 + size].partition(b"\0")[0].decode("latin-1"))
        position += 4 + size
    return kind, words[0], words[1], position
