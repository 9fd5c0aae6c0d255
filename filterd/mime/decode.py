"""Transfer encodings (RFC 2045, section 6) under every reading that a client may take.

The first reading is what most clients do, further ones are there only where the bytes leave room for them; on clean
mail base64 costs what binascii costs.
"""

import binascii
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from filterd.mime.embedded import base64_run, uudecoded

Data: TypeAlias = bytes | memoryview

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_NOT_BASE64: Final = bytes(set(range(256)) - set(_ALPHABET))
_NOT_URL_SAFE: Final = bytes(set(range(256)) - set(_ALPHABET) - {45, 95})
_PADDING: Final = re.compile(rb"=+")
# A "=" that is neither an escape nor a soft line break, where readings part.
_QP_ODD: Final = re.compile(rb"=(?!\r?\n|[0-9A-F]{2})")
_QP_BLANKS: Final = re.compile(rb"=[ \t]++\r?\n")
_BLOCK: Final = 65_536  # bytes of lines that are split at once
MAX_SEGMENTS: Final = 1_000  # base64 streams behind one another in one part; one is right
UUENCODE: Final = "uuencode"  # no standard has it, clients do, under several names
TOKENS: Final = ("base64", "quoted-printable", "7bit", "8bit", "binary", UUENCODE)
IDENTITY: Final = frozenset({"", "7bit", "8bit", "binary"})


def readings(raw: memoryview, encodings: tuple[str, ...]) -> tuple[Data, ...]:
    """The decoded contents of a part, likeliest first; identity is a slice, not a copy. Never raises."""
    found: list[Data] = []
    for encoding in encodings or ("",):
        if encoding == "base64":
            found += base64_readings(raw)
        elif encoding == "quoted-printable":
            found += quoted_readings(raw)
        elif encoding == UUENCODE:
            found += [content for content in (uudecoded(raw),) if content]
            found.append(raw)
        else:
            found.append(raw)
    return tuple(found)


def base64_readings(raw: memoryview) -> list[Data]:
    """All that base64 decoders make of `raw`: junk left out, later streams read on, the URL-safe alphabet too."""
    data = bytes(raw)
    plain = _lenient(data)
    if plain is not None and len(plain) == _regular(data):
        return [plain]
    return _doubtful(data, plain)


def _lenient(data: bytes) -> bytes | None:
    """What binascii makes of it: junk is skipped, the first padding ends it. None where it refuses."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        return None


def _doubtful(data: bytes, plain: bytes | None) -> list[Data]:
    """Readings of base64 that is not as it should be."""
    found: dict[bytes, None] = {}
    if plain is not None:
        found[plain] = None
    streams = _segments(data)
    found[streams] = None
    if b"=" in data:
        found[_decode_clean(data.translate(None, _NOT_BASE64))] = None  # padding is junk to some
    if b"-" in data or b"_" in data:
        found[_decode_clean(data.translate(_URL_SAFE, _NOT_URL_SAFE))] = None
    if run := base64_run(data):
        found[run] = None  # the text in front of it is none of its business
    if _uneven(data):
        # A decoder that works line by line drops what does not fill a group of four.
        found[_line_by_line(data)] = None
    all_readings: list[Data] = [item for item in found if item] or [data]
    first = len(_decode_clean(data[: data.find(b"=")].translate(None, _NOT_BASE64))) if b"=" in data else 0
    if 0 < first < len(streams):
        # What stands behind the first padding is a file of its own to those who take each stream for one.
        all_readings.append(memoryview(streams)[first:])
    return all_readings


def _regular(data: bytes) -> int:
    """How many bytes base64 in lines of equal length holds, all of them groups of four but the last; else -1.

    Looks at two bytes of each line, for all mail comes by here: a decoder finds fewer bytes where others are junk.
    """
    text = data[-8:].rstrip(b"\r\n")
    size = len(data) - len(data[-8:]) + len(text)
    first = data.find(b"\r\n", 0, size)
    breaks = 0
    if first >= 0:
        ends, feeds = data[first : size : first + 2], data[first + 1 : size : first + 2]
        breaks = len(ends)
        if first % 4 or not len(feeds) == breaks == ends.count(b"\r") == feeds.count(b"\n"):
            return -1
    symbols = size - 2 * breaks
    padding = 2 if text.endswith(b"==") else int(text.endswith(b"="))
    return symbols // 4 * 3 - padding if symbols % 4 == 0 else -1


def _blocks(data: bytes) -> Iterator[bytes]:
    """The data in pieces of whole lines: millions of lines at once would take many times the memory of the data."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + _BLOCK) + 1 or len(data)
        yield data[start:end]
        start = end


def _uneven(data: bytes) -> bool:
    """True where a line before the last one does not consist of groups of four."""
    uneven = False
    for block in _blocks(data):
        for line in block.split(b"\n"):
            size = len(line.translate(None, _NOT_BASE64))
            if size and uneven:
                return True
            uneven = size % 4 != 0 if size else uneven
    return False


def _line_by_line(data: bytes) -> bytes:
    """Each line decoded by itself."""
    out = bytearray()
    for block in _blocks(data):
        for line in block.split(b"\n"):
            out += _decode_clean(line.translate(None, _NOT_BASE64))
    return bytes(out)


def _segments(data: bytes) -> bytes:
    """All streams of a part decoded one after another, each ended by its padding."""
    out: list[bytes] = []
    position = 0
    for count, match in enumerate(_PADDING.finditer(data)):
        if count == MAX_SEGMENTS:
            break
        out.append(_decode_clean(data[position : match.start()].translate(None, _NOT_BASE64)))
        position = match.end()
    out.append(_decode_clean(data[position:].translate(None, _NOT_BASE64)))
    return b"".join(out)


def _decode_clean(symbols: bytes) -> bytes:
    """Decode symbols of the alphabet, whatever their number: a single left-over symbol is dropped."""
    if len(symbols) % 4 == 1:
        symbols = symbols[:-1]
    return binascii.a2b_base64(symbols + b"=" * (-len(symbols) % 4))


def quoted_readings(raw: memoryview) -> list[Data]:
    """Quoted-printable as binascii reads it and, where they differ, as stricter or laxer decoders do."""
    plain = binascii.a2b_qp(raw)
    if _QP_ODD.search(raw) is None:
        return [plain]
    # RFC 2045 6.7 (3): blanks between "=" and the line end were added in transport.
    clean = bytearray()
    for block in _blocks(bytes(raw)):
        clean += _QP_BLANKS.sub(b"", block)
    found = {plain: None, binascii.a2b_qp(clean): None}
    return list(found)
