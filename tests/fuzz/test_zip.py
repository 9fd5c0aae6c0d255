"""Archives. Invariant: any bytes give members within the budget, and what another unpacker finds is among them or said.

The others are the standard library's: zipfile by the directory, its stream decoders, and a reader of our own that goes
from local header to local header.
"""

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest

from filterd.mime.symbols import AMBIGUOUS, ARCHIVES, DOCUMENTS, UNSCANNABLE
from filterd.unpack import Budget, Member, detect, unpack
from filterd.unpack.budget import MAX_FILES, MAX_MEMBER
from filterd.unpack.zipfile import list_members
from tests.fuzz.corpus import make_zip
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear

SMALL: Final = 2_000_000  # bytes that one input may become here: mutants are many
INNER: Final = make_zip(("c.exe", b"MZ\x90\0inner"))


def unnamed(archive: bytes) -> bytes:
    """A zip whose directory names its first member alone."""
    start = archive.find(b"PK\x01\x02")
    first = archive[start : archive.find(b"PK\x01\x02", start + 4)]
    return archive[:start] + first + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(first), start, 0)


SEEDS: Final = (
    unnamed(make_zip(("a.txt", b"hello"), ("evil.exe", b"MZ\x90\0evil"))),
    make_zip(("a.txt", b"hello" * 20), ("d/b.exe", b"MZ\x90\0")),
    make_zip(("a.txt", b"hello" * 20), method=zipfile.ZIP_STORED),
    make_zip(("a.txt", b"hello" * 20), method=zipfile.ZIP_BZIP2),
    make_zip(("in.zip", INNER), ("b.gz", gzip.compress(b"gz", mtime=0))),
    make_zip(("x", b"")) + make_zip(("y", b"z")),
    b"MZ\x90\0" + bytes(100) + INNER,
    INNER + b"trailing",
    gzip.compress(b"hello" * 50, mtime=0) + gzip.compress(b"more", mtime=0),
    bz2.compress(b"hello" * 50),
    lzma.compress(b"hello" * 50),
    b"%PDF-1.4 " + INNER,
)
TOKENS: Final = (
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"PK\x06\x07",
    b"PK\x07\x08",
    b"\x1f\x8b\x08\0",
    b"BZh9",
    b"\xfd7zXZ\0",
    b"7z\xbc\xaf\x27\x1c",
    b"\xff\xff\xff\xff",
    b"\xff\xff",
    b"\0\0\0\0",
    b"\x01\0",
    b"\x08\0",
    b"\x0c\0",
    b"\x75\x70",
    b"a.txt",
    b"../x",
    b"\0",
    b"/",
    INNER,
)


def of_directory(data: bytes) -> Iterator[bytes]:
    """What the standard library unpacks by the directory."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                try:
                    with archive.open(info) as member:
                        yield member.read(SMALL)
                except (
                    zipfile.BadZipFile,
                    RuntimeError,
                    NotImplementedError,
                    EOFError,
                    OSError,
                    ValueError,
                    zlib.error,
                ):
                    continue
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OSError, EOFError):
        return


def of_stream(data: bytes) -> Iterator[bytes]:
    """What a reader unpacks that goes from local header to local header and never looks at the directory."""
    place = data.find(b"PK\x03\x04")
    while place >= 0 and place + 30 <= len(data):
        flags, method, _, _, crc, packed, size, name, extra = struct.unpack_from("<2x2H2H3L2H", data, place + 4)
        start = place + 30 + name + extra
        content = data[start : start + packed]
        if method == zipfile.ZIP_DEFLATED and packed:
            try:
                content = zlib.decompressobj(-15).decompress(content, SMALL)
            except zlib.error:
                content = b""
        if not flags & 1 and len(content) == size and zlib.crc32(content) == crc:
            yield content
        place = data.find(b"PK\x03\x04", max(start + packed, place + 4))


def of_compressed(data: bytes) -> Iterator[bytes]:
    """What the standard library's stream decoders make of it."""
    for decompress in (gzip.decompress, bz2.decompress, lzma.decompress):
        try:
            yield decompress(data)
        except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError, struct.error):
            continue


