"""HTML and drawings (SVG): what they carry goes through the funnel; what builds or runs something is said."""

from collections.abc import Iterator
from typing import Final

from filterd.html.payloads import OPAQUE, Carried, Payload, carried
from filterd.html.svg import read_drawing
from filterd.mime import symbols
from filterd.mime.decode import let_go
from filterd.unpack.budget import Budget
from filterd.unpack.pieces import Piece, hand_out
from filterd.unpack.types import Data, detect

MAX_BYTES: Final = 20_000_000  # of one document looked at for payloads; 20 milliseconds a million at worst
MAX_NESTING: Final = 4  # scripts that write scripts
_LEAST: Final = 512  # bytes of a payload of no known type that a script saves as a file
_UNKNOWN: Final = 1_000  # bytes from which a literal counts though nobody knows what it decodes to
# What nobody writes into a document as text but to get it past a scanner.
_FILES: Final = frozenset(
    {
        "zip",
        "exe",
        "elf",
        "macho",
        "rar",
        "7z",
        "cab",
        "arj",
        "iso",
        "vhd",
        "vhdx",
        "lnk",
        "ole",
        "onenote",
        "chm",
        "gzip",
        "xz",
        "bzip2",
        "zstd",
        "tar",
        "pdf",
        "rtf",
        "class",
        "script",
    }
)
_TEXTS: Final = frozenset({"text", "html", "svg", "xml"})
_NAMED_HTML: Final = (".htm", ".html", ".xhtml", ".xht", ".shtml", ".hta", ".mht", ".mhtml", ".js", ".jse", ".wsf")
_WIDE: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def as_shown(types: tuple[str, ...], names: tuple[str, ...], declared: str = "") -> tuple[str, ...]:
    """The types with that which a browser is made to see by a name or a declaration, where the content is any text."""
    if types[0] not in ("text", "xml"):
        return types
    ends = tuple([name.rstrip(". ").lower() for name in names])
    if declared == "image/svg+xml" or any(name.endswith(".svg") for name in ends):
        return (*types, "svg")
    if declared in ("text/html", "application/xhtml+xml") or any(name.endswith(_NAMED_HTML) for name in ends):
        return (*types, "html")
    return types


def read_html(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """What a document carries; findings go to the budget. Never raises."""
    document = _text(data, path, budget)
    yield from _carried(document, path, budget, "", MAX_NESTING)


def read_svg(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """The same for a drawing, with what it does and where it leads."""
    document = _text(data, path, budget)
    drawing = read_drawing(document)
    if drawing.script:
        budget.note(symbols.SVG_SCRIPT, drawing.script, path)
    if drawing.foreign:
        budget.note(symbols.SVG_FOREIGN, drawing.foreign, path)
    if drawing.links:
        budget.note(symbols.SVG_EXTERNAL, drawing.links[0], path)
    for link in drawing.links:
        budget.link(link)
    yield from _carried(document, path, budget, "", MAX_NESTING)


def _text(data: Data, path: str, budget: Budget) -> bytes:
    """The document in an encoding whose letters are ASCII's."""
    if len(data) > MAX_BYTES:
        budget.note(symbols.UNSCANNABLE_HTML, f"larger than {MAX_BYTES} bytes", path)
    document = bytes(data[:MAX_BYTES])
    if isinstance(data, memoryview):
        let_go(data)
    wide = _WIDE.get(document[:2])
    return document[2:].decode(wide, "replace").encode("utf-8", "replace") if wide else document


def _carried(document: bytes, path: str, budget: Budget, prefix: str, nesting: int) -> Iterator[Piece]:
    """Everything a document carries, and what the documents carry that it carries in scripts."""
    found = carried(document)
    if found.cut:
        budget.note(symbols.UNSCANNABLE_HTML, "more files than are looked at", path)
    evidence = _smuggling(found)
    if evidence:
        budget.note(symbols.HTML_SMUGGLING, evidence, *found.names[:1], path)
    for number, payload in enumerate(found.payloads, 1):
        types = detect(payload.content)
        if payload.way != "data" and types[0] == "data" and len(payload.content) < _UNKNOWN and not found.builds:
            continue  # a key, an identifier
        name = f"{prefix}{payload.way}-{number}"
        others = found.names if types[0] in _FILES or (found.builds and payload.way != "data") else ()
        yield from hand_out(budget, path, name, payload.content, *others)
        if budget.stopped:
            return
        if types[0] == "text" and payload.declared not in ("text/css", "text/plain") and nesting:
            # What the funnel takes for text is a script here, or HTML without a beginning.
            yield from _carried(payload.content, path, budget, f"{name}.", nesting - 1)


def _smuggling(found: Carried) -> str:
    """Why this is taken for smuggling; empty where it is not."""
    for payload in found.payloads:
        kinds = detect(payload.content)
        kind = next((kind for kind in kinds if kind in _FILES), "")
        if kind and (payload.way != "data" or kind != "pdf"):
            return f"{payload.way}: {kind}"
        if found.builds and _is_large(payload, kinds[0]):
            return f"{payload.way}: {len(payload.content)} bytes, {found.builds}"
    return f"{found.opaque} characters, {found.builds}" if found.builds and found.opaque >= OPAQUE else ""


def _is_large(payload: Payload, kind: str) -> bool:
    """A file's worth of something that a script decodes: pictures and fonts are what honest pages carry."""
    return payload.way != "data" and len(payload.content) >= _LEAST and (kind == "data" or kind in _TEXTS)
