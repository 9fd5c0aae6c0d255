"""PDF documents: scripts, actions, addresses, files inside.

qpdf (by pikepdf) reads and mends; every object is written out once by its C++ code and only those that name something
of interest are walked. Nothing is rendered. Objects that only an earlier revision of the file has are not looked at.
"""

import logging
import re
import warnings
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from typing import Final

from pikepdf import Object, PasswordError, Pdf, PikepdfError
from pikepdf.settings import qpdf_limit_errors, set_qpdf_limits

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.pdf_actions import Walk
from filterd.unpack.pdf_keys import empty_password_key
from filterd.unpack.pdf_pictures import look_at
from filterd.unpack.pdf_streams import LEAST_FLATE, STREAM_FILTERS
from filterd.unpack.pieces import Piece
from filterd.unpack.types import Data, detect

MAX_OBJECTS: Final = 50_000  # of one document, 17 microseconds each; manuals of 500 pages have some ten thousand
MAX_WRITTEN: Final = 12_000_000  # bytes of all objects without their streams; in memory they take twenty times that
MAX_MARKS: Final = 1_000_000  # blanks and brackets outside of streams; what stands between two takes 140 bytes
_MARKS: Final = b" \t\r\n\f\0[]()<>/"
_BETWEEN: Final = 500  # objects between two looks at the clock
_PIECE: Final = 65_536  # bytes counted at a time
_MAX_WARNINGS: Final = 200  # of qpdf about one document, which then gives up
_MAX_CONTAINER: Final = 50_000  # items of an array or dictionary; page trees have some thousands
_TELLING: Final = re.compile(
    rb"/(?:JS|JavaScript|URI|Launch|EF|EmbeddedFile|XFA|SubmitForm|GoToR|GoToE|ImportData|Thread|AA|OpenAction|Image)\b"
)
_LEFT_OUT: Final = re.compile(r"error reading object|bad_alloc|limit")  # warnings behind which something is missing
_STREAM: Final = b"stream"
_END: Final = b"endstream"
_OBJECT: Final = re.compile(rb"\d\s{1,10}obj\b")
_SPACE: Final = b"\0\t\n\f\r \xef\xbb\xbf"
# What pikepdf raises for hostile files besides its own.
FAILURES: Final = (PikepdfError, ValueError, TypeError, RuntimeError, LookupError, ArithmeticError, AttributeError)


class _Source(BytesIO):
    """The file, with a name that is the same each time: qpdf's messages begin with it."""

    def __repr__(self) -> str:
        return "pdf"


@cache
def _prepare() -> None:
    """What one stream or object may take; these hold for the process, and are set once. What is odd is not logged."""
    logging.getLogger("pikepdf").setLevel(logging.CRITICAL)
    set_qpdf_limits(
        doc_max_warnings=_MAX_WARNINGS,
        parser_max_container_size=_MAX_CONTAINER,
        max_stream_filters=STREAM_FILTERS,
        flate_max_memory=LEAST_FLATE,
        png_max_memory=LEAST_FLATE,
        run_length_max_memory=LEAST_FLATE,
        tiff_max_memory=LEAST_FLATE,
        dct_max_memory=LEAST_FLATE,
    )


