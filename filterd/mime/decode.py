"""Transfer encodings (RFC 2045, section 6) under every reading that a client may take.

The first reading is what most clients do, further ones are there only where the bytes leave room for them; on clean
mail base64 costs what binascii costs.
"""

import binascii
import hashlib
import mmap
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BytesIO
from typing import Final, TypeAlias, overload

import pybase64

from filterd.mime.embedded import base64_run, pour, unbase64, uudecoded

Data: TypeAlias = bytes | memoryview
Recipe: TypeAlias = Callable[[memoryview], Data]  # makes one reading

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_NOT_BASE64: Final = bytes(set(range(256)) - set(_ALPHABET))
_NOT_URL_SAFE: Final = bytes(set(range(256)) - set(_ALPHABET) - {45, 95})
_PADDING: Final = re.compile(rb"=+")
# A "=" that is neither an escape nor a soft line break, where readings part.
_QP_ODD: Final = re.compile(rb"=(?!\r?\n|[0-9A-F]{2})")
_QP_BLANKS: Final = re.compile(rb"=[ \t]++\r?\n")
_QP_OPEN: Final = re.compile(rb"=[ \t]*+\r?\Z|=[0-9A-Fa-f]\Z")
_LINE: Final = re.compile(rb"[^\n]*+\n?")
_END: Final = re.compile(rb"\r\n")
_FEED: Final = re.compile(rb"\n")
_BLOCK: Final = 65_536  # bytes of lines that are split at once
_LONG: Final = 262_144  # bytes of a block in which one line is long
LARGE: Final = 4_000_000  # bytes of a part whose readings are made one by one, when they are looked at
MAX_SEGMENTS: Final = 1_000  # base64 streams behind one another in one part; one is right
UUENCODE: Final = "uuencode"  # no standard has it, clients do, under several names
TOKENS: Final = ("base64", "quoted-printable", "7bit", "8bit", "binary", UUENCODE)
IDENTITY: Final = frozenset({"", "7bit", "8bit", "binary"})


def readings(raw: memoryview, encodings: tuple[str, ...]) -> Sequence[Data]:
    """The decoded contents of a part, likeliest first; identity is a slice, not a copy. Never raises.

    Those of a large part are made when they are asked for, and only the last one is kept.
    """
    if len(raw) >= LARGE:
        return _of_large(raw, encodings or ("",))
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


def let_go(raw: memoryview) -> None:
    """Give back the pages of a large body that is mapped, for a while: looked at again they are there again."""
    if len(raw) >= LARGE and isinstance(raw.obj, mmap.mmap):
        raw.obj.madvise(mmap.MADV_DONTNEED)


def most(raw: memoryview, encodings: tuple[str, ...]) -> int:
    """How many bytes at most a reading takes besides what it is made of."""
    kinds = set(encodings) - IDENTITY
    if not kinds:
        return 0
    return len(raw) if "quoted-printable" in kinds else len(raw) // 4 * 3


def base64_readings(raw: memoryview) -> list[Data]:
    """All that base64 decoders make of `raw`: junk left out, later streams read on, the URL-safe alphabet too."""
    size = _regular(raw)
    if size >= 0 and len(plain := _quick(raw)) == size:
        return [plain]
    return [recipe(raw) for recipe in _different(raw, _doubtful(raw), _as_it_is)]


def _quick(data: Data) -> bytes:
    """As _lenient where nothing but symbols and line ends stands there, in an eighth of the time; fewer bytes, else."""
    try:
        return pybase64.b64decode(data)
    except binascii.Error:
        return b""


def _lenient(raw: Data) -> bytes:
    """What binascii makes of it: junk is skipped, the first padding ends it. Empty where it refuses."""
    try:
        return binascii.a2b_base64(raw)
    except binascii.Error:
        return b""


