"""Encoded words (RFC 2047) and raw 8-bit header text to str: bounded, linear, never an error."""

import binascii
import re
from typing import Final

from filterd.mime.charset import decode
from filterd.mime.limits import MAX_WORDS

_WORD: Final = re.compile(rb"=\?([^?\s]{1,75})\?([bBqQ])\?([^?]{0,2000})\?=")
_HEX: Final = re.compile(rb"=([0-9A-Fa-f]{2})")


def decode_words(value: bytes) -> str:
    """The text of a field value: encoded words decoded, blanks between neighbours dropped (RFC 2047, section 6.2).

    Neighbouring words of one charset are joined as bytes first: real mail cuts characters in two.
    """
    if b"=?" not in value:
        return decode(value, "utf-8")
    pieces: list[str] = []
    pending = b""
    charset = ""
    position = 0
    for count, match in enumerate(_WORD.finditer(value)):
        if count == MAX_WORDS:
            break
        between = value[position : match.start()]
        name = match[1].split(b"*")[0].decode("ascii", "replace").lower()
        if (between.strip() or name != charset) and pending:
            pieces.append(decode(pending, charset))
            pending = b""
        if between.strip() or (between and not position):
            pieces.append(decode(between, "utf-8"))
        pending += _payload(match[2], match[3])
        charset = name
        position = match.end()
    if pending:
        pieces.append(decode(pending, charset))
    pieces.append(decode(value[position:], "utf-8"))
    return "".join(pieces)


def _payload(kind: bytes, data: bytes) -> bytes:
    """One word's bytes under B (base64) or Q encoding."""
    if kind in b"bB":
        data = data.rstrip(b"= ")
        if len(data) % 4 == 1:
            data = data[:-1]
        try:
            return binascii.a2b_base64(data + b"=" * (-len(data) % 4))
        except binascii.Error:
            return data
    return _HEX.sub(lambda found: bytes([int(found[1], 16)]), data.replace(b"_", b" "))
