"""Tag lists (RFC 6376, section 3.2): `name=value` pairs between semicolons, in signatures and in key records."""

import re
from functools import cache
from typing import Final

MAX_TAGS: Final = 64  # tags in one list; the RFCs define 14 for a signature, ARC adds two
FWS: Final = b" \t\r\n"  # folding white space, which may stand around names and values

_PLAIN: Final = bytes([*range(0x20, 0x7F), *FWS])  # VALCHAR, ";" and FWS
_NAME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")


class TagError(ValueError):
    """The text is no tag list; the message says why in words fit for a header field."""


def parse_tags(text: bytes) -> dict[bytes, bytes]:
    """Values by tag name, both without the white space around them, in the order they stand in; TagError otherwise.

    RFC 6376, section 3.2: names are case-sensitive, a name twice spoils the list, an empty value is a value.
    """
    if odd := text.translate(None, _PLAIN):
        _refuse_odd(text, odd)
    pieces = text.split(b";", MAX_TAGS + 1)
    if not pieces[-1].strip(FWS):
        pieces.pop()
    if len(pieces) > MAX_TAGS:
        raise TagError("too many tags")
    tags: dict[bytes, bytes] = {}
    for piece in pieces:
        name, equals, value = piece.partition(b"=")
        name = name.strip()  # what else strip() takes for white space is refused above
        if not equals or not (name.isalpha() or _NAME.fullmatch(name)):
            raise TagError("syntax error in tag list")
        if name in tags:
            raise TagError("duplicate tag")
        tags[name] = value.strip()
    return tags


def _refuse_odd(text: bytes, odd: bytes) -> None:
    """RFC 8616, section 4: beyond ASCII there is UTF-8; control characters are nowhere allowed."""
    if not min(odd) >= 0x80:  # noqa: PLR2004  # the first byte beyond ASCII
        raise TagError("control character in tag list")
    try:
        text.decode()
    except UnicodeDecodeError:
        raise TagError("neither ASCII nor UTF-8 in tag list") from None


def without_value(text: bytes, tag: bytes) -> bytes:
    """The list with this tag's value and the white space around it deleted (RFC 6376, section 3.7: b=)."""
    first, later = _places(tag)
    match = first.match(text) or later.search(text)
    if match is None:
        return text
    end = text.find(b";", match.end())
    return text[: match.end()] + (text[end:] if end >= 0 else b"")


@cache
def _places(tag: bytes) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """What stands before a tag's value, at the beginning and further on; apart, as a search needs a literal first."""
    name = rb"[ \t\r\n]*+" + re.escape(tag) + rb"[ \t\r\n]*+="
    return re.compile(name), re.compile(b";" + name)


def compact(value: bytes) -> bytes:
    """A value without any folding white space, as base64 and lists may carry it."""
    return value.translate(None, FWS)