def check(data: bytes) -> None:
    """Open it, under a small budget and the shipped one."""
    budget = Budget(bytes=SMALL)
    members = list(unpack(data, "1", "a.zip", 0, budget))
    within(members, budget)
    symbols = {found.symbol for found in budget.findings}
    assert symbols <= AMBIGUOUS | UNSCANNABLE | ARCHIVES | DOCUMENTS
    listing = list_members(data)
    for entry in listing.entries:
        assert entry.begin < 0 or entry.begin <= len(data) + 65_535 * 2
    assert [one.path for one in unpack(memoryview(data), "1", "a.zip", 0, Budget(bytes=SMALL))] == [
        one.path for one in members
    ]
    if symbols:
        return
    contents = {one.data for one in members if one.depth == 1}
    if "zip" in detect(data):
        for other in (*of_directory(data), *of_stream(data)):
            assert other in contents or not other, other[:100]
    if set(detect(data)) & {"gzip", "bzip2", "xz"}:
        assert contents.issuperset([other for other in of_compressed(data) if other])


def within(members: list[Member], budget: Budget) -> None:
    """Nothing is beyond what was allowed."""
    assert len(members) <= MAX_FILES
    assert sum([len(one.data) for one in members]) <= SMALL
    for one in members:
        assert 0 < one.depth <= budget.depth
        assert len(one.data) <= MAX_MEMBER
        assert one.path.startswith("1/")
        assert not one.encrypted or one.data == b""
        assert one.types == detect(one.data)
        "".join(one.names).encode()


TARGET: Final = Target("zip", check, SEEDS, TOKENS, runs=2_500, largest=16_384)


@pytest.mark.threat("ZIP-02", "ZIP-03", "ZIP-06")
def test_any_bytes() -> None:
    """The invariant over mutants of small archives."""
    fuzz(TARGET)


@pytest.mark.threat("ZIP-03", "ZIP-06")
def test_mutants_of_real_files(files: tuple[bytes, ...]) -> None:
    """The same over mutants of public archives and documents."""
    fuzz(replace(TARGET, name="real-zip", seeds=files, runs=500, largest=65_536))


def zip_of(count: int, content: bytes = b"") -> bytes:
    """A zip of so many members."""
    return make_zip(*[(str(number), content) for number in range(count)], method=zipfile.ZIP_STORED)


@pytest.mark.threat("ZIP-01", "ZIP-02", "ZIP-03")
@pytest.mark.parametrize(
    ("make", "size"),
    [
        pytest.param(lambda size: b"PK\x03\x04" * (size // 4), 100_000, id="signatures"),
        pytest.param(lambda size: b"PK\x05\x06" + b"PK\x05\x06" * (size // 4), 100_000, id="end-records"),
        pytest.param(lambda size: INNER + b"PK\x01\x02" * (size // 4), 100_000, id="central-signatures"),
        pytest.param(lambda size: (b"PK\x03\x04" + bytes(26)) * (size // 30), 100_000, id="empty-headers"),
        pytest.param(lambda size: zip_of(size // 100), 40_000, id="members"),
        pytest.param(lambda size: zip_of(size // 100)[: -60 * (size // 100)], 40_000, id="no-directory"),
        pytest.param(lambda size: gzip.compress(b"", mtime=0) * (size // 20), 40_000, id="gzip-streams"),
        pytest.param(lambda size: bz2.compress(b"") * (size // 14), 40_000, id="bzip2-streams"),
        pytest.param(lambda size: lzma.compress(b"") * (size // 32), 20_000, id="xz-streams"),
        pytest.param(lambda size: gzip.compress(bytes(size * 100), mtime=0), 20_000, id="zeros"),
        pytest.param(lambda size: b"\x1f\x8b\x08\0" * (size // 4), 40_000, id="gzip-signatures"),
        pytest.param(lambda size: make_zip(("a", bytes(size * 10))) + bytes(size), 40_000, id="behind"),
        pytest.param(lambda size: bytes(size) + INNER, 100_000, id="before"),
    ],
)
def test_the_worst_is_linear(make: object, size: int) -> None:
    """Signatures, members, streams and zeros cost time by their length."""
    assert callable(make)
    assert_linear(lambda data: list(unpack(data, "1", "a", 0, Budget())), make, size)
