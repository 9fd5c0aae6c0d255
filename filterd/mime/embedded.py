"""Files written into the text of a message: uuencode, yEnc, BinHex and bare base64, which some clients turn into files.

All text comes by here, so one search finds all beginnings; what stands behind one is decoded once.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Final, TypeAlias

from filterd.mime.limits import MAX_EMBEDDED, MAX_WRITTEN_FILE
from filterd.mime.macintosh import unbinhex

Data: TypeAlias = bytes | memoryview

_UU: Final = rb"begin(?:-base64)? [0-7]+ [^\r\n]{1,255}\r?\n"
_YENC: Final = rb"=ybegin [^\r\n]{1,1000}\r?\n"
_BINHEX: Final = rb"\(This file must be converted with BinHex"
# Quoted or not. 40 is more than words have, and less than any encoder's line but the last.
_BASE64: Final = rb"[ \t>|]{0,8}[A-Za-z0-9+/]{40}"
_MARK: Final = re.compile(b"(" + _UU + b")|(" + _YENC + b")|(" + _BINHEX + b")|" + _BASE64)
# All text is searched with this one: what it finds is looked at more closely.
_LIKELY: Final = re.compile(rb"\n(?:begin[ -]|=ybegin |\(This file must|" + _BASE64 + b")")
# Lines of base64 as long as they go on; only the last one is short.
_RUN: Final = re.compile(rb"(?:[ \t>|]{0,8}[A-Za-z0-9+/]++={0,3}[ \t]*+(?:\r?\n|\Z))++")
_DECLARED: Final = re.compile(rb"(?:\A|\n)begin(?: [0-7]+(?: [^\r\n]*)?)?\r?\n")  # as lax as the laxest decoder
_LINE: Final = re.compile(rb"([^\r\n]{0,2000})(?:\r?\n|\Z)")
_YEND: Final = re.compile(rb"(?:\A|\n)=yend[^\r\n]*")
_YPART: Final = re.compile(rb"=ypart [^\r\n]*\r?\n")
_YESCAPE: Final = re.compile(rb"=(.)", re.DOTALL)
_YESCAPED: Final = [bytes([(code - 64) % 256]) for code in range(256)]
_YSHIFT: Final = bytes([(code - 42) % 256 for code in range(256)])
_YMORE: Final = re.compile(rb" part=0*(?:[2-9]|1[0-9])| total=0*(?:[2-9]|1[0-9])")
_NAME: Final = re.compile(rb"\bname=([^\r\n]*)")
_FIRST_LINE: Final = 60  # bytes of a single line of bare base64 before it is believed: shorter ones are names and keys
_PIECE: Final = 1_000_000  # bytes decoded at once
_YPIECE: Final = 65_536  # the same, of yEnc
_SHARE: Final = 2  # times the text that is decoded in all: files may lie inside each other, by their marks


@dataclass(frozen=True, slots=True)
class Embedded:
    """A file in a text. `missing` says why it is not whole, empty where it is."""

    name: str
    content: bytes
    missing: str = ""


def embedded(data: Data, allowance: int) -> Iterator[Embedded]:
    """Each file in a text, at most MAX_EMBEDDED; what cannot be decoded is left out. Linear; never raises.

    `allowance` bounds, in bytes, what a single file may grow to; only BinHex grows.
    """
    count = position = 0
    left = _SHARE * len(data)
    while (match := _mark(data, position)) is not None:
        found, end = _read(data, match, allowance)
        left -= max(end - match.end(), 0)
        # What is found by its marks may hold another file to a client that knows only those of the other.
        resume = match.end() if match[2] or match[3] else end
        position = max(resume - 1, match.start() + 1)
        if found is not None and (found.content or found.missing):
            count += 1
            yield found
        if count >= MAX_EMBEDDED or left < 0:
            yield Embedded("", b"", f"more than {MAX_EMBEDDED} files in a text, or all of them without an end")
            return


def _mark(data: Data, position: int) -> re.Match[bytes] | None:
    """The next beginning of a file behind `position`, or at the very start."""
    if not position and (match := _MARK.match(data)) is not None:
        return match
    while (likely := _LIKELY.search(data, position)) is not None:
        if (match := _MARK.match(data, likely.start() + 1)) is not None:
            return match
        position = likely.end()
    return None


def _read(data: Data, match: re.Match[bytes], allowance: int) -> tuple[Embedded | None, int]:
    """What begins at a mark, and where it ends."""
    uu, yenc, binhex = match.groups()
    if yenc is not None:
        return _ydecode(data, match.end(), yenc)
    if binhex is not None:
        name, content, end, missing = unbinhex(data, match.end(), allowance)
        return Embedded(_text(name), content, missing), end
    if uu is not None and not uu.startswith(b"begin-"):
        content, end = _uudecode(data, match.end())
        return Embedded(_text(uu.split(b" ", 2)[2]), content), end
    run = _RUN.match(data, match.end() if uu else match.start())
    if run is None:
        return None, match.end()
    if uu is None and run.end() - run.start() < _FIRST_LINE:
        return None, run.end()
    content = unbase64(data, run.start(), run.end())
    return Embedded(_text(uu.split(b" ", 2)[2]) if uu else "", content), run.end()


_NOT_BASE64: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


def unbase64(data: Data, start: int, stop: int, table: bytes | None = None, junk: bytes = _NOT_BASE64) -> bytes:
    """A stretch of base64 without its junk, symbols read by `table`."""
    out = BytesIO()
    pour(out, data, start, stop, table, junk)
    return out.getvalue()


def pour(  # what unbase64 takes, and where it goes
    out: BytesIO, data: Data, start: int, stop: int, table: bytes | None = None, junk: bytes = _NOT_BASE64
) -> None:
    """Decode in pieces, so that no copy of all is needed, neither of what is decoded nor of what comes out."""
    rest = b""
    for place in range(start, stop, _PIECE):
        plain = rest + bytes(data[place : min(place + _PIECE, stop)]).translate(table, junk)
        whole = len(plain) // 4 * 4
        out.write(binascii.a2b_base64(plain[:whole]))
        rest = plain[whole:]
    if len(rest) > 1:
        out.write(binascii.a2b_base64(rest + b"=" * (-len(rest) % 4)))


def base64_run(data: Data) -> bytes:
    """The first lines that are nothing but base64, where other text stands before them; empty where none does."""
    match = None if _MARK.match(data) else _LIKELY.search(data)
    run = _RUN.match(data, match.start() + 1) if match is not None else None
    return unbase64(data, run.start(), run.end()) if run is not None else b""


def uudecoded(data: Data) -> bytes:
    """The content of a part that is declared as uuencoded; empty where nothing begins."""
    match = _DECLARED.search(data)
    return _uudecode(data, match.end())[0] if match is not None else b""


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace").strip()


def _uudecode(data: Data, start: int) -> tuple[bytes, int]:
    """Decode line by line until "end" or a line that is none; where to go on."""
    out = BytesIO()
    position = start
    while (match := _LINE.match(data, position)) is not None:
        line = match[1]
        position = match.end()
        # Blanks at the end of a line get lost and stand for zeros: never for more of them than there is text.
        if not line or line.startswith((b"end", b"====")) or out.tell() > position - start:
            break
        try:
            out.write(binascii.a2b_uu(line))
        except binascii.Error:
            try:
                # Some encoders pad lines: the length in front tells how much of it counts.
                out.write(binascii.a2b_uu(line[: (((line[0] - 32) & 63) * 4 + 5) // 3]))
            except binascii.Error:
                break
    return out.getvalue(), max(position - 1, start)


def _unescaped(data: Data, start: int, stop: int) -> bytes:
    """The bytes that yEnc wrote, in pieces: each escape is an object of its own meanwhile."""
    out = BytesIO()
    rest = b""
    for place in range(start, stop, _YPIECE):
        coded = rest + bytes(data[place : min(place + _YPIECE, stop)]).translate(None, b"\r\n")
        # An escape at the end waits for what it escapes; of an even number of them the last is escaped itself.
        rest = b"=" if (len(coded) - len(coded.rstrip(b"="))) % 2 else b""
        coded = coded[: len(coded) - len(rest)]
        out.write(_YESCAPE.sub(lambda found: _YESCAPED[found[1][0]], coded).translate(_YSHIFT))
    out.write(rest.translate(_YSHIFT))
    return out.getvalue()


def _ydecode(data: Data, start: int, head: bytes) -> tuple[Embedded, int]:
    """Version 1.3: every byte raised by 42, critical ones escaped by "=" and raised by 64 more."""
    part = _YPART.match(data, start)
    start = part.end() if part else start
    stop = _YEND.search(data, start - 1)
    end = stop.start() if stop else len(data)
    plain = _unescaped(data, start, min(end, start + MAX_WRITTEN_FILE))
    name = _NAME.search(head)
    missing = "a part of a file" if _YMORE.search(head) else "" if stop else "a file without its end"
    if end - start > MAX_WRITTEN_FILE:
        missing = f"a file of more than {MAX_WRITTEN_FILE} bytes"
    return Embedded(_text(name[1]) if name else "", plain, missing), stop.end() if stop else len(data)
