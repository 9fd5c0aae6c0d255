"""What is not opened here and opens elsewhere: ARJ, ACE, xar, discs and drives. Each is said, none is silent."""

import base64
import struct
import tomllib
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from filterd.unpack import Budget, detect, unpack
from filterd.unpack.behind import embedded
from filterd.unpack.disks import CLOSED, DISKS
from tests.support.archives import written
from tests.support.growth import LINEAR, growth

SCORES = Path(__file__).resolve().parents[2] / "rules" / "scores.toml"
PROGRAM = b"MZ\x90\0" + bytes(1_000) + b"\x60\xea and **ACE** are only marks" + bytes(500)
# Packed by arj 3.10.22: a.txt and b.exe, stored.
ARJ = base64.b64decode(
    "YOopACILAQIQAAK6EToGaxE6BmsAAAAAAAAAAAAAAAAAAAAAAAB0LmFyagAA9uHhJQAAYOo1AC4LAQIQAAAREToGaw4AAAAOAAAAxmgCkgAApBEA"
    "AAAAAAAROgZrEToGawAAAABhLnR4dAAAL9SRkgAAaGVsbG8gcGF5bG9hZApg6jUALgsBAhAAABEROgZrDgAAAA4AAADGaAKSAACkEQAAAAAAABE6"
    "BmsROgZrAAAAAGIuZXhlAADHuR3jAABoZWxsbyBwYXlsb2FkCmDqAAA="
)
# Packed by lrzip 0.651: one line of text.
LRZIP = base64.b64decode(
    "TFJaSQAGDgAAAAAAAAAAAAAAAAAAAQAAAQEAAwAACAMAABYDCgoAAA4AAAAAARG5QwMODgBoZWxsbyBwYXlsb2FkCjY5XUgXIKTXQPhbhcp2i5o="
)


def ace() -> bytes:
    """A main header of version 2.0 and a stored file behind it, as unace reads them."""
    main = struct.pack("<BH7sBBBBLQB", 0, 0x9000, b"**ACE**", 20, 20, 2, 0, 0, 0, 0)
    entry = struct.pack("<BHLLLLLHHHHH", 1, 0x8001, 5, 5, 0, 32, zlib.crc32(b"hello"), 0, 0, 0, 0, 5) + b"a.txt"
    blocks = [struct.pack("<HH", (zlib.crc32(one) ^ 0xFFFFFFFF) & 0xFFFF, len(one)) + one for one in (main, entry)]
    return b"".join(blocks) + b"hello"


def udf(sector: int = 2_048) -> bytes:
    """The recognition sequence of a disc without ISO 9660 (ECMA-167, 2/9), as mkudffs writes it."""
    marks = (b"\0BEA01\1", b"\0NSR03\1", b"\0TEA01\1")
    return bytes(32_768) + b"".join([mark.ljust(max(sector, 2_048), b"\0") for mark in marks]) + bytes(300_000)


def partitioned(*entries: tuple[int, int, int]) -> bytes:
    """A drive whose first sector lists partitions: active or not, kind, sectors."""
    rows = [struct.pack("<B3xB3xLL", active, kind, 1, size) for active, kind, size in entries]
    return bytes(446) + b"".join(rows).ljust(64, b"\0") + b"\x55\xaa" + bytes(10_000)


def at(offset: int, mark: bytes) -> bytes:
    """Some bytes with a mark among them."""
    return bytes(offset) + mark + bytes(5_000)


def ext() -> bytes:
    """The facts of a Linux file system, as mkfs.ext4 writes them."""
    return at(
        1_024,
        struct.pack("<6LL24xHHHH", 256, 2_048, 102, 926, 245, 1, 0, 0, 0xFFFF, 0xEF53, 1) + bytes(16) + b"\1\0\0\0",
    )


FOOT = b"conectix\0\0\0\2".ljust(512, b"\0")
FAT = b"\xeb\x3c\x90mkfs.fat\0\2\1\1\0\2\xe0\0\x40\x0b\xf0\x09\0".ljust(54, b"\0") + b"FAT12   " + bytes(5_000)
SAMPLES = {
    "arj": ARJ,
    "ace": ace(),
    "xar": written("xar", ("a.txt", b"hello")),
    "iso": udf(),
    "lrzip": LRZIP,
    "fat": FAT,
    "ext": ext(),
    "ntfs": at(0, b"\xeb\x52\x90NTFS    "),
    "exfat": at(0, b"\xeb\x76\x90EXFAT   "),
    "drive": partitioned((0x80, 7, 4_000)),
    "vhd": bytes(4_096) + FOOT,
    "vhdx": at(0, b"vhdxfile"),
    "dmg": bytes(4_096) + b"koly\0\0\0\4\0\0\2\0".ljust(512, b"\0"),
    "vmdk": at(0, b"KDMV\1\0\0\0"),
    "qcow": at(0, b"QFI\xfb\0\0\0\3"),
    "vdi": b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + b"\x7f\x10\xda\xbe" + bytes(500),
    "squashfs": at(0, b"hsqs\2\0\0\0"),
    "cramfs": at(0, b"\x45\x3d\xcd\x28"),
    "hfs": at(1_024, b"H+\0\4"),
    "apfs": at(32, b"NXSB"),
    "cd": at(0, b"\0" + b"\xff" * 10 + b"\0\0\2\0\1"),
    "daa": at(0, b"DAA\0\0"),
    "isz": at(0, b"IsZ!\x30"),
    "cso": at(0, b"CISO\0\0"),
    "zoo": at(0, b"ZOO 2.10 Archive.\x1a\0\0\xdc\xa7\xc4\xfd"),
    "stuffit": at(0, b"StuffIt (c)1997-2002 Aladdin Systems\0"),
    "zpaq": at(0, b"7kSt\xa0\x31\x83\xd3\x8c\xb2\x28\xb0\xd3zPQ\2\1"),
    "freearc": at(0, b"ArC\1\0"),
    "lzfse": at(0, b"bvx2\0"),
    "snappy": at(0, b"\xff\x06\0\0sNaPpY\0"),
    "szdd": at(0, b"SZDD\x88\xf0\x27\x33A\0"),
    "kwaj": at(0, b"KWAJ\x88\xf0\x27\xd1\0"),
}


