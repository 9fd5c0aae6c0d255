"""Bytes to text under a declared charset that may be missing, wrong or hostile."""

import codecs
import functools
from typing import Final

from filterd.mime.limits import MAX_TEXT

# Names that mail uses and Python does not know.
_ALIASES: Final = {
    "ansi": "cp1252",
    "default": "utf-8",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "ks_c_5601-1987": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "x-mac-roman": "mac-roman",
    "unknown-8bit": "utf-8",
    "x-unknown": "utf-8",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "iso-8859-1": "cp1252",  # as every client reads it (WHATWG encoding standard)
    "latin1": "cp1252",
}
# Python codecs that are no charset of mail: they transform, raise, or read the machine's settings.
_REFUSED: Final = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"})

_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@functools.lru_cache(maxsize=256)
def codec_for(charset: str) -> str | None:
    """The Python codec for a declared charset, None where there is none that may be used."""
    name = charset.strip(" \t\"'").lower()
    name = _ALIASES.get(name, name)
    if not name or not name.isascii() or not name.isprintable() or len(name) > 40:  # noqa: PLR2004  # longest real name: 29
        return None
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    if info.name in _REFUSED or not getattr(info, "_is_text_encoding", False):
        return None
    return info.name


@functools.lru_cache(maxsize=256)
def _spells_ascii(codec: str) -> bool:
    """Whether ASCII bytes mean ASCII text under a codec, whatever stands before them."""
    return codec.startswith("utf-8") or (
        _PLAIN.decode(codec, "replace") == _PLAIN.decode("ascii") and not codec.startswith(("iso2022", "utf-7", "hz"))
    )


_PLAIN: Final = bytes(range(32, 127))
_SHIFTS: Final = {"utf-7": b"+", "hz": b"~"}  # what begins text of another kind; the others' is an escape


def transcoded(data: bytes | memoryview, charset: str) -> bytes | None:
    """A text in UTF-8 where scanning its bytes would not see what a client shows: UTF-16, UTF-7, EBCDIC, escapes."""
    head = bytes(data[:64])
    codec = codec_for(charset)
    wide = head[:2] in _MARKS or head.count(b"\0") * 3 > len(head) > 1
    if not wide and (codec is None or _spells_ascii(codec)):
        return None
    shifted = codec is not None and codec.startswith(("iso2022", "utf-7", "hz"))
    if not wide and shifted and _SHIFTS.get(codec or "", b"\x1b") not in bytes(data[:MAX_TEXT]):
        return None
    narrow = codec is None or _spells_ascii(codec)
    return decode(data, "" if narrow else charset).encode("utf-8", "replace")


def decode(data: bytes | memoryview, charset: str) -> str:
    """At most MAX_TEXT bytes of `data` as text; what cannot be decoded becomes U+FFFD. Never raises.

    Without a usable charset: UTF-16 where every second byte is NUL, else UTF-8, else Windows-1252.
    """
    raw = bytes(data[:MAX_TEXT])
    codec = codec_for(charset)
    if codec is None or codec == "utf-8" or (codec == "utf-16" and raw[:2] not in _MARKS):
        return _guess(raw)
    try:
        text = raw.decode(codec, "replace")
        # UTF-7 can spell lone surrogates, which no other encoding can write.
        return text if codec != "utf-7" else text.encode("utf-8", "replace").decode()
    except (UnicodeError, ValueError, LookupError):
        return _guess(raw)


def _guess(raw: bytes) -> str:
    """Text of bytes that say nothing about their charset, or say UTF-8."""
    if raw[:2] in _MARKS:
        return raw.decode("utf-16", "replace")
    head = raw[:64]
    if head.count(b"\0") * 3 > len(head) > 1:
        return raw.decode("utf-16-be" if head[0] == 0 else "utf-16-le", "replace")
    try:
        return raw.decode("utf-8-sig" if raw[:3] == codecs.BOM_UTF8 else "utf-8")
    except UnicodeDecodeError as error:
        if error.end >= len(raw) - 3 and len(raw) == MAX_TEXT:  # cut inside a character by our own limit
            return raw.decode("utf-8", "replace")
        return raw.decode("cp1252", "replace")
