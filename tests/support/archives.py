"""Archives of every kind, made for tests: by libarchive where it writes them, else byte by byte."""

import io
import struct
import tarfile
import zipfile
import zlib
from typing import Any, Final

import libarchive

_ZIP_KEYS: Final = (0x12345678, 0x23456789, 0x34567890)
_TABLE: Final = tuple([zlib.crc32(bytes([number]), 0xFFFFFFFF) ^ 0xFFFFFFFF for number in range(256)])
File = tuple[str, bytes]


def written(kind: str, *files: File, coding: str | None = None, options: str = "", password: str = "") -> bytes:
    """An archive as libarchive writes it."""
    out = io.BytesIO()

    def keep(data: bytes) -> int:
        out.write(data)
        return len(data)

    more: dict[str, Any] = {"options": options, "passphrase": password or None}
    with libarchive.custom_writer(keep, kind, coding, **more) as archive:
        for name, content in files:
            archive.add_file_from_memory(name, len(content), content)
    return out.getvalue()


def with_dictionary(size: int, *files: File) -> bytes:
    """A 7z whose decoder is told to keep a dictionary of that many bytes."""
    data = bytearray(written("7zip", *files, options="compression=lzma1"))
    offset, length = struct.unpack_from("<QQ", data, 12)
    begin = 32 + offset
    place = data.index(b"\x23\x03\x01\x01\x05\x5d", begin) + 6  # LZMA, its five properties, the first of them
    data[place : place + 4] = struct.pack("<L", size)
    data[28:32] = struct.pack("<L", zlib.crc32(data[begin : begin + length]))
    data[8:12] = struct.pack("<L", zlib.crc32(data[12:32]))
    return bytes(data)


def tar_entry(name: str, content: bytes = b"", kind: bytes = b"0", link: str = "", size: bytes = b"") -> bytes:
    """One tar member, its header's size field as given."""
    head = bytearray(512)
    head[0 : len(name)] = name.encode()
    head[100:124] = b"0000644\x000000000\x000000000\x00"
    head[124:136] = size or f"{len(content):011o}\0".encode()
    head[136:148] = b"00000000000\0"
    head[148:156] = b" " * 8
    head[156:157] = kind
    head[157 : 157 + len(link)] = link.encode()
    head[257:265] = b"ustar\x0000"
    head[148:156] = f"{sum(head):06o}\0 ".encode()
    return bytes(head) + content + bytes(-len(content) % 512)


def tar_end() -> bytes:
    """What ends a tar."""
    return bytes(1_024)


def pax(name: str, **records: str) -> bytes:
    """A pax header for the member behind it."""
    body = b""
    for key, value in records.items():
        line = f" {key}={value}\n"
        length = len(line) + 1
        while len(str(length)) + len(line) != length:
            length = len(str(length)) + len(line)
        body += f"{length}{line}".encode()
    return tar_entry(name, body, b"x")


def gnu_tar(*files: File) -> bytes:
    """A tar in the GNU dialect."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def rar4(*files: File, flags: int = 0, member_flags: int = 0) -> bytes:
    """A RAR 4 archive with its members stored; flags as the format has them (1: volume, 0x80: names encrypted)."""

    def block(kind: int, marks: int, body: bytes) -> bytes:
        head = struct.pack("<BHH", kind, marks, 7 + len(body)) + body
        return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head

    out = b"Rar!\x1a\x07\x00" + block(0x73, flags, bytes(6))
    for name, content in files:
        label = name.encode()
        body = struct.pack(
            "<LLBLLBBHL", len(content), len(content), 3, zlib.crc32(content), 0, 20, 0x30, len(label), 0o100644
        )
        out += block(0x74, 0x8000 | member_flags, body + label) + content
    return out + block(0x7B, 0x4000, b"")


def rar5(*files: File, flags: int = 0, encrypted: bool = False) -> bytes:
    """A RAR 5 archive with its members stored; `encrypted` ones say so in their extra area."""

    def vint(value: int) -> bytes:
        out = b""
        while value > 127:
            out += bytes([value & 127 | 128])
            value >>= 7
        return out + bytes([value])

    def block(body: bytes) -> bytes:
        head = vint(len(body)) + body
        return struct.pack("<L", zlib.crc32(head)) + head

    out = b"Rar!\x1a\x07\x01\x00" + block(vint(1) + vint(0) + vint(flags))
    for name, content in files:
        label = name.encode()
        record = vint(1) + vint(0) + vint(0) + b"\x0f" + bytes(32)
        extra = vint(len(record)) + record if encrypted else b""
        body = vint(2) + vint(3 if extra else 2) + (vint(len(extra)) if extra else b"") + vint(len(content))
        body += vint(4) + vint(len(content)) + vint(0o100644) + struct.pack("<L", zlib.crc32(content))
        body += vint(0) + vint(1) + vint(len(label)) + label + extra
        out += block(body) + content
    return out + block(vint(5) + vint(0) + vint(0))


def cab(*files: File, flags: int = 0, minor: int = 3) -> bytes:
    """A cabinet of one folder, stored."""
    content = b"".join([data for _, data in files])
    entries = b""
    position = 0
    for name, data in files:
        entries += struct.pack("<2L4H", len(data), position, 0, 0, 0, 0x20) + name.encode() + b"\0"
        position += len(data)
    first = 36 + 8 + len(entries)
    size = first + 8 + len(content)
    head = struct.pack("<4s5L2B5H", b"MSCF", 0, size, 0, 44, 0, minor, 1, 1, len(files), flags, 0, 0)
    return (
        head + struct.pack("<L2H", first, 1, 0) + entries + struct.pack("<L2H", 0, len(content), len(content)) + content
    )


def lha(name: str, content: bytes) -> bytes:
    """An LHA archive with one stored member, header level 0."""
    label = name.encode()
    body = b"-lh0-" + struct.pack("<3L2B", len(content), len(content), 0, 0x20, 0) + bytes([len(label)]) + label
    body += struct.pack("<H", _crc16(content))
    return bytes([len(body), sum(body) & 0xFF]) + body + content + b"\0"


def _crc16(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value


def locked_zip(name: str, content: bytes, password: str) -> bytes:
    """A zip whose one member is stored and encrypted as PKWARE did (APPNOTE 6.1)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, bytes(12) + content)
    data = bytearray(out.getvalue())
    crc = zlib.crc32(content)
    central = data.rfind(b"PK\x01\x02")
    for place, shift in ((0, 0), (central, 2)):
        data[place + 6 + shift : place + 8 + shift] = b"\x01\0"
        data[place + 14 + shift : place + 26 + shift] = struct.pack("<3L", crc, len(content) + 12, len(content))
    begin = 30 + len(name)
    plain = bytes(11) + bytes([crc >> 24]) + content
    data[begin : begin + len(plain)] = _pkware(plain, password.encode())
    return bytes(data)


def _pkware(plain: bytes, password: bytes) -> bytes:
    keys = list(_ZIP_KEYS)

    def update(byte: int) -> None:
        keys[0] = keys[0] >> 8 ^ _TABLE[(keys[0] ^ byte) & 255]
        keys[1] = ((keys[1] + (keys[0] & 255)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = keys[2] >> 8 ^ _TABLE[(keys[2] ^ keys[1] >> 24) & 255]

    for byte in password:
        update(byte)
    out = bytearray()
    for byte in plain:
        mask = keys[2] & 0xFFFF | 2
        out.append(byte ^ (mask * (mask ^ 1) >> 8 & 255))
        update(byte)
    return bytes(out)