def said(data: bytes, name: str = "a.bin") -> tuple[int, set[str]]:
    """How many members came out, and the symbols."""
    budget = Budget()
    members = list(unpack(data, "1", name, 0, budget))
    return len(members), {found.symbol for found in budget.findings}


@pytest.mark.parametrize(("kind", "data"), SAMPLES.items(), ids=SAMPLES)
@pytest.mark.threat("ZIP-06", "MIME-17")
def test_what_is_not_opened_is_unscannable(kind: str, data: bytes) -> None:
    """By its content, whatever it is called: never clean."""
    assert kind in detect(data)
    assert said(data) == (0, {"UNSCANNABLE_ARCHIVE"})
    assert said(data, "holiday.jpg") == (0, {"UNSCANNABLE_ARCHIVE"})


def test_there_is_a_sample_of_every_kind() -> None:
    """A kind that is added without one fails here."""
    assert CLOSED - SAMPLES.keys() == set()
    assert DISKS <= CLOSED


@pytest.mark.threat("ZIP-06")
def test_what_is_unscannable_is_held_as_shipped() -> None:
    """By the floor of its symbol, whatever else is said."""
    table = tomllib.loads(SCORES.read_text())
    assert table["symbols"]["UNSCANNABLE_ARCHIVE"]["floor"] == "quarantine"


@pytest.mark.parametrize(("kind", "inner"), [("arj", ARJ), ("ace", ace())])
@pytest.mark.parametrize("front", [PROGRAM, b"\x7fELF\2\1\1" + bytes(2_000)])
@pytest.mark.threat("ZIP-08")
def test_archives_that_unpack_themselves_are_said(kind: str, inner: bytes, front: bytes) -> None:
    """Behind a program by their first header; a program that only holds the marks is a program."""
    assert detect(front + inner)[1:] == (kind,)
    assert said(front + inner, "setup.exe")[1] == {"UNSCANNABLE_ARCHIVE"}
    assert len(detect(front)) == 1


@pytest.mark.parametrize(("name", "inner"), [("a.arj", ARJ), ("a.ace", ace())])
@pytest.mark.threat("ZIP-08")
def test_an_archive_behind_a_picture_is_said_where_its_name_leads_there(name: str, inner: bytes) -> None:
    """Their own unpackers look for the header."""
    assert said(b"\x89PNG\r\n\x1a\n" + bytes(500) + inner, name)[1] >= {"UNSCANNABLE_ARCHIVE"}


@pytest.mark.parametrize(
    "name", ["a.arj", "a.ace", "a.xar", "a.dmg", "a.vhd", "a.alz", "a.egg", "a.wim", "a.udf", "a.sitx"]
)
@pytest.mark.threat("ZIP-06")
def test_a_name_that_promises_one_is_said(name: str) -> None:
    """Where the content is of no known kind: a new version, a volume, or damage that its program mends."""
    assert said(b"\0\1\2\3" * 100, name)[1] == {"UNSCANNABLE_ARCHIVE"}


@pytest.mark.parametrize("sector", [512, 2_048, 4_096])
def test_discs_of_every_sector_are_known(sector: int) -> None:
    """The sequence begins at the same place in all."""
    assert detect(udf(sector)) == ("iso",)


def test_a_footer_makes_a_drive_of_anything() -> None:
    """Windows mounts by the footer, whatever picture stands in the first sector."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(4_088)
    assert detect(picture + FOOT) == ("png", "vhd")
    assert "UNSCANNABLE_ARCHIVE" in said(picture + FOOT)[1]


@pytest.mark.parametrize(
    "data",
    [
        partitioned(),
        partitioned((0x12, 7, 4_000)),
        partitioned((0x80, 7, 0)),
        bytes(446) + b"\xff" * 64 + b"\x55\xaa" + bytes(100),
        at(1_080, b"\x53\xef\x99\x99"),
        at(1_024, b"H+"),
        b"FAT12   is a file system of long ago, as this letter of more than fifty-four bytes tells",
        b"StuffIn is another word",
        b"",
    ],
)
def test_marks_that_do_not_hold_are_none(data: bytes) -> None:
    """Short ones are believed only where what stands around them agrees."""
    assert set(detect(data)) & CLOSED == set()


@pytest.mark.parametrize(
    "make",
    [
        lambda count: b"\x60\xea\x28\x0a\x22\x0b\x01\x02\x10\x00\x02" * count,
        lambda count: b"\x60\xea" * count * 5,
        lambda count: b"\0\0\x20\0\1\0\0**ACE**" * count,
    ],
    ids=["headers of arj", "marks of arj", "marks of ace"],
)
@pytest.mark.threat("ZIP-06")
def test_looking_for_them_is_linear(make: Callable[[int], bytes]) -> None:
    """However many of their marks a program holds."""

    def build(count: int) -> Callable[[], object]:
        data = make(count)
        return lambda: (embedded(data, "arj"), embedded(data, "ace"))

    assert growth(build, 2_000) <= LINEAR
    assert embedded(make(20_000), "arj") in (-1, 110_000)
