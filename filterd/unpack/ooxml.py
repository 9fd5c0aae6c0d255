"""Office's XML, part by part as a package's zip gives them (ECMA-376), or all in one file (Word 2003, flat packages).

A part is known by its content, not by its name. Nothing is parsed as XML: what is looked for are elements by their
local names, so that neither entities nor depth cost anything.
"""

import base64
import binascii
import html
import re
from collections.abc import Iterator
from typing import Final

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.dde import cell_commands
from filterd.unpack.ooxml_fields import commands
from filterd.unpack.pieces import Piece, hand_out
from filterd.unpack.streams import StreamError, inflate
from filterd.unpack.types import Data

MAX_RELATIONSHIPS: Final = 20_000  # of one part
MAX_BINARIES: Final = 1_000  # files written into one XML file
MAX_TARGET: Final = 2_000  # characters of a place
_RELATIONSHIP: Final = re.compile(rb"<(?:\w{1,40}:)?Relationship\s([^<>]{0,10000})")
_ATTRIBUTE: Final = re.compile(rb"""(?<![\w:])([\w:]{1,60})\s{0,20}=\s{0,20}(?:"([^"<]{0,8000})"|'([^'<]{0,8000})')""")
_DDE_LINK: Final = re.compile(rb"<(?:\w{1,40}:)?ddeLink\s([^<>]{0,10000})")
_FORMULA: Final = re.compile(rb"""\b(?:\w{1,20}:)?Formula\s{0,10}=\s{0,10}("[^"<]{0,8000}"|'[^'<]{0,8000}')""")
_BINARY: Final = re.compile(rb"<(?:\w{1,40}:)?(?:binData|binaryData)\b([^<>]{0,2000})>([^<]*+)")
_PART: Final = re.compile(rb"""<(?:\w{1,40}:)?part\s[^<>]{0,4000}?name\s{0,10}=\s{0,10}["']([^"'<>]{1,1000})""")
_AUTO_OPEN: Final = re.compile(
    rb"""name\s{0,10}=\s{0,10}["'](?:_xlnm\.)?(Auto_(?:Open|Close|Activate|Deactivate))""", re.IGNORECASE
)
_REMOTE: Final = re.compile(
    r"(?:https?|ftps?|mhtml|ldap|ms-\w{1,40}):|file:/{2,5}[^/\\:]{1,250}[/\\]|\\\\|//", re.IGNORECASE
)
# Links that are followed by a click, and pictures and sounds, are no matter of this reader.
_ORDINARY: Final = frozenset({"image", "video", "audio", "media"})
_EMBEDDED: Final = frozenset({"oleobject", "package", "afchunk"})
_MACRO_SHEETS: Final = frozenset({"xlmacrosheet", "xlintlmacrosheet"})
_MACRO_SHEET: Final = re.compile(rb"<(?:\w{1,40}:)?macrosheet[\s>]")
_ROOT: Final = 4_000  # bytes within which a part's first element begins
ACTIVE_MIME: Final = b"ActiveMime"
_ACTIVE_MIME_DATA: Final = 0x32  # bytes of its header


