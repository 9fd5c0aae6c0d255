"""Which Authentication-Results fields speak in our name (RFC 8601, section 5).

A field that any reader could take for ours must go; a field that is plainly somebody else's stays. What cannot be
parsed is no evidence of anything, so there a mere mention of our name in front of the results is enough.
"""

import re
from typing import Final

from filterd.domains import normalise
from filterd.mime.words import decode_words

_LEADING: Final = re.compile(r"[\s;]*")  # before the name; a reader may pass over empty results too
_BLANKS: Final = re.compile(r"\s*")
# RFC 2045, section 5.1: a token; here with everything beyond ASCII, which is compared under IDNA.
_TOKEN: Final = re.compile(r"[^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]+")
_QUOTED: Final = re.compile(r"\"(?:[^\"\\]|\\.)*+\"", re.DOTALL)
_VERSION: Final = re.compile(r"[0-9]*")
_IN_COMMENT: Final = re.compile(r"[^()\\]++|\\.|[()\\]", re.DOTALL)
# Up to what ends the head or begins a comment; an unclosed quote reaches to the end.
_PLAIN: Final = re.compile(r"(?:[^;\"(]|\"(?:[^\"\\]|\\.)*+\"?)*+", re.DOTALL)


def claims_us(value: bytes, authserv_id: str) -> bool:
    """Whether a reader could take the field for ours. `value` as received, folds and all. Linear; never raises."""
    if _claims(value.decode(errors="ignore"), authserv_id):
        return True
    # A reader that decodes encoded words before it parses sees another text.
    return b"=?" in value and _claims(decode_words(value), authserv_id)


def _claims(text: str, ours: str) -> bool:
    start = _skip(_LEADING, text, 0)
    # A reader that ends comments elsewhere may find our name in front of the one we find.
    if mentions(text[:start], ours):
        return True
    token = _TOKEN.match(text, start) or _QUOTED.match(text, start)
    if token is not None and _head_ends(text, token.end()):
        name = _unquoted(token[0])
        if _TOKEN.fullmatch(name):
            return _same(name, ours)
    return any(mentions(head, ours) for head in _heads(text, start))


def _skip(blanks: re.Pattern[str], text: str, position: int) -> int:
    """The position behind blanks and comments, which nest; an unclosed comment reaches to the end."""
    while True:
        position = _end(blanks, text, position)
        if text[position : position + 1] != "(":
            return position
        position = _comment_end(text, position)


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Where a pattern that also matches nothing ends."""
    match = pattern.match(text, position)
    return position if match is None else match.end()


def _comment_end(text: str, position: int) -> int:
    depth = 0
    for match in _IN_COMMENT.finditer(text, position):
        depth += (match[0] == "(") - (match[0] == ")")
        if depth == 0:
            return match.end()
    return len(text)


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL) if token[0] == '"' else token


def _head_ends(text: str, position: int) -> bool:
    """Whether nothing but comments and a version number stands between the name and the results."""
    version = _skip(_BLANKS, text, position)
    position = _skip(_BLANKS, text, _end(_VERSION, text, version))
    return text[position : position + 1] in {"", ";"}


def _heads(text: str, start: int) -> tuple[str, str]:
    """What stands before the results, with and without comments."""
    pieces = []
    position = start
    while True:
        end = _end(_PLAIN, text, position)
        pieces.append(text[position:end])
        if text[end : end + 1] != "(":
            return text[start:end], "".join(pieces)
        position = _comment_end(text, end)


def mentions(text: str, ours: str) -> bool:
    """Whether our name stands anywhere in the text, whatever a reader may drop between its letters."""
    return _squashed(ours) in _squashed(text)


def _same(name: str, ours: str) -> bool:
    """Equal as text or as domain names."""
    if _squashed(name) == _squashed(ours):
        return True
    known = normalise(ours)
    return known is not None and normalise(name.rstrip(".")) == known


def _squashed(text: str) -> str:
    """Lower case, without what a reader may drop: blanks, controls, what is invisible, quotes, escapes, last dots."""
    kept = [character for character in text.lower() if character.isprintable() and character not in ' "\\']
    return "".join(kept).rstrip(".")
