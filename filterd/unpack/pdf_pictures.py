"""Pictures in PDF documents, for the codes in them: a letter with a code to scan is often nothing but that."""

import warnings
from contextlib import suppress
from typing import Final

from pikepdf import PdfImage, PikepdfError, Stream
from pikepdf.settings import qpdf_limit_errors

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.image import FAILURES, MAX_DECODED, MIN_SIDE, codes_of, look
from filterd.unpack.pdf_streams import decoding_within, filters_of

MAX_PLAIN: Final = 2_250_000  # pixels of a picture that is not JPEG: those are decoded at full size
_BYTES: Final = 4  # of a pixel at most: eight bits of four colours
_MARGIN: Final = 100_000  # bytes beyond: a predictor takes one for each line
_OWN: Final = frozenset({"/FlateDecode", "/LZWDecode", "/RunLengthDecode", "/ASCII85Decode", "/ASCIIHexDecode"})


def look_at(stream: Stream, path: str, budget: Budget) -> None:
    """Find the codes of one picture of the document at `path`. Never raises: what cannot be decoded shows nothing."""
    before = qpdf_limit_errors()
    with suppress(PikepdfError, NotImplementedError, *FAILURES):
        _look(stream, f"{path}/image-{stream.objgen[0]}", budget)
    budget.forgiven += qpdf_limit_errors() - before


def _look(stream: Stream, path: str, budget: Budget) -> None:
    """May raise whatever the libraries do."""
    width, height = int(stream.stream_dict["/Width"]), int(stream.stream_dict["/Height"])
    filters = filters_of(stream)
    if min(width, height) < MIN_SIDE:
        return
    if filters == ("/DCTDecode",):
        look(stream.read_raw_bytes(), "jpeg", path, budget)
        return
    if not set(filters) <= _OWN:
        return
    pixels = width * height
    if pixels > min(MAX_PLAIN, MAX_DECODED, budget.pixels) or budget.pictures <= 0:
        budget.note(symbols.IMAGE_UNREAD, path)
        return
    with decoding_within(pixels * _BYTES + _MARGIN), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about masks: a code is legible without
        with PdfImage(stream).as_pil_image() as picture:
            codes_of(picture, path, budget)