def _doubtful(raw: memoryview) -> Iterator[Recipe]:
    """Readings of base64 that is not as it should be."""
    yield _lenient
    yield _segments
    padding = _find(raw, b"=", 0)
    if padding >= 0:
        yield lambda raw: unbase64(raw, 0, len(raw))  # padding is junk to some
    if _find(raw, b"-", 0) >= 0 or _find(raw, b"_", 0) >= 0:
        yield lambda raw: unbase64(raw, 0, len(raw), _URL_SAFE, _NOT_URL_SAFE)
    yield base64_run  # the text in front of it is none of its business
    if _uneven(raw):
        yield _line_by_line  # a decoder that works so drops what does not fill a group of four
    if padding >= 0 and (first := len(unbase64(raw, 0, padding))):
        # What stands behind the first padding is a file of its own to those who take each stream for one.
        yield lambda raw: memoryview(_segments(raw))[first:]


def _find(raw: memoryview, mark: bytes, start: int) -> int:
    """Where a byte stands from `start` on, -1 where it does not: a tenth of what a pattern costs."""
    for place in range(start, len(raw), _BLOCK):
        found = bytes(raw[place : place + _BLOCK]).find(mark)
        if found >= 0:
            return place + found
    return -1


def _different(raw: memoryview, recipes: Iterable[Recipe], otherwise: Recipe) -> list[Recipe]:
    """Those that give something, and not the same as an earlier one; another one where none does."""
    found: dict[bytes, Recipe] = {}
    for recipe in recipes:
        mark = _mark(recipe(raw))
        if mark:
            found.setdefault(mark, recipe)
    return list(found.values()) or [otherwise]


def _mark(content: Data) -> bytes:
    """Tells contents apart; empty where there is none."""
    return hashlib.sha256(content).digest() if len(content) else b""


def _as_it_is(raw: memoryview) -> memoryview:
    return raw


def _of_large(raw: memoryview, encodings: tuple[str, ...]) -> Sequence[Data]:
    """The readings of a part of which not all can be kept."""
    recipes: list[Recipe] = []
    for encoding in encodings:
        if encoding == "base64":
            recipes += [_quick] if len(_quick(raw)) == _regular(raw) else _different(raw, _doubtful(raw), _as_it_is)
        elif encoding == "quoted-printable":
            recipes += _different(raw, _unquoted(raw), _unquote)
        elif encoding == UUENCODE:
            recipes += _different(raw, (uudecoded, _as_it_is), _as_it_is)
        else:
            recipes.append(_as_it_is)
    return Readings(raw, recipes)


class Readings(Sequence[Data]):
    """Readings of one part, each made when it is asked for: drop one before the next is taken."""

    def __init__(self, raw: memoryview, recipes: Sequence[Recipe]) -> None:
        """Nothing is made yet."""
        self._raw = raw
        self._recipes = tuple(recipes)
        self._made: tuple[int, Data] = (-1, b"")

    def __len__(self) -> int:
        """How many there are."""
        return len(self._recipes)

    @overload
    def __getitem__(self, index: int) -> Data: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Data]: ...
    def __getitem__(self, index: int | slice) -> Data | Sequence[Data]:
        """One of them; the last that was asked for is at hand."""
        if isinstance(index, slice):
            return Readings(self._raw, self._recipes[index])
        recipe = self._recipes[index]
        if self._made[0] != index:
            self._made = (-1, b"")
            self._made = (index, recipe(self._raw))
        return self._made[1]

    def __iter__(self) -> Iterator[Data]:
        """One after the other, none kept here while the next one is made."""
        for index in range(len(self)):
            yield self[index]


def _regular(data: Data) -> int:
    """How many bytes base64 in lines of equal length holds, all of them groups of four but the last; else -1.

    Looks at two bytes of each line, for all mail comes by here: a decoder finds fewer bytes where others are junk.
    """
    tail = bytes(data[-8:])
    text = tail.rstrip(b"\r\n")
    size = len(data) - len(tail) + len(text)
    match = _END.search(data, 0, size)
    breaks = 0
    if match is not None:
        first = match.start()
        ends, feeds = bytes(data[first : size : first + 2]), bytes(data[first + 1 : size : first + 2])
        breaks = len(ends)
        if first % 4 or not len(feeds) == breaks == ends.count(b"\r") == feeds.count(b"\n"):
            return -1
    symbols = size - 2 * breaks
    padding = 2 if text.endswith(b"==") else int(text.endswith(b"="))
    return symbols // 4 * 3 - padding if symbols % 4 == 0 else -1


