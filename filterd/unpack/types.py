"""What bytes are, by their content: an own small table, a microsecond or two per stream."""

import re
from typing import Final, TypeAlias

Data: TypeAlias = bytes | memoryview

_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08PK\x03\x04", "zip"),
    (b"MZ", "exe"),
    (b"\x7fELF", "elf"),
    (b"%PDF-", "pdf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"{\\rt", "rtf"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"MSCF\x00\x00\x00\x00", "cab"),
    (b"\x60\xea", "arj"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "lnk"),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", "onenote"),
    (b"ITSF\x03\x00\x00\x00", "chm"),
    (b"\x78\x9f\x3e\x22", "tnef"),
    (b"\xcf\xfa\xed\xfe", "macho"),
    (b"\xce\xfa\xed\xfe", "macho"),
    (b"\xca\xfe\xba\xbe", "class"),
    (b"dex\n", "dex"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"ID3", "mp3"),
    (b"OggS", "ogg"),
    (b"RIFF", "riff"),
    (b"FWS", "swf"),
    (b"CWS", "swf"),
    (b"vhdxfile", "vhdx"),
    (b"conectix", "vhd"),
    (b"<?xml", "xml"),
    (b"#!", "script"),
    (b"-----BEGIN PGP", "pgp"),
)
_STARTS: Final = tuple([magic for magic, _ in _MAGIC])
_ISO: Final = 32_769  # offset of the first volume descriptor's identifier (ECMA-119, 8.3.1)
_TAR: Final = 257  # offset of the ustar mark
_TAIL: Final = 65_557  # bytes; a zip's end record with the longest comment
_BMP_HEADER: Final = 54
_MOSTLY: Final = 20  # one control byte in so many makes it no text
_HTML: Final = re.compile(
    rb"[\s\xef\xbb\xbf]*+(?:<!--[^>]{0,500}-->\s*+)?<(?:!doctype\s+html|html|head|body|script|iframe|meta|table|div)\b",
    re.IGNORECASE,
)
_SVG: Final = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_BEFORE_PDF: Final = frozenset({"", "png", "jpeg", "gif", "bmp", "riff", "tiff", "html", "svg", "xml", "exe", "elf"})
_ARJ_HEADER: Final = (30, 2_600)  # bytes a first header may have
_RAR_OLD: Final = b"\x52\x45\x7e\x5e"
ARCHIVES: Final = frozenset({"zip", "gzip", "bzip2", "xz", "zstd", "7z", "rar", "cab", "arj"})
TEXTS: Final = frozenset({"text", "html", "xml", "svg", "script", "pgp"})


def detect(data: Data) -> tuple[str, ...]:
    """All types that the content can be taken for, the one at its start first; "text" or "data" where none is known."""
    head = bytes(data[:1024])
    found: list[str] = []
    start = _at_start(head, len(data))
    if start:
        found.append(start)
    if len(data) > _ISO and bytes(data[_ISO : _ISO + 5]) == b"CD001":
        found.append("iso")
    if start in _BEFORE_PDF and b"%PDF-" in head:
        # Readers look for the mark in the first kilobyte. What holds files may hold a whole document there.
        found.append("pdf")
    if start != "zip" and _ends_as_zip(data):
        found.append("zip")
    if not found:
        found.append("text" if _is_text(head) else "data")
    return tuple(found)


def _at_start(head: bytes, size: int) -> str:
    """The type that the first bytes name, empty where they name none."""
    if head.startswith(_STARTS):
        name = next(kind for magic, kind in _MAGIC if head.startswith(magic))
        if _holds(name, head, size):
            return name
    if head[_TAR : _TAR + 5] == b"ustar":
        return "tar"
    if head[:4] == _RAR_OLD:
        return "rar"
    if _HTML.match(head) or (head[:5] == b"<?xml" and b"<html" in head.lower()):
        return "html"
    return "svg" if _SVG.search(head) else "xml" if head[:5] == b"<?xml" else ""


def _holds(name: str, head: bytes, size: int) -> bool:
    """Whether what follows a short magic number agrees with it: two letters also begin words."""
    if name == "xml":
        return False  # a closer look decides: html and svg are xml too
    if name == "bmp":
        return size >= _BMP_HEADER and head[6:10] == b"\0\0\0\0"
    if name == "exe":
        return not _is_text(head)
    if name == "arj":
        return _ARJ_HEADER[0] <= int.from_bytes(head[2:4], "little") <= _ARJ_HEADER[1]
    return True


def _ends_as_zip(data: Data) -> bool:
    """True where a zip hangs behind something else: its end record stands near the end of the data.

    Unpackers are content with a comment that is cut short, and some with an end record before a broken one.
    """
    tail = bytes(data[-_TAIL:]) if len(data) > _TAIL else bytes(data)
    place = tail.rfind(b"PK\x05\x06")
    if place < 0:
        return False
    return len(tail) >= place + 22 + int.from_bytes(tail[place + 20 : place + 22], "little") or b"PK\x01\x02" in tail


def _is_text(head: bytes) -> bool:
    """True where hardly any byte is a control character."""
    if not head:
        return True
    if b"\0" in head:
        return head[:2] in (b"\xff\xfe", b"\xfe\xff")
    odd = len(head) - len(head.translate(None, b"\x01\x02\x03\x04\x05\x06\x07\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17"))
    return odd * _MOSTLY <= len(head)
