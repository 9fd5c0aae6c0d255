"""What bytes are, by their content: an own small table, a microsecond or two per stream."""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from filterd.unpack import disks
from filterd.unpack.behind import ACE, MARKS, embedded

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
    (b"\x09\x08\x10\x00\x00\x06", "biff"),
    (b"\x09\x08\x08\x00\x00\x05", "biff"),
    (b"\x09\x00\x04\x00", "biff"),
    (b"\x09\x02\x06\x00", "biff"),
    (b"\x09\x04\x06\x00", "biff"),
    (b"{\\rt", "rtf"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"MSCF\x00\x00\x00\x00", "cab"),
    (b"\x60\xea", "arj"),
    (b"\x1f\x9d", "compress"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x02\x21\x4c\x18", "lz4"),
    (b"\x89LZO\x00\r\n\x1a\n", "lzop"),
    (b"LZIP", "lzip"),
    (b"07070", "cpio"),
    (b"\xc7\x71", "cpio"),
    (b"\x71\xc7", "cpio"),
    (b"!<arch>\n", "ar"),
    (b"\xed\xab\xee\xdb", "rpm"),
    (b"xar!\x00", "xar"),
    (b"MSWIM\x00\x00\x00", "wim"),
    (b"ALZ\x01", "alz"),
    (b"EGGA", "egg"),
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
_SHEETS: Final = (b"\x10\0", b"\x20\0", b"\x40\0", b"\0\1")  # kinds of workbook of Excel 2 to 4
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
# fmt: off
ARCHIVES: Final = frozenset(
    {
        "zip", "gzip", "bzip2", "xz", "zstd", "7z", "rar", "cab", "arj", "tar", "iso", "lha", "ace", "cpio", "ar",
        "rpm", "xar", "wim", "alz", "egg", "compress", "lz4", "lzop", "lzip", "lzma",
    }
) | disks.CLOSED
# fmt: on
_PROGRAMS: Final = frozenset({"exe", "elf"})
_LHA: Final = re.compile(rb"..-(?:lh[0-9a-dx]|lz[0-9s]|pm[0-9s])-", re.DOTALL)
_SUM: Final = slice(148, 156)  # of a tar header
_OCTAL: Final = re.compile(rb" *[0-7]{1,8}[ \0]*\Z")
_FRAME: Final = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")  # of user data, which readers skip (RFC 8878, 3.1.2)
_MAX_SKIPPED: Final = 100  # such frames in a row
_LZ4: Final = b"\x04\x22\x4d\x18"
_LZMA_HEADER: Final = 14  # bytes: properties, dictionary, size, and the coder's first, which is zero
_LZMA_PROPERTIES: Final = 225  # 9 * 5 * 5 combinations
_LZMA_SMALLEST: Final = 4_096  # bytes of a dictionary
_UNKNOWN: Final = b"\xff" * 8  # an lzma stream's size where it is not known
_MAX_DECLARED: Final = 1 << 40  # bytes; an lzma stream that says more is none
_CPIO_OLD: Final = 0o170000  # the bits of a mode that say what an old cpio's entry is
_DIRECTORY_MARKS: Final = (b"CD001", b"BEA01", b"NSR02", b"NSR03")
TEXTS: Final = frozenset({"text", "html", "xml", "svg", "script", "pgp"})


def detect(data: Data) -> tuple[str, ...]:
    """All types that the content can be taken for, the one at its start first; "text" or "data" where none is known."""
    head = bytes(data[:1024])
    found: list[str] = []
    start = _at_start(head, len(data))
    if start:
        found.append(start)
    if len(data) > _ISO and bytes(data[_ISO : _ISO + 5]) in _DIRECTORY_MARKS:
        found.append("iso")
    if not start and (image := disks.image(data)):
        found.append(image)
    if (footed := disks.footed(data)) and footed not in found:
        found.append(footed)
    if start in _PROGRAMS:
        found += [kind for kind in MARKS if embedded(data, kind) >= 0]
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
    archive = _unmarked(head, size)
    if archive:
        return archive
    if _HTML.match(head) or (head[:5] == b"<?xml" and b"<html" in head.lower()):
        return "html"
    return "svg" if _SVG.search(head) else "xml" if head[:5] == b"<?xml" else ""


def _unmarked(head: bytes, size: int) -> str:
    """The archive whose mark stands further in, or that has none but a header that holds."""
    if head[_TAR : _TAR + 5] == b"ustar":
        return "tar"
    if head.isascii() and b"\0" not in head:
        return ""  # a text: those below have sizes and paddings with zeros in them
    kind = ""
    if _is_old_tar(head):
        kind = "tar"
    elif head[:4] == _RAR_OLD:
        kind = "rar"
    elif _LHA.match(head):
        kind = "lha"
    elif head[7:14] == ACE:
        kind = "ace"
    elif _FRAME.match(head):
        kind = "lz4" if head[skipped(head, size) :][:4] == _LZ4 else "zstd"
    elif _is_lzma(head):
        kind = "lzma"
    return kind


def _holds(name: str, head: bytes, size: int) -> bool:
    """Whether what follows a short magic number agrees with it: two letters also begin words."""
    agrees = _AGREES.get(name)
    return agrees is None or agrees(head, size)


def _is_lzma(head: bytes) -> bool:
    """Whether a bare LZMA stream can begin here: properties, a dictionary of a usual size, a size, a zero."""
    dictionary = int.from_bytes(head[1:5], "little")
    if len(head) < _LZMA_HEADER or head[0] >= _LZMA_PROPERTIES or head[13] or dictionary < _LZMA_SMALLEST:
        return False
    size = head[5:13]
    low = dictionary & -dictionary
    return dictionary in (low, 3 * low) and (size == _UNKNOWN or 0 < int.from_bytes(size, "little") < _MAX_DECLARED)


def skipped(data: Data, size: int) -> int:
    """Where the first frame begins behind those that zstd and lz4 readers skip; the end where none does."""
    position = 0
    for _ in range(_MAX_SKIPPED):
        if not _FRAME.match(data, position):
            break
        position += 8 + int.from_bytes(bytes(data[position + 4 : position + 8]), "little")
    return min(position, size)


def _is_cpio(head: bytes) -> bool:
    """Whether a cpio's first entry has digits where they belong, or (old ones, binary) a type of file."""
    if head[:5] == b"07070":
        return head[5:6] in (b"1", b"2", b"7") and re.match(rb"[0-9A-Fa-f]{30}", head[6:]) is not None
    mode = int.from_bytes(head[6:8], "little" if head[:1] == b"\xc7" else "big")
    return mode & _CPIO_OLD in (0o100000, 0o040000, 0o120000)


def _is_old_tar(head: bytes) -> bool:
    """Whether a tar header without a mark stands here: its bytes add up to what it says."""
    field = head[_SUM]
    if not _OCTAL.match(field) or not head[0]:
        return False
    total = sum(head[:512]) - sum(field) + 8 * ord(" ")
    return int(field.strip(b" \0"), 8) == total


def _ends_as_zip(data: Data) -> bool:
    """True where a zip hangs behind something else: its end record stands near the end of the data.

    Unpackers are content with a comment that is cut short, and some with an end record before a broken one.
    """
    tail = bytes(data[-_TAIL:]) if len(data) > _TAIL else bytes(data)
    place = tail.rfind(b"PK\x05\x06")
    if place < 0:
        return False
    return len(tail) >= place + 22 + int.from_bytes(tail[place + 20 : place + 22], "little") or b"PK\x01\x02" in tail


def ends_in_zip(data: Data) -> bool:
    """Whether a zip's end record, its comment included, ends the data."""
    tail = bytes(data[-_TAIL:]) if len(data) > _TAIL else bytes(data)
    place = tail.rfind(b"PK\x05\x06")
    return place >= 0 and len(tail) == place + 22 + int.from_bytes(tail[place + 20 : place + 22], "little")


def _is_text(head: bytes) -> bool:
    """True where hardly any byte is a control character."""
    if not head:
        return True
    if b"\0" in head:
        return head[:2] in (b"\xff\xfe", b"\xfe\xff")
    odd = len(head) - len(head.translate(None, b"\x01\x02\x03\x04\x05\x06\x07\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17"))
    return odd * _MOSTLY <= len(head)


_AGREES: Final[dict[str, Callable[[bytes, int], bool]]] = {
    "xml": lambda _head, _size: False,  # a closer look decides: html and svg are xml too
    "bmp": lambda head, size: size >= _BMP_HEADER and head[6:10] == b"\0\0\0\0",
    "exe": lambda head, _size: not _is_text(head),
    "cpio": lambda head, _size: _is_cpio(head),
    "lzip": lambda head, _size: head[4:5] in (b"\0", b"\x01"),
    "arj": lambda head, _size: _ARJ_HEADER[0] <= int.from_bytes(head[2:4], "little") <= _ARJ_HEADER[1],
    "biff": lambda head, _size: head[1:2] == b"\x08" or head[6:8] in _SHEETS,
}
