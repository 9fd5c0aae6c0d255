"""Line ends beside CRLF and LF: a bare carriage return, or a run of them, ends a line to some readers."""

import hashlib
import re
from typing import Final

_SIGN: Final = re.compile(rb"\r[\r-]")  # where such a reader may see other delimiters
_ENDS: Final = re.compile(rb"\r++\n?|\n\r+(?!\n)")


def odd_ends(view: memoryview) -> bool:
    """Whether a reader that knows other line ends may see other delimiters."""
    return _SIGN.search(view) is not None


def with_line_feeds(view: memoryview) -> memoryview:
    """The same with a line feed for every line end, whatever it was."""
    return memoryview(_ENDS.sub(_feeds, bytes(view)))


def _feeds(match: re.Match[bytes]) -> bytes:
    """One line feed for an end of line, one for each of several bare carriage returns."""
    return b"\n" if b"\n" in match[0] else b"\n" * len(match[0])


def fingerprint(raw: memoryview) -> bytes:
    """Equal for contents whose lines are the same, with CRLF or LF, to every reader."""
    return hashlib.sha256(bytes(raw).replace(b"\r\n", b"\n").rstrip(b"\n")).digest()