def pieces(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """Files written into the XML; relationships, fields, links and names as findings. Linear."""
    text = plain(bytes(data))
    if b"Relationship" in text:
        _relationships(text, path, budget)
    for link in _links(text):
        budget.note(symbols.OFFICE_DDE, link, path)
    if b"macrosheet" in text and (sheet := _MACRO_SHEET.search(text)) is not None and sheet.start() < _ROOT:
        budget.note(symbols.OFFICE_XLM, "macrosheet", path)
    found = _AUTO_OPEN.search(text) if b"definedName" in text else None
    if found is not None:
        budget.note(symbols.OFFICE_MACRO_AUTOEXEC, found[1].decode(), path)
    if b"<o:OLEObject" in text and b"<w:binData" in text:
        budget.note(symbols.OFFICE_EMBEDDED, "OLEObject", path)
    if b"binData" in text or b"binaryData" in text:
        yield from _binaries(text, path, budget)


def _links(text: bytes) -> Iterator[str]:
    """What is asked of other programs, by fields, links of workbooks, and formulas."""
    if b"instrText" in text or b"fldSimple" in text:
        yield from commands(text)
    if b"ddeLink" in text:
        for match in _DDE_LINK.finditer(text):
            known = _attributes(match[1])
            yield f"{known.get('ddeservice', '')}|{known.get('ddetopic', '')}"
    if b"Formula" in text and b"|" in text:
        for match in _FORMULA.finditer(text):
            yield from cell_commands(html.unescape(match[1].decode("latin-1")).encode("latin-1", "replace"))


def plain(data: bytes) -> bytes:
    """The XML in one byte per ASCII character, without comments and marks of CDATA."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[1:2] == b"\0" or data[:1] == b"\0":
        order = "utf-16-be" if data[:2] == b"\xfe\xff" or data[:1] == b"\0" else "utf-16-le"
        data = data.decode(order, "replace").encode()
    if b"<![CDATA[" in data:
        data = data.replace(b"<![CDATA[", b"").replace(b"]]>", b"")
    return _uncommented(data) if b"<!--" in data else data


def _uncommented(data: bytes) -> bytes:
    """Without comments; one that does not end hides nothing."""
    out: list[bytes] = []
    position = 0
    while (start := data.find(b"<!--", position)) >= 0:
        end = data.find(b"-->", start + 4)
        if end < 0:
            break
        out.append(data[position:start])
        position = end + 3
    out.append(data[position:])
    return b"".join(out)


def _attributes(tag: bytes) -> dict[str, str]:
    """An element's attributes by lower-case local name."""
    return {
        match[1].rpartition(b":")[2].decode("latin-1").lower(): html.unescape(
            (match[2] or match[3] or b"").decode("utf-8", "replace")[:MAX_TARGET]
        )
        for match in _ATTRIBUTE.finditer(tag)
    }


def _relationships(text: bytes, path: str, budget: Budget) -> None:
    """ECMA-376 part 2, 9.3: what a part belongs together with, and where that is."""
    for number, match in enumerate(_RELATIONSHIP.finditer(text)):
        if number >= MAX_RELATIONSHIPS:
            budget.note(symbols.UNSCANNABLE_DOCUMENT, "more relationships than are read", path)
            return
        known = _attributes(match[1])
        kind = known.get("type", "").rpartition("/")[2]
        target = known.get("target", "")
        if known.get("targetmode", "").lower() == "external":
            _external(kind, target.strip(), path, budget)
        elif kind.lower() in _MACRO_SHEETS:
            budget.note(symbols.OFFICE_XLM, target, path)
        elif kind.lower() in _EMBEDDED:
            budget.note(symbols.OFFICE_EMBEDDED, target, path)
        elif kind.lower() == "control":
            budget.note(symbols.OFFICE_ACTIVEX, target, path)


def _external(kind: str, target: str, path: str, budget: Budget) -> None:
    """Something outside the file: what is loaded by itself matters, and where from."""
    remote = _REMOTE.match(target) is not None
    if kind.lower() == "attachedtemplate":
        if remote:
            budget.note(symbols.OFFICE_TEMPLATE, target, path)
    elif kind.lower() == "hyperlink":
        budget.link(target)
    elif kind.lower() not in _ORDINARY:
        budget.note(symbols.OFFICE_REMOTE if remote else symbols.OFFICE_EXTERNAL, kind, target, path)


def _binaries(text: bytes, path: str, budget: Budget) -> Iterator[Piece]:
    """Files in base64, ActiveMime unpacked."""
    parts = [(match.start(), match[1].decode("utf-8", "replace")) for match in _PART.finditer(text)]
    number = 0
    for match in _BINARY.finditer(text):
        if number >= MAX_BINARIES or budget.stopped:
            budget.note(symbols.UNSCANNABLE_DOCUMENT, "more embedded files than are read", path)
            return
        while len(parts) > 1 and parts[1][0] < match.start():
            parts.pop(0)
        name = _attributes(match[1]).get("name", "")
        if not name and parts and parts[0][0] < match.start():
            name = parts[0][1]
        number += 1
        try:
            content = base64.b64decode(match[2])
        except binascii.Error:
            budget.note(symbols.UNSCANNABLE_DOCUMENT, "an embedded file in broken base64", path)
            continue
        yield from unwrapped(name.lstrip("/") or f"binary-{number}", content, path, budget)


def unwrapped(name: str, content: bytes, path: str, budget: Budget) -> Iterator[Piece]:
    """One file: what stands in an ActiveMime wrapper is deflated."""
    if content.startswith(ACTIVE_MIME):
        allowance = budget.allowance(len(content))
        try:
            inner, _ = inflate(content[_ACTIVE_MIME_DATA:], allowance, 15)
        except StreamError as error:
            budget.note(symbols.UNSCANNABLE_DOCUMENT, f"{name}: {error}", path)
            inner = bytes(error.partial)
        if len(inner) > allowance:
            budget.overdrawn(len(content), path)
        content = inner[:allowance]
    yield from hand_out(budget, path, name, content)
