"""Compound files for tests, and what may stand in them."""

import struct
import zlib
from collections.abc import Mapping
from typing import Final

SECTOR: Final = 512
_MINI: Final = 64
_CUTOFF: Final = 4_096
_NONE: Final = 0xFFFFFFFF
_END: Final = 0xFFFFFFFE
_FAT: Final = 0xFFFFFFFD
Tree = Mapping[str, "bytes | Tree"]


class _Space:
    """Sectors of one size, and their chains."""

    def __init__(self, size: int) -> None:
        """Nothing yet."""
        self.size = size
        self.sectors: list[bytes] = []
        self.table: list[int] = []

    def keep(self, content: bytes) -> int:
        """A chain's first sector."""
        pieces = [content[place : place + self.size] for place in range(0, len(content), self.size)]
        start = len(self.sectors)
        self.sectors.extend([piece.ljust(self.size, b"\0") for piece in pieces])
        self.table.extend([*range(start + 1, start + len(pieces)), _END] if pieces else [])
        return start if pieces else _END


def make_ole(tree: Tree, classes: Mapping[str, bytes] | None = None) -> bytes:
    """A file with these streams (bytes) and storages (mappings); `classes` gives storages a class by their name."""
    rows: list[bytearray] = []
    large, small = _Space(SECTOR), _Space(_MINI)

    def row(name: str, kind: int, start: int, size: int) -> int:
        raw = name.encode("utf-16-le")[:62] + b"\0\0"
        clsid = (classes or {}).get(name, bytes(16))
        head = raw.ljust(64, b"\0") + struct.pack("<HBBLLL", len(raw), kind, 1, _NONE, _NONE, _NONE)
        rows.append(bytearray(head + clsid + bytes(20) + struct.pack("<LQ", start, size)))
        return len(rows) - 1

    def add(folder: int, inside: Tree) -> None:
        before = -1
        for name, content in inside.items():
            if isinstance(content, bytes):
                space = small if len(content) < _CUTOFF else large
                number = row(name, 2, space.keep(content), len(content))
            else:
                number = row(name, 1, 0, 0)
                add(number, content)
            struct.pack_into("<L", rows[folder if before < 0 else before], 76 if before < 0 else 72, number)
            before = number

    row("Root Entry", 5, _END, 0)
    add(0, tree)
    minis = b"".join(small.sectors)
    struct.pack_into("<LQ", rows[0], 116, large.keep(minis), len(minis))
    table = struct.pack(f"<{len(small.table)}L", *small.table)
    mini_table = large.keep(table + b"\xff" * (-len(table) % SECTOR))
    directory = large.keep(b"".join(rows))
    count = 1
    while count * 128 < len(large.sectors) + count:
        count += 1
    places = list(range(len(large.sectors), len(large.sectors) + count))
    numbers = [*large.table, *[_FAT] * count]
    numbers += [_NONE] * (count * 128 - len(numbers))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<5H6x", 0x3E, 3, 0xFFFE, 9, 6)
    minis_used = -(-len(table) // SECTOR)
    header += struct.pack("<9L", 0, count, directory, 0, _CUTOFF, mini_table, minis_used, _END, 0)
    header += struct.pack("<109L", *places, *[_NONE] * (109 - len(places)))
    return header + b"".join(large.sectors) + struct.pack(f"<{len(numbers)}L", *numbers)


def compress(source: bytes) -> bytes:
    """A VBA source as literals alone."""
    out = bytearray(b"\x01")
    for place in range(0, len(source), 3_000):
        piece = source[place : place + 3_000]
        body = b"".join([b"\0" + piece[start : start + 8] for start in range(0, len(piece), 8)])
        out += struct.pack("<H", len(body) - 1 | 0xB000) + body
    return bytes(out)


def project(*modules: tuple[str, bytes], offset: int = 4) -> dict[str, "bytes | Tree"]:
    """The storage of a VBA project, each module's source behind `offset` bytes of compiled form."""
    listing = struct.pack("<HLHH", 0x03, 2, 1252, 0x09)[:8] + struct.pack("<HLLH", 0x09, 4, 1, 2)
    streams: dict[str, bytes | Tree] = {"_VBA_PROJECT": b"\xcc\x61"}
    for name, source in modules:
        wide = name.encode("utf-16-le")
        listing += struct.pack("<HL", 0x1A, len(name)) + name.encode()
        listing += struct.pack("<HL", 0x32, len(wide)) + wide
        listing += struct.pack("<HLL", 0x31, 4, offset)
        streams[name] = b"\xff" * offset + compress(source)
    streams["dir"] = compress(listing)
    return {"VBA": streams}


def package(name: str, content: bytes) -> bytes:
    """The native data of a packaged file."""
    place = f"C:\\x\\{name}".encode()
    inner = b"\2\0" + name.encode() + b"\0" + place + b"\0\0\0\3\0"
    inner += struct.pack("<L", len(place) + 1) + place + b"\0" + struct.pack("<L", len(content)) + content
    return struct.pack("<L", len(inner)) + inner


def ole1(name: str, native: bytes, kind: int = 2, topic: str = "") -> bytes:
    """An object as OLE 1.0 writes it."""
    out = struct.pack("<LL", 0x501, kind)
    for word in (name, topic, ""):
        raw = word.encode() + b"\0" if word else b""
        out += struct.pack("<L", len(raw)) + raw
    return out + struct.pack("<L", len(native)) + native


def slide_object(content: bytes) -> bytes:
    """A presentation's record of a compressed object."""
    packed = struct.pack("<L", len(content)) + zlib.compress(content)
    return struct.pack("<HHL", 0x0F, 1, len(packed) + 8) + struct.pack("<HHL", 0x10, 0x1011, len(packed)) + packed


def shortcut(arguments: str, target: str = "C:\\Windows\\System32\\cmd.exe", behind: bytes = b"") -> bytes:
    """A Windows shortcut."""
    head = b"L\0\0\0" + bytes.fromhex("0114020000000000c000000000000046") + struct.pack("<L", 0x80 | 0x20 | 0x08)
    words = b"".join([struct.pack("<H", len(word)) + word.encode("utf-16-le") for word in (target, arguments)])
    return head.ljust(76, b"\0") + words + bytes(4) + behind


def notebook(*files: bytes) -> bytes:
    """As much of a OneNote section as its files need."""
    out = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3") + bytes(100)
    for content in files:
        out += bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac") + struct.pack("<Q", len(content)) + bytes(12) + content
        out += bytes.fromhex("22a7fb712ef0d8479c2f1a0f9a3fcff9")
    return out


def winmail(*files: tuple[str, bytes]) -> bytes:
    """A winmail.dat with these attachments, the long name among the properties."""
    out = b"\x78\x9f\x3e\x22\1\0" + _attribute(1, 0x0002800C, b"hello")
    for name, content in files:
        wide = name.encode("utf-16-le") + b"\0\0"
        wide += bytes(-len(wide) % 4)
        out += _attribute(2, 0x00069002, bytes(14)) + _attribute(2, 0x00018010, name[:8].encode() + b"\0")
        out += _attribute(2, 0x0006800F, content)
        size = 2 * len(name) + 2
        out += _attribute(2, 0x00069005, struct.pack("<LHHLL", 1, 0x1F, 0x3707, 1, size) + wide)
    return out


def _attribute(level: int, number: int, content: bytes) -> bytes:
    return struct.pack("<BLL", level, number, len(content)) + content + struct.pack("<H", sum(content) & 0xFFFF)


def outlook(*files: tuple[str, bytes]) -> bytes:
    """An Outlook message with a text and these attachments."""
    tree: dict[str, bytes | Tree] = {
        "__properties_version1.0": bytes(32),
        "__substg1.0_1000001F": "hello".encode("utf-16-le"),
    }
    for number, (name, content) in enumerate(files):
        tree[f"__attach_version1.0_#{number:08X}"] = {
            "__substg1.0_3707001F": name.encode("utf-16-le"),
            "__substg1.0_37010102": content,
        }
    return make_ole(tree)


def fields(instruction: bytes) -> bytes:
    """A Word document with one field."""
    head = bytearray(b"\xec\xa5" + bytes(1_022))
    return make_ole({"WordDocument": bytes(head) + b"text \x13" + instruction + b"\x14result\x15", "0Table": bytes(64)})


def workbook(*records: tuple[int, bytes]) -> bytes:
    """An Excel workbook of these records."""
    body = struct.pack("<HHH", 0x809, 2, 0x600)
    return make_ole({"Workbook": body + b"".join([struct.pack("<HH", k, len(r)) + r for k, r in records])})
