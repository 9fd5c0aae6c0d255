"""Files written into the text of a message: uuencode, which some clients still turn into attachments."""

import binascii
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from filterd.mime.limits import MAX_UUENCODED

Data: TypeAlias = bytes | memoryview

_MARK: Final = rb"begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n"
_BEGIN: Final = re.compile(rb"\n" + _MARK)
_DECLARED: Final = re.compile(rb"(?:\A|\n)begin [0-7]+(?: [^\r\n]*)?\r?\n")  # as lax as the laxest decoder
_AT_START: Final = re.compile(_MARK)


def uuencoded(data: Data) -> Iterator[tuple[str, bytes]]:
    """Name and content of each uuencoded file in a text; what cannot be decoded is left out. Linear; never raises."""
    position = 0
    for _ in range(MAX_UUENCODED):
        match = (None if position else _AT_START.match(data)) or _BEGIN.search(data, position)
        if match is None:
            return
        content, position = _decode(data, match.end())
        if content:
            yield match[1].decode("utf-8", "replace").strip(), content


def uudecoded(data: Data) -> bytes:
    """The content of a part that is declared as uuencoded; empty where nothing begins."""
    match = _DECLARED.search(data)
    return _decode(data, match.end())[0] if match is not None else b""


def _decode(data: Data, start: int) -> tuple[bytes, int]:
    """Decode line by line until "end" or a line that is none; where to go on."""
    out = bytearray()
    position = start
    while (match := _LINE.match(data, position)) is not None:
        line = match[1]
        position = match.end()
        # Blanks at the end of a line get lost and stand for zeros: never for more of them than there is text.
        if not line or line.startswith((b"end", b"====")) or len(out) > position - start:
            break
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:
            try:
                # Some encoders pad lines: the length in front tells how much of it counts.
                out += binascii.a2b_uu(line[: (((line[0] - 32) & 63) * 4 + 5) // 3])
            except binascii.Error:
                break
    return bytes(out), max(position - 1, start)


_LINE: Final = re.compile(rb"([^\r\n]{0,2000})(?:\r?\n|\Z)")
