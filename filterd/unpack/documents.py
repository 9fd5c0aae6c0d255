"""Which reader opens which kind of document."""

from collections.abc import Iterator
from typing import Final

from filterd.mime import symbols
from filterd.unpack import active, eml, lnk, ole_documents, ole_office, onenote, ooxml, pdf, rtf, tnef, xlsb
from filterd.unpack.budget import Budget
from filterd.unpack.dde import cell_commands
from filterd.unpack.pieces import Piece, Reader
from filterd.unpack.types import Data

_SYLK: Final = b"ID;"
_SYLK_MACRO: Final = b"\nO;"
_MARKS: Final = b" \t\r\n\xef\xbb\xbf\xff\xfe\0"


def text(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """Messages, tables as text, and XML that does not say so."""
    head = bytes(data[: eml.HEAD])
    if head[:64].lstrip(_MARKS)[:1] == b"<":
        yield from ooxml.pieces(data, path, budget)
        return
    if eml.is_message(head):
        yield from eml.pieces(data, path, budget)
        return
    whole = bytes(data)
    if head.startswith(_SYLK) and any(b";E" in line for line in _lines(whole, _SYLK_MACRO)):
        budget.note(symbols.OFFICE_XLM, "SYLK", path)
        if b"NN;NAuto_" in whole:
            budget.note(symbols.OFFICE_MACRO_AUTOEXEC, "Auto_Open", path)
    for command in cell_commands(whole):
        budget.note(symbols.OFFICE_DDE, command, path)


def _lines(data: bytes, begin: bytes) -> Iterator[bytes]:
    """The lines with this beginning."""
    position = 0
    while (position := data.find(begin, position)) >= 0:
        end = data.find(b"\n", position + 1)
        yield data[position + 1 : end if end >= 0 else len(data)]
        position += 1


def unknown(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """Parts of workbooks, and the wrapper of macros in documents saved as web pages."""
    if bytes(data[: len(ooxml.ACTIVE_MIME)]) == ooxml.ACTIVE_MIME:
        yield from ooxml.unwrapped("oledata.mso", bytes(data), path, budget)
    else:
        yield from xlsb.pieces(data, path, budget)


def page(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """What a browser reads in HTML, and Word where it is XML all the same."""
    yield from active.read_html(data, path, budget)
    if _is_xml(data):
        yield from ooxml.pieces(data, path, budget)


def drawing(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """The same for a drawing: one that stands at the front of a document does not hide the document."""
    yield from active.read_svg(data, path, budget)
    if _is_xml(data):
        yield from ooxml.pieces(data, path, budget)


def _is_xml(data: Data) -> bool:
    return bytes(data[:64]).lstrip(_MARKS)[:5] == b"<?xml"


LOOKING: Final[tuple[Reader, ...]] = (page, drawing)  # these take what they want of data of any kind
READERS: Final[dict[str, Reader]] = {
    "ole": ole_office.pieces,
    "biff": ole_documents.stream,
    "html": page,
    "svg": drawing,
    "pdf": pdf.read_pdf,
    "xml": ooxml.pieces,
    "rtf": rtf.pieces,
    "lnk": lnk.pieces,
    "onenote": onenote.pieces,
    "tnef": tnef.pieces,
    "text": text,
    "data": unknown,
}
