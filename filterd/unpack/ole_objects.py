"""Objects inside of documents ([MS-OLEDS]): packages with their file names, and what older writers stored."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.pieces import Piece, hand_out
from filterd.unpack.types import Data

MAX_TEXT: Final = 1_000  # bytes of a name in an object
_LONG: Final = struct.Struct("<L")
_SHORT: Final = struct.Struct("<H")
EMBEDDED: Final = 2
LINKED: Final = 1

# 2.2.1 and the registry: classes of the old equation editor, as they lie in a file.
EQUATION: Final = frozenset(
    {
        bytes.fromhex("02ce020000000000c000000000000046"),
        bytes.fromhex("03ce020000000000c000000000000046"),
        bytes.fromhex("00ce020000000000c000000000000046"),
    }
)
EQUATION_NAMES: Final = ("equation.2", "equation.3", "equation.dsmt")


@dataclass(frozen=True, slots=True)
class Package:
    """What the packager keeps of a file: where it came from, and its content (empty for a link)."""

    label: str
    source: str
    temporary: str
    content: Data
    link: bool
    whole: bool


def read_package(data: Data) -> Package | None:
    """The native data of a Package object, with or without its size in front; None where it is none."""
    for start in (4, 0):
        if bytes(data[start : start + 2]) == b"\x02\0":
            found = _package(data, start + 2)
            if found is not None:
                return found
    return None


def _package(data: Data, position: int) -> Package | None:
    """Behind the mark: label, source path, two flags, a path for the copy, the content."""
    label, position = _zero_ended(data, position)
    source, position = _zero_ended(data, position)
    if position < 0 or position + 8 > len(data):
        return None
    kind = _SHORT.unpack_from(data, position + 2)[0]
    position += 4
    if kind == LINKED:
        return Package(label, source, "", b"", link=True, whole=True)
    size = _LONG.unpack_from(data, position)[0]
    temporary, position = bytes(data[position + 4 : position + 4 + min(size, MAX_TEXT)]), position + 4 + size
    if position + 4 > len(data):
        return None
    size = _LONG.unpack_from(data, position)[0]
    content = data[position + 4 : position + 4 + size]
    name = temporary.partition(b"\0")[0].decode("latin-1")
    label = _unicode_label(data, position + 4 + size) or label
    return Package(label, source, name, content, link=False, whole=len(content) == size)


def _unicode_label(data: Data, position: int) -> str:
    """The second of three Unicode strings behind the content, where they are there: command, label, path."""
    for number in range(2):
        size = int.from_bytes(bytes(data[position : position + 4]), "little")
        if number:
            return bytes(data[position + 4 : position + 4 + min(size * 2, MAX_TEXT)]).decode("utf-16-le", "replace")
        position += 4 + size * 2
    return ""


def _zero_ended(data: Data, position: int) -> tuple[str, int]:
    """Text up to a zero, and where it ends; -1 where it does not."""
    if position < 0:
        return "", -1
    piece = bytes(data[position : position + MAX_TEXT])
    end = piece.find(b"\0")
    return (piece[:end].decode("latin-1"), position + end + 1) if end >= 0 else ("", -1)


def package_pieces(data: Data, where: str, path: str, budget: Budget, symbol: str) -> Iterator[Piece]:
    """The file in a package as a piece with all its names; a link's target as evidence; else the data as they are."""
    package = read_package(data)
    if package is None:
        budget.note(symbol, where, path)
        # Native data of another kind: its size stands in front.
        yield from hand_out(budget, path, where, data[4:] if len(data) > 4 else data)  # noqa: PLR2004  # the size
        return
    if package.link:
        budget.note(symbols.OFFICE_EXTERNAL, package.source or package.label, path)
        return
    names = [name.replace("\\", "/").rpartition("/")[2] for name in (package.label, package.source, package.temporary)]
    known = list(dict.fromkeys([name for name in names if name])) or [where]
    budget.note(symbol, known[0], path)
    if not package.whole:
        budget.note(symbols.UNSCANNABLE_DOCUMENT, f"an embedded file that is cut short: {known[0]}", path)
    yield from hand_out(budget, path, f"{where}/{known[0]}", package.content, *known)
