"""What makes a pattern slow, read from its text: repetitions without a bound, and a start that fits everywhere."""

import re
from typing import Final

SHORTEST: Final = 3  # bytes; every occurrence of a shorter string costs a look, and mail is full of them

_QUANTIFIER: Final = re.compile(r"[*+]|\{\d*,\}")
# An atom of a regular expression: an escape, a class, or a character.
_ATOM: Final = re.compile(r"\\x[0-9a-fA-F]{2}|\\.|\[\^?\]?(?:\\.|[^\]\\])*+\]?|.", re.DOTALL)
_JUMP: Final = re.compile(r"\[\s*(?:\d+\s*)?-\s*\]")
_ESCAPE: Final = re.compile(r"\\x[0-9a-fA-F]{2}|\\.", re.DOTALL)
_VAGUE: Final = frozenset({"\\w", "\\W", "\\s", "\\S", "\\d", "\\D", "\\b", "\\B", "."})
_INVISIBLE: Final = frozenset({"\\b", "\\B", "^"})  # they take no byte


def slow(kind: str, body: str) -> str:
    """Why a pattern (kind and body as in grammar.Pattern) is likely to be slow, empty where nothing speaks for it."""
    if kind == "regex":
        return _regex(body[1 : body.rindex("/")] if body.count("/") > 1 else body[1:])
    if kind == "hex":
        return "a jump without an upper bound" if _JUMP.search(body) else ""
    size = len(_ESCAPE.sub("x", body[1:].removesuffix('"')).encode("utf-8", "surrogateescape"))
    return f"shorter than {SHORTEST} bytes" if size < SHORTEST else ""


def _regex(inner: str) -> str:
    at, first = 0, ""
    while at < len(inner):
        atom = _ATOM.match(inner, at)
        if atom is None:  # cannot be: the last alternative takes any character
            break
        at = atom.end()
        if not first and atom.group() not in _INVISIBLE:
            first = atom.group()
        repeated = _QUANTIFIER.match(inner, at)
        if repeated is not None:
            return f"{atom.group()[:20]}{repeated.group()} repeats without an upper bound"
    if first.startswith("[") or first in _VAGUE:
        return f"begins with {first[:20]}, which fits nearly everywhere: begin it with letters"
    return ""
