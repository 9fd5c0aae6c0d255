"""Streams of PDF documents, decoded under the message's budget."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pikepdf import Array, Name, Object, PikepdfError, StreamDecodeLevel
from pikepdf.settings import set_qpdf_limits

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.pieces import Piece
from filterd.unpack.streams import StreamError, inflate

LEAST_FLATE: Final = 2_000_000  # bytes that qpdf may inflate of one stream: those of objects are hundreds of kB at most
STREAM_FILTERS: Final = 8  # of one stream; one or two are usual
_PICTURES: Final = frozenset({"/DCTDecode", "/JPXDecode", "/CCITTFaxDecode", "/JBIG2Decode"})
_ZLIB: Final = 15  # window bits of RFC 1950


def filters_of(stream: Object) -> tuple[str, ...]:
    """The names of a stream's filters, outermost first; "?" where one is no name."""
    value = stream.stream_dict.get("/Filter")
    if value is None:
        return ()
    items = [value] if not isinstance(value, Array) else [value[index] for index in range(min(len(value), 50))]
    return tuple([str(item) if isinstance(item, Name) else "?" for item in items])


def decoded(stream: Object, path: str, name: str, budget: Budget, *others: str) -> Iterator[Piece]:
    """A stream's content as one piece; what is beyond the budget is cut off, what cannot be decoded raw, and both said.

    May raise what pikepdf does.
    """
    if not budget.take_file(path):
        return
    raw = stream.read_raw_bytes()
    allowance = budget.allowance(len(raw))
    content = _content(stream, raw, allowance, f"{path}/{name}", budget)
    if len(content) > allowance:
        budget.overdrawn(len(raw), f"{path}/{name}")
        content = content[:allowance]
    budget.spend(len(content))
    yield name, others, content, False


def _content(stream: Object, raw: bytes, allowance: int, path: str, budget: Budget) -> bytes:
    """The decoded bytes, at most one more than allowed where our own decoder can do it."""
    filters = filters_of(stream)
    if not filters or set(filters) & _PICTURES:
        return raw
    if filters == ("/FlateDecode",) and stream.stream_dict.get("/DecodeParms") is None:
        try:
            return inflate(raw, allowance, _ZLIB)[0]
        except StreamError as error:
            budget.note(symbols.UNSCANNABLE_DOCUMENT, f"pdf: {error}", path)
            return bytes(error.partial)
    try:
        with decoding_within(max(allowance, LEAST_FLATE)):
            return stream.read_bytes(StreamDecodeLevel.specialized)
    except (PikepdfError, RuntimeError, ValueError, TypeError) as error:
        budget.note(symbols.UNSCANNABLE_DOCUMENT, f"pdf: {error}", path)
        return raw


@contextmanager
def decoding_within(most: int) -> Iterator[None]:
    """Let qpdf decode streams that may become so long."""
    set_qpdf_limits(flate_max_memory=most, run_length_max_memory=most, png_max_memory=most)
    try:
        yield
    finally:
        set_qpdf_limits(flate_max_memory=LEAST_FLATE, run_length_max_memory=LEAST_FLATE, png_max_memory=LEAST_FLATE)
