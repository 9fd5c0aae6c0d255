"""winmail.dat ([MS-OXTNEF]): Outlook's own form of a message, attribute by attribute."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.pieces import Piece, hand_out
from filterd.unpack.tnef_properties import Property, read_properties
from filterd.unpack.tnef_rtf import unpack_rtf
from filterd.unpack.types import Data

MAX_ATTACHMENTS: Final = 1_000  # of one message
_HEAD: Final = struct.Struct("<BLL")  # level, id, length
_START: Final = 6  # bytes of signature and key
_RENDERING: Final = 0x9002  # begins an attachment
_TITLE: Final = 0x8010
_DATA: Final = 0x800F
_ATTACHED: Final = 0x9005
_MESSAGE: Final = 0x9003
_BODY: Final = 0x800C
_BINARY_NAMES: Final = (0x3707, 0x3704, 0x3001)
_BINARY: Final = 0x3701
_TEXT: Final = 0x1000
_HTML: Final = 0x1013
_RTF: Final = 0x1009
_GUID: Final = 16  # bytes before an embedded message's own stream


@dataclass(slots=True)
class _Attachment:
    """What has been read of one."""

    names: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)


def pieces(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """Texts and attachments. Linear."""
    whole = bytes(data)
    position = _START
    current: _Attachment | None = None
    count = 0
    while position < len(whole):
        if position + _HEAD.size > len(whole):
            budget.note(symbols.UNSCANNABLE_DOCUMENT, "tnef: bytes behind the end", path)
            break
        _, number, size = _HEAD.unpack_from(whole, position)
        position += _HEAD.size
        content = whole[position : position + size]
        position += size + 2  # the checksum
        if position > len(whole):
            # What is there of the last attribute is looked at all the same.
            budget.note(symbols.UNSCANNABLE_DOCUMENT, "tnef: cut short", path)
        kind = number & 0xFFFF
        if kind in (_RENDERING, _TITLE, _DATA, _ATTACHED):
            if kind == _RENDERING or current is None:
                yield from _done(current, count, path, budget)
                count += 1
                current = _Attachment()
            if count > MAX_ATTACHMENTS or budget.stopped:
                budget.note(symbols.UNSCANNABLE_DOCUMENT, "tnef: more attachments than are read", path)
                return
            _take(current, kind, content, path, budget)
        elif kind in (_MESSAGE, _BODY):
            yield from _texts(kind, content, path, budget)
    yield from _done(current, count, path, budget)


def _take(current: _Attachment, kind: int, content: bytes, path: str, budget: Budget) -> None:
    """One attribute of an attachment."""
    if kind == _TITLE:
        current.names.append(content.partition(b"\0")[0].decode("cp1252", "replace"))
    elif kind == _DATA:
        current.contents.append(content)
    elif kind == _ATTACHED:
        for one in _properties(content, path, budget):
            if one.number in _BINARY_NAMES:
                current.names.insert(0, one.text())
            elif one.number == _BINARY:
                # An embedded message has its class's number in front.
                inner = one.content[_GUID:]
                current.contents.append(inner if inner[:4] == b"\x78\x9f\x3e\x22" else one.content)


def _done(current: _Attachment | None, count: int, path: str, budget: Budget) -> Iterator[Piece]:
    """Hand over an attachment."""
    if current is None:
        return
    names = list(dict.fromkeys([name for name in current.names if name])) or [f"attachment-{count}"]
    for content in dict.fromkeys(current.contents):
        yield from hand_out(budget, path, names[0], content, *names)


def _texts(kind: int, content: bytes, path: str, budget: Budget) -> Iterator[Piece]:
    """The message's text in its forms."""
    if kind == _BODY:
        yield from hand_out(budget, path, "body.txt", content)
        return
    for one in _properties(content, path, budget):
        if one.number == _RTF:
            yield from hand_out(budget, path, "body.rtf", unpack_rtf(one.content, budget.allowance(len(one.content))))
        elif one.number == _HTML:
            yield from hand_out(budget, path, "body.html", one.content)
        elif one.number == _TEXT:
            yield from hand_out(budget, path, "body.txt", one.text().encode())


def _properties(content: bytes, path: str, budget: Budget) -> tuple[Property, ...]:
    """MAPI properties; what is beyond the first broken one is lost, and said."""
    found, whole = read_properties(content)
    if not whole:
        budget.note(symbols.UNSCANNABLE_DOCUMENT, "tnef: properties that cannot be read", path)
    return found