def _blocks(raw: memoryview) -> Iterator[tuple[int, int]]:
    """Pieces of whole lines: millions of lines at once would take many times the memory of the data."""
    start = 0
    while start < len(raw):
        match = _FEED.search(raw, start + _BLOCK)
        end = match.end() if match is not None else len(raw)
        yield start, end
        start = end


def _uneven(raw: memoryview) -> bool:
    """True where a line before the last one does not consist of groups of four."""
    uneven = False
    for start, end in _blocks(raw):
        for size in _long_lines(raw, start, end) if end - start > _LONG else _lines(raw, start, end):
            if size and uneven:
                return True
            uneven = size % 4 != 0 if size else uneven
    return False


def _lines(raw: memoryview, start: int, end: int) -> Iterator[int]:
    """How many symbols the lines have."""
    for line in bytes(raw[start:end]).split(b"\n"):
        yield len(line.translate(None, _NOT_BASE64))


def _long_lines(raw: memoryview, start: int, end: int) -> Iterator[int]:
    """The same where lines are long: in pieces."""
    for match in _LINE.finditer(raw, start, end):
        size = 0
        for place in range(match.start(), match.end(), _BLOCK):
            size += len(bytes(raw[place : min(place + _BLOCK, match.end())]).translate(None, _NOT_BASE64))
        yield size


def _line_by_line(raw: memoryview) -> bytes:
    """Each line decoded by itself."""
    out = BytesIO()
    for start, end in _blocks(raw):
        if end - start > _LONG:
            for match in _LINE.finditer(raw, start, end):
                pour(out, raw, match.start(), match.end())
        else:
            for line in bytes(raw[start:end]).split(b"\n"):
                out.write(_decode_clean(line.translate(None, _NOT_BASE64)))
    return out.getvalue()


def _segments(raw: memoryview) -> bytes:
    """All streams of a part decoded one after another, each ended by its padding."""
    out = BytesIO()
    position = 0
    for _ in range(MAX_SEGMENTS):
        end = _find(raw, b"=", position)
        if end < 0:
            break
        pour(out, raw, position, end)
        position = _PADDING.match(raw, end).end()  # type: ignore[union-attr]  # one stands there
    pour(out, raw, position, len(raw))
    return out.getvalue()


def _decode_clean(symbols: bytes) -> bytes:
    """Decode symbols of the alphabet, whatever their number: a single left-over symbol is dropped."""
    if len(symbols) % 4 == 1:
        symbols = symbols[:-1]
    return binascii.a2b_base64(symbols + b"=" * (-len(symbols) % 4))


def quoted_readings(raw: memoryview) -> list[Data]:
    """Quoted-printable as binascii reads it and, where they differ, as stricter or laxer decoders do."""
    recipes = list(_unquoted(raw))
    return [recipe(raw) for recipe in (recipes if len(recipes) == 1 else _different(raw, recipes, _unquote))]


def _unquoted(raw: memoryview) -> Iterator[Recipe]:
    """The readings of quoted-printable."""
    yield _unquote
    if _QP_ODD.search(raw) is not None:
        yield _unquote_laxly


def _unquote(raw: memoryview) -> bytes:
    """Quoted-printable as binascii reads it."""
    if len(raw) < LARGE:
        return binascii.a2b_qp(raw)
    out = BytesIO()
    for start, end in _quoted_blocks(raw):
        out.write(binascii.a2b_qp(raw[start:end]))
    return out.getvalue()


def _unquote_laxly(raw: memoryview) -> bytes:
    """RFC 2045 6.7 (3): blanks between "=" and the line end were added in transport."""
    out = BytesIO()
    for start, end in _quoted_blocks(raw):
        out.write(binascii.a2b_qp(_QP_BLANKS.sub(b"", bytes(raw[start:end]))))
    return out.getvalue()


def _quoted_blocks(raw: memoryview) -> Iterator[tuple[int, int]]:
    """As _blocks; long lines are cut where no escape stands, or where one that never ends does."""
    for start, stop in _blocks(raw):
        position = start
        while stop - position > _LONG:
            end = position + _LONG
            open_at = _QP_OPEN.search(bytes(raw[end - _BLOCK : end]))
            end -= _BLOCK - open_at.start() if open_at is not None and open_at.start() else 0
            yield position, end
            position = end
        yield position, stop