def read_pdf(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """Scripts, forms and embedded files; addresses and findings go to the budget. Never raises."""
    if _OBJECT.search(data) is None:
        return  # a file without objects, or a text that speaks of the format
    whole = bytes(data)
    if _marks(whole) > MAX_MARKS:
        budget.note(symbols.UNSCANNABLE_DOCUMENT, f"pdf: more than {MAX_MARKS} items", path)
        return
    _prepare()
    before = qpdf_limit_errors() - budget.forgiven
    try:
        with _opened(whole) as pdf:
            walk = Walk(path, budget)
            yield from _read(pdf, data, walk, path, budget)
            _warned(pdf, path, budget)
            for picture in walk.pictures:
                look_at(picture, path, budget)
    except PasswordError:
        budget.note(symbols.PDF_ENCRYPTED, path)
        budget.note(symbols.UNSCANNABLE_ENCRYPTED, "pdf", path)
    except FAILURES as error:
        if begins(data):
            budget.note(symbols.UNSCANNABLE_DOCUMENT, f"pdf: {error}", path)
    except MemoryError:
        budget.note(symbols.UNSCANNABLE_BOMB, "pdf: no memory left", path)
    if qpdf_limit_errors() - budget.forgiven != before:
        # Beyond its limits qpdf leaves out what is there: streams of objects become nothing.
        budget.note(symbols.UNSCANNABLE_BOMB, "pdf: a stream or object beyond the limits", path)


def _opened(whole: bytes) -> Pdf:
    """The document. PikepdfError, and what else FAILURES names."""
    key = empty_password_key(whole) if b"/Encrypt" in whole else ""
    if key is None:
        raise PasswordError("a password is needed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of keys that were not needed
        return Pdf.open(_Source(whole), password=key, hex_password=bool(key))


def begins(data: Data) -> bool:
    """True where the document stands at the start, or behind blanks; readers also take other bytes in front."""
    return bytes(data[:64]).lstrip(_SPACE)[:5] == b"%PDF-"


def _read(pdf: Pdf, data: Data, walk: Walk, path: str, budget: Budget) -> Iterator[Piece]:
    """What an opened document holds."""
    others = [kind for kind in detect(data) if kind != "pdf"]
    if others:
        budget.note(symbols.PDF_POLYGLOT, *others, path)
    elif not begins(data):
        budget.note(symbols.PDF_DAMAGED, "bytes in front", path)
    if pdf.is_encrypted:
        budget.note(symbols.PDF_ENCRYPTED, path)
    written = marks = 0
    for number, found in enumerate(pdf.objects):
        if number == MAX_OBJECTS or written > MAX_WRITTEN or marks > MAX_MARKS:
            budget.note(symbols.UNSCANNABLE_DOCUMENT, f"pdf: more than {number} objects of {written} bytes", path)
            break
        text = _written(found)
        written += len(text)
        marks += _marks_in(text, 0, len(text))
        if _TELLING.search(text) is not None:
            yield from walk.look(found)
        if budget.stopped or (number % _BETWEEN == 0 and budget.late(path)):
            break
    yield from walk.finish(pdf)


def _marks(whole: bytes) -> int:
    """How many items may stand outside of streams; a document that hides some from this look meets the memory limit."""
    count = start = at = 0
    inside = False
    while (place := whole.find(_END if inside else _STREAM, at)) >= 0:
        at = place + len(_END if inside else _STREAM)
        if inside:
            start, inside = at, False
        elif whole[place - 3 : place] != b"end" and whole[at : at + 1] in (b"\r", b"\n"):
            count += _marks_in(whole, start, place)
            inside = True
    return count if inside else count + _marks_in(whole, start, len(whole))


def _marks_in(whole: bytes, start: int, stop: int) -> int:
    count = 0
    for begin in range(start, stop, _PIECE):
        piece = whole[begin : min(begin + _PIECE, stop)]
        count += len(piece) - len(piece.translate(None, _MARKS))
    return count


def _warned(pdf: Pdf, path: str, budget: Budget) -> None:
    """Say what qpdf had to mend, or could not."""
    found = pdf.get_warnings()
    missing = next((text for text in found if _LEFT_OUT.search(text) is not None), "")
    if missing:
        budget.note(symbols.UNSCANNABLE_DOCUMENT, missing, path)
    elif found:
        budget.note(symbols.PDF_DAMAGED, path)


def _written(found: object) -> bytes:
    """An object as text: of a stream its dictionary, of what is no container or could not be read nothing."""
    if not isinstance(found, Object):
        return b""
    kind = found._type_name  # noqa: SLF001  # pikepdf has no public name for it
    if kind == "stream":
        return found.stream_dict.unparse(resolved=True)
    return found.unparse(resolved=True) if kind in ("dictionary", "array") else b""
