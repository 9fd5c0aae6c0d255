"""VBA projects ([MS-OVBA]): the source of their modules, which lies compressed in the streams of a compound file."""

import re
import struct
from collections.abc import Iterator
from typing import Final

from filterd.mime import symbols
from filterd.unpack.budget import Budget
from filterd.unpack.ole import Compound, Entry
from filterd.unpack.pieces import Piece, hand_out
from filterd.unpack.vba_words import MOST, autoexec, suspicious, telling

MAX_SOURCE: Final = 5_000_000  # bytes of one module's source; the editor itself ends at 64 kB a procedure
MAX_MODULES: Final = 1_000  # of one project
SMALLEST: Final = 200  # bytes of a stream that may be a compiled module; what is smaller holds no procedure
EMPTY: Final = 3_000  # bytes of compiled form beyond any module without code; a form with some controls has 1,700
MAX_TRIES: Final = 20  # places in one stream at which a source may begin
_CHUNK: Final = 4_096  # bytes a chunk becomes (2.4.1.1.3)
_SIGNATURE: Final = 0b011
# Every module begins with "Attribute VB_Name": compressed, the first eight letters stand as they are.
_START: Final = re.compile(rb"\x01[\s\S][\xb0-\xbf]\x00Attribut[\s\S]")
_OPAQUE: Final = frozenset({"dir", "_vba_project"})
_MODULE_NAME: Final = 0x1A
_STREAM_NAME: Final = 0x32
_OFFSET: Final = 0x31
_CODE_PAGE: Final = 0x03
_VERSION: Final = 0x09
_RECORD: Final = struct.Struct("<HL")


def decompress(data: bytes, start: int = 0, most: int = MAX_SOURCE) -> bytes:
    """What is compressed at `start` (2.4.1), as far as it can be read, `most` bytes or a chunk more. Never raises."""
    if data[start : start + 1] != b"\x01":
        return b""
    out = bytearray()
    position = start + 1
    while position + 2 <= len(data) and len(out) < most:
        header = data[position] | data[position + 1] << 8
        if header >> 12 & 7 != _SIGNATURE:
            break
        end = min(position + (header & 0xFFF) + 3, len(data))
        if header & 0x8000:
            _chunk(data, position + 2, end, out)
        else:
            out += data[position + 2 : position + 2 + _CHUNK]
            end = min(position + 2 + _CHUNK, len(data))
        position = end
    return bytes(out)


def _chunk(data: bytes, position: int, end: int, out: bytearray) -> None:
    """One compressed chunk: flag bytes, each before eight tokens, a byte or a copy of what came before (2.4.1.3.5)."""
    begin = len(out)
    while position < end:
        flags = data[position]
        position += 1
        for bit in range(8):
            if position >= end or len(out) - begin >= _CHUNK:
                return
            if not flags >> bit & 1:
                out.append(data[position])
                position += 1
                continue
            if position + 2 > end:
                return
            token = data[position] | data[position + 1] << 8
            position += 2
            # 2.4.1.3.19.1: the more is unpacked, the more bits tell how far back.
            bits = max((len(out) - begin - 1).bit_length(), 4)
            length = (token & (0xFFFF >> bits)) + 3
            back = (token >> (16 - bits)) + 1
            if back > len(out) - begin:
                return
            _copy(out, back, min(length, _CHUNK))


