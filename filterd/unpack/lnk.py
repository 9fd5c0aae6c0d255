"""Windows shortcuts ([MS-SHLLINK]): what they start, and with which arguments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.pieces import Piece, hand_out
from filterd.unpack.types import Data

MAX_BLOCKS: Final = 100  # extra data blocks looked at; there are eleven kinds
MAX_APPENDED: Final = 1_024  # bytes behind the end that are nothing
MAX_LIST: Final = 65_536  # bytes of the target's list that are searched for names
_HEADER: Final = 76
_HAS_LIST: Final = 0x01
_HAS_INFO: Final = 0x02
_UNICODE: Final = 0x80
# 2.4: strings in this order, each where its flag is set.
_STRINGS: Final = ((0x04, "name"), (0x08, "path"), (0x10, "folder"), (0x20, "arguments"), (0x40, "icon"))
_ENVIRONMENT: Final = 0xA0000001
_DARWIN: Final = 0xA0000006
_ICON: Final = 0xA0000007
_WORDS: Final = {_ENVIRONMENT: "target", _DARWIN: "program", _ICON: "icon"}
_WIDE: Final = re.compile(rb"(?:[\x20-\x7e]\0){3,260}")
_NARROW: Final = re.compile(rb"[\x20-\x7e]{4,260}")


@dataclass(slots=True)
class _Reader:
    """A place in the data."""

    data: bytes
    position: int
    whole: bool = True

    def take(self, size: int) -> bytes:
        """The next bytes."""
        piece = self.data[self.position : self.position + size]
        self.whole = self.whole and len(piece) == size
        self.position += size
        return piece

    def number(self, size: int) -> int:
        """A little-endian number."""
        return int.from_bytes(self.take(size), "little")


def pieces(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """A text of all that the shortcut says, and what was hung behind it."""
    reader = _Reader(bytes(data), _HEADER)
    flags = int.from_bytes(reader.data[20:24], "little")
    facts: dict[str, str] = {}
    if flags & _HAS_LIST:
        names = _names(reader.take(reader.number(2))[:MAX_LIST])
        if names:
            facts["list"] = names
    if flags & _HAS_INFO:
        place = _info(reader)
        if place:
            facts["file"] = place
    for flag, name in _STRINGS:
        if flags & flag:
            count = reader.number(2)
            raw = reader.take(count * 2 if flags & _UNICODE else count)
            facts[name] = raw.decode("utf-16-le" if flags & _UNICODE else "cp1252", "replace")
    _blocks(reader, facts)
    if not reader.whole:
        budget.note(symbols.UNSCANNABLE_DOCUMENT, "a shortcut that is cut short", path)
    target = facts.get("target") or facts.get("file") or facts.get("path") or facts.get("list", "")
    if facts.get("arguments"):
        budget.note(symbols.LNK_COMMAND, target, facts["arguments"].strip(), path)
    yield from hand_out(budget, path, "shortcut.txt", "".join([f"{key}: {facts[key]}\n" for key in facts]).encode())
    if len(reader.data) - reader.position > MAX_APPENDED:
        # Scripts and programs hide here: the shortcut's own command cuts them out.
        budget.note(symbols.LNK_COMMAND, f"{len(reader.data) - reader.position} bytes behind the end", path)
        yield from hand_out(budget, path, "appended", reader.data[reader.position :])


def _names(listing: bytes) -> str:
    """2.2: the target's way through the shell, as far as it is readable."""
    wide = [match[0].decode("utf-16-le") for match in _WIDE.finditer(listing)]
    return "/".join(wide or [match[0].decode("ascii") for match in _NARROW.finditer(listing)])


def _info(reader: _Reader) -> str:
    """2.3: the file's place on a volume or on the network."""
    size = reader.number(4)
    block = reader.data[reader.position - 4 : reader.position - 4 + size]
    reader.take(max(0, size - 4))
    offsets = [int.from_bytes(block[place : place + 4], "little") for place in range(4, 28, 4)]
    head, flags, _, local, network, suffix = offsets
    base = _ended(block, local) if flags & 1 else ""
    if flags & 2 and not base:
        base = _ended(block, network + int.from_bytes(block[network + 8 : network + 12], "little")) + "\\"
    end = _ended(block, suffix)
    if head >= 0x24 and flags & 1:  # noqa: PLR2004  # 2.3: such a header has room for Unicode offsets
        place = int.from_bytes(block[28:32], "little")
        wide = block[place : place + 520].decode("utf-16-le", "replace").partition("\0")[0] if place else ""
        base = wide or base
    return base + end


def _ended(block: bytes, place: int) -> str:
    """Text up to a zero."""
    return block[place : place + 260].partition(b"\0")[0].decode("cp1252", "replace") if place else ""


def _blocks(reader: _Reader, facts: dict[str, str]) -> None:
    """2.5: extra data, of which some blocks name a file as well."""
    for _ in range(MAX_BLOCKS):
        size = int.from_bytes(reader.data[reader.position : reader.position + 4], "little")
        if size < 4 or reader.position + size > len(reader.data):  # noqa: PLR2004  # 2.5.11: the terminal block
            # A size beyond the file is no block: the rest is something hung behind.
            reader.position += 4 if size < 4 else 0  # noqa: PLR2004  # as above
            return
        block = reader.take(size)
        word = _WORDS.get(int.from_bytes(block[4:8], "little"))
        if word is not None:
            wide = block[268:788].decode("utf-16-le", "replace").partition("\0")[0]
            facts[word] = wide or block[8:268].partition(b"\0")[0].decode("cp1252", "replace")
