"""What is in a compound file: documents, their macros and objects, mail."""

import re
from collections.abc import Iterator
from typing import Final

from filterd.mime import symbols
from filterd.unpack import msg, ole_documents, ole_slides, vba
from filterd.unpack.budget import Budget
from filterd.unpack.ole import Compound, Entry, open_compound
from filterd.unpack.ole_objects import EQUATION, package_pieces
from filterd.unpack.pieces import Piece, hand_out
from filterd.unpack.types import Data

MAX_LINK: Final = 8_000  # bytes looked at of what says where a linked object lies
MAX_OBJECTS: Final = 1_000  # streams of one file that hold embedded files
_STORED: Final = frozenset({"package", "contents", "embeddedodf"})
_ZLIB: Final = b"\x78"
_NATIVE: Final = "\x01ole10native"
_OBJECT: Final = re.compile(r"_\d{5,}|MBD[0-9A-F]{4,}", re.IGNORECASE)
_REMOTE: Final = re.compile(
    rb"(?:(?:h\0t\0t\0p\0(?:s\0)?|f\0t\0p\0|f\0i\0l\0e\0):\0/\0/\0|\\\0\\\0)(?:[\x21-\x7e]\0){1,500}"
)
_TITLE: Final = 60  # characters of a storage's name that are shown


def pieces(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """Macros, embedded files, attachments; the rest as findings."""
    compound = open_compound(data)
    names = {entry.name.lower() for entry in compound.entries}
    yield from ole_documents.pieces(compound, path, budget)
    yield from vba.sources(compound, path, budget)
    yield from _objects(compound, path, budget)
    if msg.is_message(names):
        yield from msg.pieces(compound, path, budget)
    if compound.broken:
        budget.note(symbols.UNSCANNABLE_DOCUMENT, f"ole: {compound.broken}", path)


def _objects(compound: Compound, path: str, budget: Budget) -> Iterator[Piece]:
    """Embedded files, formulas and controls."""
    count = 0
    for entry in compound.entries:
        name = entry.name.lower()
        _say(compound, entry, path, budget)
        if entry.stream and (name == _NATIVE or (entry.size and (name in _STORED or _OBJECT.fullmatch(name)))):
            count += 1
            if count > MAX_OBJECTS or budget.stopped:
                budget.note(symbols.UNSCANNABLE_DOCUMENT, "more objects than are read", path)
                return
            content = compound.read(entry)
            if name == _NATIVE:
                yield from package_pieces(content, _where(entry), path, budget, symbols.OFFICE_EMBEDDED)
            else:
                # Word 2003's XML keeps objects deflated behind their size.
                content = ole_slides.unpacked(content, path, budget, packed=content[4:5] == _ZLIB)
                yield from hand_out(budget, path, _where(entry), content)


def _say(compound: Compound, entry: Entry, path: str, budget: Budget) -> None:
    """The findings of one stream or storage."""
    name = entry.name.lower()
    if entry.clsid in EQUATION or (entry.stream and name == "equation native"):
        budget.note(symbols.OFFICE_EQUATION, _where(entry), path)
    elif not entry.stream and entry.path and _OBJECT.fullmatch(entry.name):
        budget.note(symbols.OFFICE_EMBEDDED, _where(entry), path)
    elif entry.stream and name == "\x03ocxname":
        budget.note(symbols.OFFICE_ACTIVEX, _where(entry), path)
    elif entry.stream and name == "\x01ole":
        link = _link(compound.read(entry, MAX_LINK))
        if link:
            budget.note(symbols.OFFICE_REMOTE, link, _where(entry), path)


def _link(content: bytes) -> str:
    """MS-OLEDS 2.3.3: where a linked object lies, if that is on the network; empty for embedded ones."""
    if not int.from_bytes(content[4:8], "little") & 1:
        return ""
    match = _REMOTE.search(content)
    return match[0].decode("utf-16-le", "replace") if match is not None else ""


def _where(entry: Entry) -> str:
    """An entry's place as text."""
    return "/".join([part.replace("\x01", "").replace("\x03", "")[:_TITLE] for part in entry.path]) or "root"
