"""Whether a document may be handed to the parser: a linear look at its nesting and attributes."""

import re
from typing import Final

MAX_BYTES: Final = 8_000_000  # of one document; lexbor takes about 6 ms per million
MAX_NESTING: Final = 3_000  # open elements; lexbor needs about 6 ms for these, and 16 times that for 4 times as many
MAX_ATTRIBUTES: Final = 3_000  # of one tag; quadratic as well
_SMALL: Final = 16_384  # bytes; nothing so small can cost more than a few milliseconds

_TAG: Final = re.compile(rb"<(/?)([A-Za-z][A-Za-z0-9]*)")
_TOKEN: Final = re.compile(rb"[<>\"']")
_QUOTED_END: Final = re.compile(rb"=\s*+(?:\"[^\">]*+>|'[^'>]*+>)")
# Elements that never hold others of their kind open, or hold nothing.
_FLAT: Final = frozenset(
    b"p li td tr th dt dd option br img hr meta link input area base col embed source wbr tbody thead tfoot".split()
)


def too_deep(data: bytes) -> bool:
    """True where more than MAX_NESTING elements may be open at one time. Never too low an estimate."""
    if data.count(b"<") <= MAX_NESTING:
        return False
    opened: dict[bytes, int] = {}
    depth = 0
    for match in _TAG.finditer(data):
        name = match[2].lower()
        if name in _FLAT:
            continue
        if not match[1]:
            opened[name] = opened.get(name, 0) + 1
            depth += 1
            if depth > MAX_NESTING:
                return True
        elif opened.get(name):
            opened[name] -= 1
            depth -= 1
    return False


def too_wide(data: bytes) -> bool:
    """True where one tag has more than about MAX_ATTRIBUTES attributes."""
    if len(data) <= _SMALL:
        return False
    pieces = data.split(b">")
    # A tag can only be long if it holds no ">", or holds it in quotes.
    if max(map(len, pieces)) <= _SMALL and _QUOTED_END.search(data) is None:
        return False
    return _widest(data) > MAX_ATTRIBUTES


def _widest(data: bytes) -> int:
    """The most separators outside quotes in one tag."""
    most = count = position = 0
    inside = False
    quote = b""
    for match in _TOKEN.finditer(data):
        token = match[0]
        if quote:
            if token == quote:
                quote, position = b"", match.end()
                count += 1
            continue
        start = match.start()
        if not inside:
            if token == b"<" and data[start + 1 : start + 2].isalpha():
                inside, count, position = True, 0, start
            continue
        between = data[position:start]
        position = match.end()
        count += _separators(between)
        if token == b">":
            most = max(most, count)
            inside = False
        elif token != b"<" and between.rstrip()[-1:] == b"=":
            quote = token
    return max(most, count + _separators(data[position:]) if inside and not quote else most)


def _separators(text: bytes) -> int:
    """How many attributes a stretch of a tag may hold: words and slashes."""
    return len(text.split()) + text.count(b"/")
