"""Files that a document carries in itself: in data: URLs (RFC 2397), and written into scripts as plain literals.

Scripts are not run. A literal counts where it is base64, hexadecimal, escapes or a list of character codes, also in
pieces that are joined with "+"; what a script computes stays hidden, and only that it builds a file is told.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

import re2

MAX_PAYLOADS: Final = 200  # of one document; newsletters carry some dozens of pictures
MIN_LITERAL: Final = 64  # characters of a literal that may be a file: fewer hold nothing that runs
MIN_CODES: Final = 32  # numbers in a list of character codes
OPAQUE: Final = 2_000  # characters of a literal that is no plain text and that nothing here decodes
MAX_NAMES: Final = 20  # that downloads are given
_DATA: Final = re.compile(
    rb"data:(?=[a-z;])((?:[a-z0-9.+-]{1,60}/[a-z0-9.+*-]{1,80})?(?:;[^;,\"'<>()\s]{1,100}){0,6}),", re.IGNORECASE
)
_BASE64_BODY: Final = re.compile(rb"[A-Za-z0-9+/=_%-]*+")
_QUOTED_BODY: Final = re.compile(rb"[A-Za-z0-9+/=_%\s-]*+")
_QUOTES: Final = (b'"', b"'", b"`")
_BARE_END: Final = re.compile(rb"[\s>)\"']|\Z")
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_NO_BASE64: Final = bytes([byte for byte in range(256) if byte not in _LETTERS])
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
# Words of scripts that make, name or save a file, or turn text into bytes; in lower case.
_BUILDING: Final = (b"createobjecturl", b"mssaveoropenblob", b"mssaveblob", b"new blob", b"new file(", b"saveas(")
_DECODING: Final = (
    b"atob(",
    b"fromcharcode",
    b"unescape(",
    b"decodeuri",
    b"uint8array",
    b"charcodeat",
    b"document.write",
)
# One pass for all of them: honest pages have none, and are not looked at again.
_ANY: Final = re2.compile(b"(?i)" + b"|".join([re.escape(word) for word in (b"data:", *_BUILDING, *_DECODING)]))
_JOINED: Final = re.compile(rb"[\"'`]\s{0,20}\+\s{0,20}[\"'`]|\\\r?\n")
_RUN: Final = re.compile(rb"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{64,}+={0,2}")
_HEX: Final = re.compile(rb"(?:[0-9A-Fa-f]{2})++")
_ESCAPES: Final = re.compile(rb"(?:\\x[0-9A-Fa-f]{2}|\\u00[0-9A-Fa-f]{2}){32,}+")
_QUOTED: Final = re.compile(rb"[\"'`]([^\"'`\n<>]{64,}+)[\"'`]")
_PERCENT: Final = re.compile(rb"%[0-9A-Fa-f]{2}")
_CODES: Final = re.compile(
    rb"(?<![\w.])(?:(?:0x[0-9A-Fa-f]{1,4}|\d{1,5})\s{0,4}[,|;]\s{0,4}){31,}+(?:0x[0-9A-Fa-f]{1,4}|\d{1,5})?"
)
_NUMBER: Final = re.compile(rb"0x[0-9A-Fa-f]{1,4}|\d{1,5}")
_DOWNLOAD: Final = re.compile(
    rb"\bdownload[\"']?\s{0,8}(?:[=,:]|\]\s{0,8}=)\s{0,8}[\"']([^\"'<>\n]{1,200})[\"']", re.IGNORECASE
)
_SHARE: Final = 6  # a literal counts as percent-encoded where escapes are one in so many of its characters
_BYTE: Final = 256


@dataclass(frozen=True, slots=True)
class Payload:
    """Something carried: `way` is how ("data", "base64", "hex", "escapes", "codes"), `declared` what a URL calls it."""

    way: str
    content: bytes
    declared: str = ""


@dataclass(frozen=True, slots=True)
class Carried:
    """All that one document carries.

    `names` are those downloads get, `builds` is a word that builds a file, empty where none does; `opaque` the length
    of the longest literal that could not be decoded; `cut` says that there was more.
    """

    payloads: tuple[Payload, ...] = ()
    names: tuple[str, ...] = ()
    builds: str = ""
    opaque: int = 0
    cut: bool = False


def carried(document: bytes) -> Carried:
    """What a document carries. Never raises; linear."""
    if _ANY.search(document) is None:
        return Carried()
    lower = document.lower()
    has_data = b"data:" in lower
    builds = next((word for word in _BUILDING if word in lower), b"")
    decodes = builds or any(word in lower for word in _DECODING)
    found: list[Payload] = []
    rest = _urls(document, found) if has_data else document
    opaque = 0
    if decodes:
        joined = _JOINED.sub(b"", rest)
        for payload in _literals(joined):
            if payload.way:
                found.append(payload)
            else:
                opaque = max(opaque, len(payload.content))
            if len(found) > MAX_PAYLOADS:
                break
    names = [match[1].decode("utf-8", "replace") for match in _first_names(document)] if b"download" in lower else []
    return Carried(
        tuple(found[:MAX_PAYLOADS]), tuple(dict.fromkeys(names)), builds.decode(), opaque, len(found) > MAX_PAYLOADS
    )


def _first_names(document: bytes) -> Iterator[re.Match[bytes]]:
    """Where downloads are named."""
    for count, match in enumerate(_DOWNLOAD.finditer(document)):
        if count == MAX_NAMES:
            return
        yield match


def _urls(document: bytes, found: list[Payload]) -> bytes:
    """Decode the data: URLs; returns the document without them."""
    rest: list[bytes] = []
    start = 0
    while len(found) <= MAX_PAYLOADS:
        match = _DATA.search(document, start)
        if match is None:
            break
        rest.append(document[start : match.start()])
        kind = match[1].decode("ascii", "replace").lower()
        if kind.endswith(";base64"):
            quoted = document[max(0, match.start() - 1) : match.start()] in _QUOTES
            body = (_QUOTED_BODY if quoted else _BASE64_BODY).match(document, match.end())
            end = body.end() if body is not None else match.end()
            content = from_base64(unquote_to_bytes(document[match.end() : end]))
        else:
            end = _end_of(document, match)
            content = unquote_to_bytes(document[match.end() : end])
        if content:
            found.append(Payload("data", content, kind.partition(";")[0]))
        start = max(end, match.end())
    rest.append(document[start:])
    return b" ".join(rest)


def _end_of(document: bytes, match: re.Match[bytes]) -> int:
    """Where a URL that is not base64 ends: at the quote that it stands in, or the next blank."""
    quote = document[max(0, match.start() - 1) : match.start()]
    if quote in _QUOTES:
        end = document.find(quote, match.end())
        return end if end >= 0 else len(document)
    bare = _BARE_END.search(document, match.end())
    return bare.start() if bare is not None else len(document)


def from_base64(text: bytes) -> bytes:
    """Decode as browsers do, of either alphabet, whatever else stands in it; a rest that is no byte is dropped."""
    clean = text.translate(_STANDARD, _NO_BASE64)
    clean = clean[:-1] if len(clean) % 4 == 1 else clean
    try:
        return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))
    except binascii.Error:
        return b""


def _literals(script: bytes) -> Iterator[Payload]:
    """Everything in a script that may be a file written down; without a way what cannot be decoded."""
    rest: list[bytes] = []
    start = 0
    for match in _RUN.finditer(script):
        rest.append(script[start : match.start()])
        start = match.end()
        text = match[0]
        content = binascii.unhexlify(text) if _HEX.fullmatch(text) is not None else b""
        if content:
            yield Payload("hex", content)
        elif content := from_base64(text):
            yield Payload("base64", content)
    script = b" ".join([*rest, script[start:]])  # the rest is searched without them: it is mostly short
    for match in _ESCAPES.finditer(script):
        yield Payload("escapes", binascii.unhexlify(match[0].replace(b"\\x", b"").replace(b"\\u00", b"")))
    for match in _QUOTED.finditer(script):
        if len(_PERCENT.findall(match[1])) * _SHARE >= len(match[1]):
            yield Payload("escapes", unquote_to_bytes(match[1]))
        elif len(match[1]) >= OPAQUE and b" " not in match[1] and _RUN.fullmatch(match[1]) is None:
            yield Payload("", match[1])
    for match in _CODES.finditer(script):
        numbers = [int(number, 0 if number[:2] == b"0x" else 10) for number in _NUMBER.findall(match[0])]
        if max(numbers) < _BYTE:
            yield Payload("codes", bytes(numbers))
        else:
            yield Payload("codes", "".join(map(chr, numbers)).encode("utf-8", "replace"))
