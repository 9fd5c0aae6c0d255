"""What a drawing (SVG) does besides being looked at: found by its tags, whatever their prefixes."""

import re
from dataclasses import dataclass
from typing import Final

MAX_LINKS: Final = 1_000  # of one drawing
_SCRIPT: Final = re.compile(rb"<(?:[\w.-]{1,40}:)?(?:script|handler|listener)[\s>/]", re.IGNORECASE)
_EVENT: Final = re.compile(rb"[\s\"'/]on[a-z]{3,30}\s{0,20}=\s{0,20}[\"']", re.IGNORECASE)
_SCHEME: Final = re.compile(rb"[\"'](?:java|vb)script:|&\#x?0{0,8}(?:6a|106|74);?avascript", re.IGNORECASE)
_ENTITY: Final = re.compile(rb"<!ENTITY\s{1,20}[^\s>]{1,200}\s{1,20}[\"'][^\"'<&]{0,2000}[<&]")
_FOREIGN: Final = re.compile(rb"<(?:[\w.-]{1,40}:)?foreignObject[\s>/]", re.IGNORECASE)
_REFERENCE: Final = re.compile(
    rb"(?:href|src)\s{0,20}=\s{0,20}[\"']\s{0,20}((?:https?:|ftp:|//)[^\"'<>]{1,2000})", re.IGNORECASE
)
_EVIDENCE: Final = 60  # bytes around what was found


@dataclass(frozen=True, slots=True)
class Drawing:
    """`script` and `foreign` are what was found, empty where nothing was; `links` lead or load from elsewhere."""

    script: str = ""
    foreign: str = ""
    links: tuple[str, ...] = ()


def read_drawing(document: bytes) -> Drawing:
    """Look at a drawing. Never raises; linear."""
    script = next(
        (found for pattern in (_SCRIPT, _EVENT, _SCHEME, _ENTITY) if (found := _first(pattern, document))), ""
    )
    links: list[str] = []
    for match in _REFERENCE.finditer(document):
        links.append(match[1].decode("utf-8", "replace"))
        if len(links) == MAX_LINKS:
            break
    return Drawing(script, _first(_FOREIGN, document), tuple(dict.fromkeys(links)))


def _first(pattern: re.Pattern[bytes], document: bytes) -> str:
    """The place where a pattern is found first."""
    match = pattern.search(document)
    return document[match.start() : match.start() + _EVIDENCE].decode("utf-8", "replace").strip() if match else ""
