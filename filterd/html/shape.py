"""Whether, and in how many pieces, a document may be handed to the parser: a linear look at its tags.

Nobody but the parser knows which end tags count: those in comments, attributes and scripts do not. So what bounds the
parser's work here is taken from start tags alone, as if nothing ever ended, and is never too low.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

MAX_BYTES: Final = 8_000_000  # of one document; lexbor takes about 6 ms per million
MAX_NESTING: Final = 3_000  # open elements; lexbor needs about 6 ms for these, and 16 times that for 4 times as many
MAX_ATTRIBUTES: Final = 1_000  # of one tag; quadratic as well, 1.6 microseconds each at this size
MAX_WORK: Final = 30_000_000  # elements that may be open times tags; lexbor does some 300 million a second
MAX_COPIES: Final = 300_000  # elements that may be opened anew, see too_many_copies; 0.3 kB each
PIECE: Final = 1_500  # tags in a piece of a document that is parsed in pieces
_SMALL: Final = 2 * MAX_ATTRIBUTES  # bytes; each takes two
_SMALL_DOCUMENT: Final = 8_192  # bytes; whatever stands in it costs less than 30 milliseconds

_TAG: Final = re.compile(rb"<(/?)([A-Za-z][A-Za-z0-9]*)")
_UNCLOSED: Final = re.compile(rb"=\s*+(?:\"[^\"]*+\Z|'[^']*+\Z)")
_TAG_OPEN: Final = re.compile(rb"<[A-Za-z][^\s/]*+")
_QUOTED_END: Final = re.compile(rb"=\s*+(?:\"[^\">]*+>|'[^'>]*+>)")
_OPEN: Final = re.compile(rb"<")
# WHATWG HTML 13.2.4.3: a formatting element that a block's end closes is opened again in the next one.
_FORMATTING: Final = re.compile(
    rb"<(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])[^>]*+", re.IGNORECASE
)
_ANY_FORMATTING: Final = re.compile(
    rb"(</?)(?=(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/>])", re.IGNORECASE
)
# WHATWG HTML 13.2.5.32 to 39, as far as they part one attribute from the next; a group is empty where a quote is open.
_ATTRIBUTE: Final = re.compile(
    rb"[\s/]*+(?:\Z|[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+(\"|\Z)|'[^']*+('|\Z)|[^\s\"'>][^\s>]*+)?+)?+)"
)
_ALIKE: Final = 3  # WHATWG HTML 13.2.4.3, "Noah's Ark": so many formatting elements that are the same are kept
# Elements that never hold others of their kind open, or hold nothing.
_FLAT: Final = frozenset(
    b"p li td tr th dt dd option br img hr meta link input area base col embed source wbr tbody thead tfoot".split()
)


def too_deep(data: bytes) -> bool:
    """True where more than MAX_NESTING elements are open at one time, if all end tags count."""
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


def pieces(data: bytes) -> Iterator[bytes]:
    """The document whole where that is cheap to parse whatever its end tags are worth; else cut every so many tags."""
    tags = data.count(b"<")
    if tags * tags <= MAX_WORK or tags * _opened(data) <= MAX_WORK:
        yield data
        return
    start = 0
    for count, match in enumerate(_OPEN.finditer(data), 1):
        if count % PIECE == 0:
            yield data[start : match.start()]
            start = match.start()
    yield data[start:]


def _opened(data: bytes) -> int:
    """How many elements are opened that may hold others."""
    return sum([not match[1] and match[2].lower() not in _FLAT for match in _TAG.finditer(data)])


def too_many_copies(data: bytes) -> bool:
    """True where the parser may make very many elements of few tags.

    Every tag may end a block in which formatting elements are open, and every one of those is then made anew: of
    elements that are the same three at most, of links one.
    """
    tags = data.count(b"<")
    if tags * tags <= MAX_COPIES:
        return False
    found = _FORMATTING.findall(data)
    if (len(found) + 1) * tags <= MAX_COPIES:
        return False
    kinds = Counter(found)
    kept = sum([min(count, _ALIKE) if _is_whole(tag) else count for tag, count in kinds.items()])
    return (kept + 1) * tags > MAX_COPIES


def _is_whole(tag: bytes) -> bool:
    """True where the tag ends at its first ">": two that look alike up to there are the same."""
    name = _TAG_OPEN.match(tag)
    return name is not None and not _attributes(tag, name.end(), 0)[1]


def without_formatting(data: bytes) -> bytes:
    """The document with its formatting elements under other names (x-a, x-b), to which no rule applies."""
    return _ANY_FORMATTING.sub(rb"\1x-", data)


def too_wide(data: bytes) -> bool:
    """True where one tag may have more than about MAX_ATTRIBUTES attributes. Never too low an estimate."""
    if len(data) <= _SMALL_DOCUMENT:
        return False
    pieces = data.split(b">")
    # A tag can only be long if it holds no ">", or holds it in quotes.
    if _QUOTED_END.search(data) is None:
        pieces = [piece for piece in pieces if len(piece) > _SMALL]
    return _widest(pieces) > MAX_ATTRIBUTES


def _widest(pieces: list[bytes]) -> int:
    """The most attributes that a tag may have, of a document cut at every ">"; stops at one that has too many.

    Only the parser knows whether a ">" stands in quotes, or a tag in a comment. So everything that may be is followed
    from piece to piece: a tag that begins in it, and those that go on behind a value in either kind of quotes.
    """
    most = 0
    inside: dict[bytes, int] = {}
    for piece in pieces:
        if not inside and len(piece) <= _SMALL and _UNCLOSED.search(piece) is None:
            continue
        begin = _TAG_OPEN.search(piece)
        read = [_attributes(piece, begin.end(), 0)] if begin is not None else []
        goes_on: dict[bytes, int] = {}
        for quote, count in inside.items():
            place = piece.find(quote)
            read.append((count, quote) if place < 0 else _attributes(piece, place + 1, count))
        for count, quote in read:
            most = max(most, count)
            if quote:
                goes_on[quote] = max(goes_on.get(quote, 0), count)
        if most > MAX_ATTRIBUTES:
            break
        inside = goes_on
    return most


def _attributes(piece: bytes, start: int, before: int) -> tuple[int, bytes]:
    """How many attributes there are with those before, and the quote that is open at the end, as the parser sees it."""
    count = before
    for match in _ATTRIBUTE.finditer(piece, start):
        count += 1
        if b"" in (match[1], match[2]):
            return count, b'"' if match[1] == b"" else b"'"
        if count > MAX_ATTRIBUTES:
            break
    return count, b""
