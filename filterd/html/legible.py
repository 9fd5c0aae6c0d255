"""How much of a document's text nobody can read: looked for in its source, which is enough for what is written to hide.

Spam hides words for filters in letters of a pixel, or in the colour of the page. Text that stands right in the element
with such a style is counted; what lies deeper is not, nor what style sheets do.
"""

import re
from typing import Final

_TEXT: Final = r"[^<>]{0,300}>([^<]{1,2000})"  # the rest of the tag, and the text behind it
_SMALL: Final = r"(?:[1-3](?:\.\d{1,4})?|0?\.\d{1,4})\s{0,4}(?:px|pt)"
_TINY: Final = re.compile(rf"font-size\s{{0,8}}:\s{{0,8}}{_SMALL}(?![\w.]){_TEXT}")
_COLOUR: Final = r"(#[0-9a-f]{3,6}|[a-z]{3,20})(?![\w#-])"
_SAME: Final = (
    re.compile(
        rf"(?<![\w-])color\s{{0,8}}:\s{{0,8}}{_COLOUR}[^\"'<>]{{0,200}}background(?:-color)?\s{{0,8}}:\s{{0,8}}\1(?![\w#-])"
        rf"{_TEXT}"
    ),
    re.compile(
        rf"background(?:-color)?\s{{0,8}}:\s{{0,8}}{_COLOUR}[^\"'<>]{{0,200}}(?<![\w-])color\s{{0,8}}:\s{{0,8}}\1(?![\w#-])"
        rf"{_TEXT}"
    ),
)
_WHITE: Final = re.compile(
    r"<font[^<>]{0,100}\scolor\s{0,4}=\s{0,4}[\"']?(?:#f[a-f]f[a-f]f[a-f]|#fff|white)(?![\w])" + _TEXT
)


def unreadable(source: str) -> tuple[int, int]:
    """Characters too small to be read, and characters of the colour they stand on; `source` in lower case. Linear."""
    tiny = _characters(_TINY, source) if "font-size" in source else 0
    faint = 0
    if "background" in source:
        faint = sum([len(match[2].strip()) for same in _SAME for match in same.finditer(source)])
    elif "bgcolor" not in source and "<font" in source:
        faint = _characters(_WHITE, source)
    return tiny, faint


def _characters(pattern: re.Pattern[str], source: str) -> int:
    return sum([len(text.strip()) for text in pattern.findall(source)])
