"""The symbols of ambiguous and unscannable content, and how a finding is made from hostile text.

They stand here, low in the layers, because the front's side names them too.
"""

from typing import Final

from filterd.mime.limits import EVIDENCE
from filterd.model.report import Finding

AMBIGUOUS_BOUNDARY: Final = "AMBIGUOUS_BOUNDARY"
AMBIGUOUS_ENCODING: Final = "AMBIGUOUS_ENCODING"
AMBIGUOUS_HEADER: Final = "AMBIGUOUS_HEADER"
AMBIGUOUS_TYPE: Final = "AMBIGUOUS_TYPE"
AMBIGUOUS_NAME: Final = "AMBIGUOUS_NAME"
AMBIGUOUS_FROM: Final = "AMBIGUOUS_FROM"
AMBIGUOUS_ARCHIVE: Final = "AMBIGUOUS_ARCHIVE"

UNSCANNABLE_HEADER: Final = "UNSCANNABLE_HEADER"
UNSCANNABLE_PARTS: Final = "UNSCANNABLE_PARTS"
UNSCANNABLE_DEPTH: Final = "UNSCANNABLE_DEPTH"
UNSCANNABLE_PARTIAL: Final = "UNSCANNABLE_PARTIAL"
UNSCANNABLE_HTML: Final = "UNSCANNABLE_HTML"
UNSCANNABLE_ARCHIVE: Final = "UNSCANNABLE_ARCHIVE"
UNSCANNABLE_ENCRYPTED: Final = "UNSCANNABLE_ENCRYPTED"
UNSCANNABLE_BOMB: Final = "UNSCANNABLE_BOMB"
UNSCANNABLE_SIZE: Final = "UNSCANNABLE_SIZE"
UNSCANNABLE_CRASH: Final = "UNSCANNABLE_CRASH"

AMBIGUOUS: Final = frozenset(
    {
        AMBIGUOUS_BOUNDARY,
        AMBIGUOUS_ENCODING,
        AMBIGUOUS_HEADER,
        AMBIGUOUS_TYPE,
        AMBIGUOUS_NAME,
        AMBIGUOUS_FROM,
        AMBIGUOUS_ARCHIVE,
    }
)
UNSCANNABLE: Final = frozenset(
    {
        UNSCANNABLE_HEADER,
        UNSCANNABLE_PARTS,
        UNSCANNABLE_DEPTH,
        UNSCANNABLE_PARTIAL,
        UNSCANNABLE_HTML,
        UNSCANNABLE_ARCHIVE,
        UNSCANNABLE_ENCRYPTED,
        UNSCANNABLE_BOMB,
        UNSCANNABLE_SIZE,
        UNSCANNABLE_CRASH,
    }
)


def finding(symbol: str, *evidence: str | bytes) -> Finding:
    """A finding whose evidence is valid text of bounded length, whatever the bytes were."""
    return Finding(symbol, tuple([clip(item) for item in evidence]))


def clip(text: str | bytes) -> str:
    """At most EVIDENCE characters of `text`, without lone surrogates."""
    if isinstance(text, bytes):
        return text[:EVIDENCE].decode("utf-8", "replace")
    short = text[:EVIDENCE]
    return short if short.isascii() else short.encode("utf-8", "replace").decode("utf-8", "replace")