def _copy(out: bytearray, back: int, length: int) -> None:
    """Copy from what is already there, which may be what is being written."""
    begin = len(out) - back
    source = bytes(out[begin : begin + length])
    out += (source * (length // len(source) + 1))[:length]


def sources(compound: Compound, path: str, budget: Budget) -> Iterator[Piece]:
    """The source of every module, and what stands in it as findings. Nothing where there is no project."""
    streams = [entry for entry in compound.entries if entry.stream]
    projects = [entry for entry in streams if entry.name.lower() == "_vba_project"]
    if not projects:
        return
    folders = {entry.path[:-1] for entry in projects}
    budget.note(symbols.OFFICE_MACRO, path)
    listed = {folder: _offsets(compound, streams, folder) for folder in folders}
    runs: dict[str, None] = {}
    calls: dict[str, None] = {}
    count = 0
    for entry in streams:
        if entry.path[:-1] not in folders or entry.name.lower() in _OPAQUE or entry.name.upper().startswith("__SRP"):
            continue
        if count >= MAX_MODULES or budget.stopped:
            budget.note(symbols.UNSCANNABLE_DOCUMENT, "more modules than are read", path)
            break
        content = compound.read(entry)
        most = min(MAX_SOURCE, budget.allowance(len(content)))
        offset = listed[entry.path[:-1]].get(entry.name.lower())
        source = _source(content, offset, most)
        if offset is not None and (why := stomped(content, offset, source)):
            budget.note(symbols.OFFICE_VBA_STOMPED, f"{entry.name}: {why}", path)
        if source:
            count += 1
            runs.update(dict.fromkeys(autoexec(source)))
            calls.update(dict.fromkeys(suspicious(source)))
            yield from hand_out(budget, path, "/".join(entry.path) + ".vba", source)
        elif offset is not None:
            # Nobody can say what it does: its compiled form runs where the versions agree.
            budget.note(symbols.UNSCANNABLE_DOCUMENT, f"a module without source: {entry.name}", path)
    if runs:
        budget.note(symbols.OFFICE_MACRO_AUTOEXEC, *tuple(runs)[:MOST], path)
    if calls:
        budget.note(symbols.OFFICE_MACRO_SUSPICIOUS, *tuple(calls)[:MOST], path)


def stomped(content: bytes, offset: int, source: bytes) -> str:
    """Why a module's compiled form is another than its source, empty where nothing speaks for it.

    Office runs the compiled form where its own version made it, and shows the source (2.3.4.3). Whoever wants to hide
    what a macro does takes the source away, or puts a harmless one in its place.
    """
    compiled = content[: min(offset, len(content))]
    if not source:
        return "compiled, and no source" if len(content) >= SMALLEST and content.strip(b"\0") else ""
    if len(compiled) >= EMPTY and all(_declares(line) for line in source.splitlines()):
        return "compiled, and a source without code"
    lower = source.lower()
    hidden = [word for word in telling(compiled) if word.lower().encode() not in lower]
    return f"compiled with {', '.join(hidden)}, which its source has not" if hidden else ""


def _declares(line: bytes) -> bool:
    """Whether a line of source is empty or says only what the editor writes by itself."""
    return not line.strip() or line.lstrip().lower().startswith((b"attribute ", b"option explicit"))


def _source(content: bytes, offset: int | None, most: int) -> bytes:
    """A module stream's source: where the project says it begins, or where one does."""
    if offset is not None:
        source = decompress(content, offset, most)
        if source:
            return source
    for number, match in enumerate(_START.finditer(content)):
        source = decompress(content, match.start(), most) if number < MAX_TRIES else b""
        if source:
            return source
    return b""


def _offsets(compound: Compound, streams: list[Entry], folder: tuple[str, ...]) -> dict[str, int]:
    """Lower-case stream name to where the source begins in it (2.3.4.2); empty where the list cannot be read."""
    listing = next((entry for entry in streams if entry.path[:-1] == folder and entry.name.lower() == "dir"), None)
    data = decompress(compound.read(listing)) if listing is not None else b""
    found: dict[str, int] = {}
    position = 0
    name = ""
    page = "cp1252"
    while position + _RECORD.size <= len(data):
        kind, size = _RECORD.unpack_from(data, position)
        position += _RECORD.size
        if kind == _VERSION:
            size += 2  # 2.3.4.2.1.11: the minor version follows what the size counts
        content = data[position : position + size]
        position += size
        if kind == _CODE_PAGE:
            page = f"cp{int.from_bytes(content, 'little')}"
        elif kind == _MODULE_NAME:
            name = _text(content, page)
        elif kind == _STREAM_NAME and content:
            name = content.decode("utf-16-le", "replace")
        elif kind == _OFFSET and name:
            found[name.lower()] = int.from_bytes(content[:4], "little")
    return found


def _text(content: bytes, page: str) -> str:
    """A name in the project's code page."""
    try:
        return content.decode(page, "replace")
    except (LookupError, ValueError):
        return content.decode("latin-1")
