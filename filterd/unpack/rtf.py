"""RTF (1.9.1): objects written in hexadecimal digits, however they are disguised; templates and DDE fields.

Word skips nearly everything that is no digit. What stands in groups it does not know it skips as well, and other
programs do not: where the two readings give different bytes, both are handed out.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.dde import field_command, field_link
from filterd.unpack.pieces import Piece
from filterd.unpack.rtf_object import object_pieces
from filterd.unpack.types import Data

MAX_OBJECTS: Final = 1_000  # of one text
MAX_FIELD: Final = 4_000  # bytes of a field's instruction
LEAST: Final = 4  # bytes that make an object
_WAITING: Final = 65_536  # digits that are kept before they become bytes
_DATA: Final = b"objdata"
_START: Final = re.compile(rb"\\objdata(?![a-zA-Z])-?\d{0,20} ?")
_TOKEN: Final = re.compile(
    rb"(?P<hex>[0-9A-Fa-f\s\0]{1,65536}+)"
    rb"|\\(?P<word>[a-zA-Z]{1,64}+)(?P<number>-?\d{0,20}+) ?"
    rb"|\\'(?P<char>[0-9A-Fa-f]{0,2})"
    rb"|\\(?P<symbol>[^a-zA-Z'])"
    rb"|(?P<open>\{)|(?P<close>\})"
    rb"|(?P<junk>[^\\{}0-9A-Fa-f\s\0]++|\\)"
)
_BLANKS: Final = b" \t\r\n\f\v\0"
_TEMPLATE: Final = re.compile(rb"\\template(?![a-zA-Z])([^{}]{1,2000})")
_REMOTE: Final = re.compile(r"(?:https?|ftp|file|mhtml):|\\\\", re.IGNORECASE)
_FIELD: Final = re.compile(rb"\\fldinst(?![a-zA-Z])")
_NO_TEXT: Final = re.compile(rb"\\[a-zA-Z]{1,64}+-?\d{0,20}+ ?|[{}\r\n]|\\\*")
_CHARACTER: Final = re.compile(rb"\\'([0-9A-Fa-f]{2})")


@dataclass(slots=True)
class _Hex:
    """Digits as they come, and bytes that stand among them as they are."""

    out: bytearray = field(default_factory=bytearray)
    digits: bytearray = field(default_factory=bytearray)

    def add(self, content: bytes) -> None:
        """Digits without blanks."""
        self.digits += content
        if len(self.digits) > _WAITING:
            self._take(len(self.digits) & ~1)

    def raw(self, content: bytes) -> None:
        """Bytes that stand there as they are; a single digit before them is left out."""
        self.flush()
        self.out += content

    def flush(self) -> None:
        """All digits to bytes."""
        self._take(len(self.digits) & ~1)
        self.digits.clear()

    def _take(self, count: int) -> None:
        self.out += binascii.unhexlify(self.digits[:count])
        del self.digits[:count]


@dataclass(slots=True)
class _Object:
    """One object's data; `every` is kept from where readers part. `odd` says what is between the digits."""

    known: _Hex = field(default_factory=_Hex)
    every: _Hex | None = None
    odd: dict[str, None] = field(default_factory=dict)

    def add(self, content: bytes, *, digits: bool, ignored: bool) -> None:
        """Digits with blanks, or bytes as they are."""
        if digits:
            content = content.translate(None, _BLANKS)
        if ignored and self.every is None and content:
            self.every = _Hex(bytearray(self.known.out), bytearray(self.known.digits))
        for reading in (None if ignored else self.known, self.every):
            if reading is not None and digits:
                reading.add(content)
            elif reading is not None:
                reading.raw(content)

    def readings(self) -> tuple[bytes, ...]:
        """The different ones of some length."""
        self.known.flush()
        found = {bytes(self.known.out): None}
        if self.every is not None:
            self.every.flush()
            found[bytes(self.every.out)] = None
        return tuple([content for content in found if len(content) >= LEAST])


def pieces(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """The objects; the rest as findings. Linear."""
    text = bytes(data)
    _links(text, path, budget)
    position = count = 0
    while (match := _START.search(text, position)) is not None:
        found, position = read_object(text, match.end())
        odd = dict(found.odd)
        if not text.startswith(b"{\\rtf"):
            odd["header"] = None
        readings = found.readings()
        if odd and readings:
            budget.note(symbols.RTF_OBFUSCATED, ", ".join(odd), path)
        for content in readings:
            count += 1
            if count > MAX_OBJECTS or budget.stopped:
                budget.note(symbols.UNSCANNABLE_DOCUMENT, "more objects than are read", path)
                return
            yield from object_pieces(content, f"object-{count}", path, budget)


def read_object(text: bytes, position: int) -> tuple[_Object, int]:
    """What stands from here to the end of the group or to the next object, and where that is."""
    found = _Object()
    depth = 0
    ignored = 0  # the depth of an unknown group that readers skip, 0 outside of one
    star = False
    while (match := _TOKEN.match(text, position)) is not None:
        kind = match.lastgroup
        position = match.end()
        if kind == "hex":
            found.add(match[0], digits=True, ignored=bool(ignored))
        elif kind == "open":
            depth += 1
            found.odd["group"] = None
        elif kind == "close":
            if not depth:
                break
            depth -= 1
            ignored = 0 if depth < ignored else ignored
        elif kind in ("word", "number"):
            if match["word"] == _DATA:
                return found, match.start()
            if star and not ignored:
                ignored = depth
            position = _word(found, text, match, ignored=bool(ignored))
        else:
            found.odd[kind or "junk"] = None
        star = kind == "symbol" and match[0] == b"\\*"
    return found, position


def _word(found: _Object, text: bytes, match: re.Match[bytes], *, ignored: bool) -> int:
    """A control word among the digits; where to go on behind it."""
    if match["word"] != b"bin":
        found.odd["control word"] = None
        return match.end()
    size = max(0, int(match["number"] or b"0") if match["number"] != b"-" else 0)
    found.odd["bin"] = None
    if size:
        found.add(text[match.end() : match.end() + size], digits=False, ignored=ignored)
    return min(match.end() + size, len(text))


def _links(text: bytes, path: str, budget: Budget) -> None:
    """Templates from elsewhere, and fields that ask another program."""
    for match in _TEMPLATE.finditer(text):
        target = _plain(match[1]).strip()
        if _REMOTE.match(target):
            budget.note(symbols.OFFICE_TEMPLATE, target, path)
    begins = [match.end() for match in _FIELD.finditer(text)]
    for begin, following in pairwise([*begins, len(text)]):
        end = text.find(b"\\fldrslt", begin, min(begin + MAX_FIELD, following))
        instruction = _plain(text[begin : end if end >= 0 else min(begin + MAX_FIELD, following)])
        budget.link(field_link(instruction))
        command = field_command(instruction)
        if command:
            budget.note(symbols.OFFICE_DDE, command, path)


def _plain(content: bytes) -> str:
    """A destination's text without control words; a backslash that is meant is written twice."""
    content = content.replace(b"\\\\", b"\x00")
    content = _NO_TEXT.sub(b"", _CHARACTER.sub(lambda match: bytes.fromhex(match[1].decode()), content))
    return content.replace(b"\x00", b"\\").decode("latin-1")
