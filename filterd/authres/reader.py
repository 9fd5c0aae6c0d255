"""What another server reports in (ARC-)Authentication-Results, read strictly (RFC 8601, section 2.2).

For fields of servers that the operator trusts, which still may hold what a stranger made them write. So a field whose
quotes, comments or characters leave two readings says nothing at all, and a result that does not follow the grammar,
has a property twice or a comment that touches other text, is left out whole. Linear; never raises.

Deviations, each of which big senders need: a bare name=value between properties (action=none) is passed over, as is a
property whose value is no value of the RFC; empty results and a last semicolon are too.
"""

import re
from dataclasses import dataclass
from typing import Final

from filterd.model.authentication import ReportedResult

MAX_FIELD: Final = 16_384  # bytes; as of a signature field, the longest seen have some 2,000
MAX_RESULTS: Final = 64  # results in one field; mail with eight signatures has a dozen
MAX_PROPERTIES: Final = 32  # of one result; eleven are registered for any method
MAX_VALUE: Final = 320  # characters of one value: an address's most (RFC 5321, section 4.5.3.1)

_FOLD: Final = re.compile(r"\r\n(?=[ \t])")
_ODD: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")  # folds are gone by then
_PLAIN: Final = re.compile(r"[^;\"()\\]++")
_QUOTED: Final = re.compile(r"\"(?:[^\"\\]|\\.)*+\"")
_IN_COMMENT: Final = re.compile(r"[^()\\]++|\\.|[()]")

_AROUND: Final = frozenset({"", " ", "\t", ";", "(", ")"})
_BEFORE_QUOTES: Final = frozenset({"", " ", "\t", ";", "="})  # elsewhere some take a quote for a plain character
_NOWHERE: Final = "\\"  # a character that no result can hold outside quotes

_SPACE: Final = r"[ \t]*+"
_KEYWORD: Final = r"[A-Za-z0-9][A-Za-z0-9-]*+(?<!-)"  # RFC 5321, section 4.1.2, with the hyphens that methods have
# RFC 2045, section 5.1: a token.
_TOKEN: Final = r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+"  # noqa: S105  # a word of a grammar
_HEAD: Final = re.compile(rf"{_SPACE}({_TOKEN}|\"(?:[^\"\\]|\\.)*+\")(?:[ \t]++([0-9]++))?{_SPACE}\Z")
_METHOD: Final = re.compile(
    rf"{_SPACE}({_KEYWORD}){_SPACE}(?:/{_SPACE}([0-9]++){_SPACE})?={_SPACE}({_KEYWORD})(?=[ \t]|\Z)"
)
_PROPERTY: Final = re.compile(
    rf"[ \t]++(?:({_KEYWORD}){_SPACE}\.{_SPACE})?({_KEYWORD}){_SPACE}={_SPACE}"
    r"((?:\"(?:[^\"\\]|\\.)*+\"|[^ \t\"\\])++)(?=[ \t]|\Z)"
)
# RFC 8601, section 2.2, pvalue: a value, or a domain with or without @ and a local part; what is beyond ASCII may stand
# in both (RFC 8616, section 5).
_VALUE: Final = re.compile(
    rf"(?:{_TOKEN})|\"(?:[^\"\\]|\\.)*+\"|"
    r"(?:\"(?:[^\"\\]|\\.)*+\"|[!#$%&'*+/=?^_`{|}~.0-9A-Za-z\x80-\U0010ffff-]++)?@[0-9A-Za-z._\x80-\U0010ffff-]+|"
    r"[0-9A-Za-z._\x80-\U0010ffff-]+"
)


@dataclass(frozen=True, slots=True)
class Reported:
    """One field: who wrote it, and the results that could be read."""

    authserv_id: str
    results: tuple[ReportedResult, ...] = ()


def read_results(value: bytes) -> Reported | None:
    """The results in a field's value, or None where the field says nothing that is sure."""
    if len(value) > MAX_FIELD:
        return None
    try:
        text = _FOLD.sub("", value.decode())
    except UnicodeDecodeError:
        return None
    pieces = None if _ODD.search(text) else _split(text)
    head = _HEAD.match(pieces[0]) if pieces else None
    # RFC 8601, section 2.2: there is no other version than 1.
    if pieces is None or head is None or int((head[2] or "1")[:2]) != 1:
        return None
    if len(pieces) - 1 > MAX_RESULTS:
        return None
    results = [_result(piece) for piece in pieces[1:]]
    return Reported(_unquoted(head[1]), tuple([result for result in results if result is not None]))


def _split(text: str) -> list[str] | None:
    """The text between semicolons, comments replaced; None where a quote or a comment is not one for every reader."""
    pieces: list[str] = []
    piece: list[str] = []
    position = 0
    while position < len(text):
        if text[position] == ";":
            pieces.append("".join(piece))
            piece = []
            position += 1
        elif text[position] == "(":
            end = _comment_end(text, position)
            if end is None:
                return None
            # A comment stands for a blank. On one that begins or ends inside a word programs differ.
            alone = text[position - 1 : position] in _AROUND and text[end : end + 1] in _AROUND
            piece.append(" " if alone else _NOWHERE)
            position = end
        else:
            match = _PLAIN.match(text, position) or _QUOTED.match(text, position)
            if match is None or (text[position] == '"' and text[position - 1 : position] not in _BEFORE_QUOTES):
                return None
            piece.append(match[0])
            position = match.end()
    pieces.append("".join(piece))
    return pieces


def _comment_end(text: str, position: int) -> int | None:
    depth = 0
    for match in _IN_COMMENT.finditer(text, position):
        depth += (match[0] == "(") - (match[0] == ")")
        if depth == 0:
            return match.end()
    return None


def _result(piece: str) -> ReportedResult | None:
    """One resinfo, None where it is none, and for `none` in the place of all results."""
    method = _METHOD.match(piece)
    if method is None or int((method[2] or "1")[:2]) != 1:
        return None
    properties: dict[str, str] = {}
    position, found = method.end(), 0
    while match := _PROPERTY.match(piece, position):
        position, found = match.end(), found + 1
        if found > MAX_PROPERTIES:
            return None
        if match[1] is None:
            continue  # reason=, or what is no property
        name = f"{match[1]}.{match[2]}".lower()
        if name in properties:
            return None
        properties[name] = _unquoted(match[3]) if _VALUE.fullmatch(match[3]) else ""
    if piece[position:].strip(" \t"):
        return None
    known = [(name, value) for name, value in properties.items() if 0 < len(value) <= MAX_VALUE]
    return ReportedResult(method[1].lower(), method[3].lower(), tuple(known))


def _unquoted(text: str) -> str:
    """A value without the quotes that begin it; those around a local part go as well."""
    if not text.startswith('"'):
        return text
    quoted = _QUOTED.match(text)
    end = len(text) if quoted is None else quoted.end()
    return re.sub(r"\\(.)", r"\1", text[1 : end - 1]) + text[end:]
