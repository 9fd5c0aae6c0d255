"""Line ends beside CRLF and LF: a bare carriage return, or a run of them, ends a line to some readers."""

import hashlib
import re
from typing import Final

_SIGN: Final = re.compile(rb"\r[\r-]")  # where such a reader may see other delimiters
_RUN: Final = re.compile(rb"\r*+\n?")
_MANY: Final = 262_144  # bytes looked at at once, and from which on that pays
_CR: Final = 13
_LF: Final = 10
_PIECE: Final = 65_536  # bytes treated at once
_ENDS: Final = re.compile(rb"\r++\n?|\n\r+(?!\n)")


def odd_ends(view: memoryview) -> bool:
    """Whether a reader that knows other line ends may see other delimiters."""
    if len(view) < _MANY:
        return _SIGN.search(view) is not None
    import numpy as np  # noqa: PLC0415  # inspectors have it; fronts, which walk no body, need not load it

    # A pattern stops at every end of a line. Few messages have a bare carriage return: those are searched with it.
    codes = np.frombuffer(view, np.uint8)
    for start in range(0, len(view), _MANY):
        piece = codes[start : start + _MANY + 1]
        if ((piece[:-1] == _CR) & (piece[1:] != _LF)).any():
            return _SIGN.search(view, start) is not None
    return False


def with_line_feeds(view: memoryview) -> memoryview:
    """The same with a line feed for every line end, whatever it was."""
    out = bytearray()
    start = 0
    while start < len(view):
        # In pieces: a list of all matches in a message takes many times its memory.
        end = min(start + _PIECE, len(view))
        run = _RUN.match(view, end)
        end = run.end() if run is not None else end
        out += _ENDS.sub(_feeds, bytes(view[start:end]))
        start = end
    return memoryview(out)


def _feeds(match: re.Match[bytes]) -> bytes:
    """One line feed for an end of line, one for each of several bare carriage returns."""
    return b"\n" if b"\n" in match[0] else b"\n" * len(match[0])


def fingerprint(raw: memoryview) -> bytes:
    """Equal for contents whose lines are the same, with CRLF or LF, to every reader."""
    return hashlib.sha256(bytes(raw).replace(b"\r\n", b"\n").rstrip(b"\n")).digest()
