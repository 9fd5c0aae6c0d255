"""Fields of Word's XML (ECMA-376 part 1, 17.16): instructions are spread over runs, or put together by others."""

import html
import re
from typing import Final

from filterd.unpack.dde import field_command, quoted

MAX_DEPTH: Final = 32  # fields inside each other
MAX_TEXT: Final = 4_000  # characters of one instruction
_MARK: Final = re.compile(rb"<(?:\w{1,40}:)?(fldChar|fldSimple|instrText|t)\b([^<>]{0,10000})>([^<]*+)")
_KIND: Final = re.compile(rb"""fldCharType\s{0,10}=\s{0,10}["'](\w{1,20})""")
_SIMPLE: Final = re.compile(rb"""\binstr\s{0,10}=\s{0,10}(?:"([^"<]{0,8000})"|'([^'<]{0,8000})')""")


def commands(text: bytes) -> tuple[str, ...]:
    """The instructions of DDE fields. Linear."""
    found: dict[str, None] = {}
    open_fields: list[list[str]] = []
    for match in _MARK.finditer(text):
        element, tag, content = match.groups()
        if element == b"fldSimple":
            simple = _SIMPLE.search(tag)
            if simple is not None:
                found[field_command(_plain(simple[1] or simple[2] or b""))] = None
        elif element == b"fldChar":
            kind = _KIND.search(tag)
            _mark(kind[1] if kind is not None else b"", open_fields, found)
        elif open_fields and (element == b"instrText" or len(open_fields) > 1):
            # Text between the marks of an inner field is its result, a piece of the outer one's instruction.
            open_fields[-1].append(_plain(content))
    for field in open_fields:
        found[field_command("".join(field)[:MAX_TEXT])] = None
    found.pop("", None)
    return tuple(found)[:10]


def _mark(kind: bytes, open_fields: list[list[str]], found: dict[str, None]) -> None:
    """The begin, the middle or the end of a field."""
    if kind == b"begin":
        if len(open_fields) < MAX_DEPTH:
            open_fields.append([])
    elif kind in (b"separate", b"end") and open_fields:
        instruction = "".join(open_fields[-1])[:MAX_TEXT]
        found[field_command(instruction)] = None
        if kind == b"end":
            open_fields.pop()
            if open_fields:
                open_fields[-1].append(quoted(instruction))


def _plain(content: bytes) -> str:
    """Text without entities."""
    return html.unescape(content[:MAX_TEXT].decode("utf-8", "replace"))
