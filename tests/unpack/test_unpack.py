"""Archives: what comes out, and what is said where not everything does."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from filterd.unpack import Budget, Member, unpack


def make_zip(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, method)
    return buffer.getvalue()


def run(data: bytes, name: str = "a.zip", budget: Budget | None = None) -> tuple[list[Member], set[str]]:
    """Members and the symbols of the findings."""
    used = budget or Budget()
    members = list(unpack(data, "1", name, 0, used))
    return members, {found.symbol for found in used.findings}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_zip_members(method: int) -> None:
    """Members come out with path, content and types."""
    members, symbols = run(make_zip(("a.txt", b"hello"), ("d/b.exe", b"MZ\x90\0"), method=method))
    assert [(member.path, member.data, member.types) for member in members] == [
        ("1/a.txt", b"hello", ("text",)),
        ("1/d/b.exe", b"MZ\x90\0", ("exe",)),
    ]
    assert symbols == set()


def test_zip_in_zip() -> None:
    """Inner archives are opened, depth first."""
    inner = make_zip(("a.exe", b"MZ\0"))
    members, symbols = run(make_zip(("in.zip", inner), ("b.txt", b"x")))
    assert [member.path for member in members] == ["1/in.zip", "1/in.zip/a.exe", "1/b.txt"]
    assert [member.depth for member in members] == [1, 2, 1]
    assert symbols == set()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (gzip.compress(b"hello"), "a.txt.gz"),
        (bz2.compress(b"hello"), "a.txt.bz2"),
        (lzma.compress(b"hello"), "a.txt.xz"),
    ],
    ids=["gzip", "bzip2", "xz"],
)
def test_streams(data: bytes, name: str) -> None:
    """Compressed streams have one member, named without the suffix."""
    members, symbols = run(data, name)
    assert [(member.path, member.data) for member in members] == [("1/a.txt", b"hello")]
    assert symbols == set()


@pytest.mark.threat("ZIP-01")
def test_ratio_bomb_stops() -> None:
    """A member that grows a thousandfold stops at the ratio; what came out is bounded."""
    data = make_zip(("zero", bytes(20_000_000)))
    members, symbols = run(data)
    assert symbols == {"UNSCANNABLE_BOMB"}
    assert len(members[0].data) <= max(1_000_000, len(data) * 200)


@pytest.mark.threat("ZIP-01")
def test_depth_stops() -> None:
    """Archives beyond the depth are said."""
    data = make_zip(("x", b"x"))
    for level in range(20):
        data = make_zip((f"{level}.zip", data))
    members, symbols = run(data)
    assert symbols == {"UNSCANNABLE_BOMB"}
    assert max(member.depth for member in members) == 8


@pytest.mark.threat("ZIP-08")
def test_gzip_of_gzip() -> None:
    """The same for streams in streams."""
    data = b"x"
    for _ in range(50):
        data = gzip.compress(data)
    assert run(data)[1] == {"UNSCANNABLE_BOMB"}


@pytest.mark.threat("ZIP-01")
def test_files_stop() -> None:
    """A thousand members are enough, over all archives of the message."""
    members, symbols = run(make_zip(*[(str(number), b"") for number in range(1_100)]))
    assert len(members) == 1_000
    assert symbols == {"UNSCANNABLE_BOMB"}


@pytest.mark.threat("ZIP-01")
def test_bytes_stop() -> None:
    """The budget of bytes is shared by all archives of the message."""
    budget = Budget(bytes=1_000)
    data = make_zip(("a", b"x" * 400), method=zipfile.ZIP_STORED)
    run(data, budget=budget)
    run(data, budget=budget)
    members, symbols = run(data, budget=budget)
    assert symbols == {"UNSCANNABLE_BOMB"}
    assert len(members[0].data) == 200


@pytest.mark.threat("ZIP-02")
def test_overlapping_members() -> None:
    """Members that share bytes are found before anything is unpacked."""
    data = bytearray(make_zip(("a", b"A" * 100), ("b", b"B" * 100), method=zipfile.ZIP_STORED))
    second = data.rfind(b"PK\x01\x02")
    data[second + 42 : second + 46] = struct.pack("<L", 0)
    members, symbols = run(bytes(data))
    assert members == []
    assert "UNSCANNABLE_BOMB" in symbols


def patched(field: int, value: bytes, *, local: bool = True) -> bytes:
    """A zip of one member with bytes of its local (or central) header changed."""
    data = bytearray(make_zip(("a.txt", b"hello"), method=zipfile.ZIP_STORED))
    start = 0 if local else data.rfind(b"PK\x01\x02")
    data[start + field : start + field + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(patched(30, b"b.exe"), id="name"),
        pytest.param(patched(8, b"\x08\0"), id="method"),
        pytest.param(patched(22, b"\x09\0\0\0"), id="size"),
        pytest.param(patched(6, b"\x01\0"), id="encryption"),
        pytest.param(make_zip(("a", b"1")) + bytes(70_000 - 65_000), id="trailing"),
        pytest.param(make_zip(("A.txt", b"1"), ("a.txt", b"2")), id="case"),
    ],
)
@pytest.mark.threat("ZIP-03")
def test_two_views_of_a_zip(data: bytes) -> None:
    """Where the directory and the local headers disagree, two unpackers find different files."""
    assert "AMBIGUOUS_ARCHIVE" in run(data)[1]


@pytest.mark.threat("ZIP-03")
def test_member_that_the_directory_hides() -> None:
    """A member in a gap is handed out as well."""
    hidden = make_zip(("evil.exe", b"MZ\0"), method=zipfile.ZIP_STORED)
    hidden = hidden[: hidden.find(b"PK\x01\x02")]
    members, symbols = run(b"PK\x03\x04"[:0] + hidden + make_zip(("a.txt", b"x")))
    assert {member.path for member in members} == {"1/a.txt", "1/evil.exe"}
    assert "AMBIGUOUS_ARCHIVE" in symbols


@pytest.mark.threat("ZIP-03")
def test_member_behind_all_that_the_directory_names() -> None:
    """So is one between the last member and the directory, where nothing else is odd."""
    data = make_zip(("a.txt", b"x"), ("evil.exe", b"MZ\0"), method=zipfile.ZIP_STORED)
    start = data.find(b"PK\x01\x02")
    first = data[start : data.find(b"PK\x01\x02", start + 4)]
    data = data[:start] + first + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(first), start, 0)
    assert zipfile.ZipFile(io.BytesIO(data)).namelist() == ["a.txt"]
    members, symbols = run(data)
    assert [member.path for member in members] == ["1/a.txt", "1/evil.exe"]
    assert symbols == {"AMBIGUOUS_ARCHIVE"}


@pytest.mark.parametrize("size", [b"\xff\xff\xff\x7f", b"\0\0\0\x7f"], ids=repr)
@pytest.mark.parametrize("name_size", [b"\0\0", b"\xff\xff", b"\x05\0"], ids=repr)
@pytest.mark.threat("ZIP-03")
def test_broken_headers_hide_nobody(size: bytes, name_size: bytes) -> None:
    """Without a directory, a header with impossible sizes or no name does not end the search for others."""
    broken = b"PK\x03\x04" + bytes(14) + size + bytes(4) + name_size + b"\0\0" + b"x.txt"
    inner = make_zip(("evil.exe", b"MZ\0"), method=zipfile.ZIP_STORED)
    members, _ = run(broken + inner[: inner.find(b"PK\x01\x02")])
    assert "1/evil.exe" in [member.path for member in members]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_padding_between_streams(compress: Callable[[bytes], bytes]) -> None:
    """Zeros between two streams do not end the file."""
    members, symbols = run(compress(b"one") + bytes(8) + compress(b"two") + bytes(4), "a")
    assert [member.data for member in members] == [b"onetwo"]
    assert symbols == set()


@pytest.mark.threat("ZIP-03")
def test_zip_without_directory() -> None:
    """Members are read from their local headers, and the damage is said."""
    data = make_zip(("a.txt", b"hello"))
    members, symbols = run(data[: data.find(b"PK\x01\x02")])
    assert [member.data for member in members] == [b"hello"]
    assert symbols == {"UNSCANNABLE_ARCHIVE"}


@pytest.mark.threat("ZIP-03")
def test_prepended_bytes() -> None:
    """A zip behind something else is opened, wherever its offsets count from."""
    members, _ = run(b"\x89PNG\r\n\x1a\n" + bytes(500) + make_zip(("a.exe", b"MZ\0")), "a.png")
    assert [member.path for member in members] == ["1/a.exe"]


@pytest.mark.threat("ZIP-04")
def test_encrypted_member() -> None:
    """An encrypted member has a name and no content."""
    data = patched(8, b"\x01\0", local=False)
    members, symbols = run(data)
    assert [(member.path, member.encrypted, member.data) for member in members] == [("1/a.txt", True, b"")]
    assert "UNSCANNABLE_ENCRYPTED" in symbols


@pytest.mark.parametrize("name", ["../../etc/x", "/abs", "..\\..\\x", "C:\\x", "a\0b", "n" * 4_000, "con.txt"])
@pytest.mark.threat("ZIP-05")
def test_hostile_member_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member's name touches no file."""
    monkeypatch.chdir(tmp_path)
    members, _ = run(make_zip((name, b"x")))
    assert [member.data for member in members] == [b"x"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("magic", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01\0", b"MSCF\0\0\0\0", b"\x28\xb5\x2f\xfd"])
@pytest.mark.threat("ZIP-06")
def test_formats_that_are_not_opened(magic: bytes) -> None:
    """What cannot be opened is said."""
    assert run(magic + bytes(100))[1] == {"UNSCANNABLE_ARCHIVE"}


def test_truncated_streams() -> None:
    """What came out before the end is handed over, and the damage is said."""
    data = gzip.compress(b"hello" * 1_000)
    members, symbols = run(data[:-12], "a.gz")
    assert bytes(members[0].data).startswith(b"hello")
    assert symbols == {"UNSCANNABLE_ARCHIVE"}


@pytest.mark.parametrize("seed", range(40))
def test_broken_archives_never_raise(seed: int) -> None:
    """Any damage gives members, findings, or is no archive any more."""
    data = bytearray(make_zip(("a.txt", b"hello" * 50), ("b.zip", make_zip(("c", b"x")))))
    for step in range(1 + seed % 7):
        data[(seed * 7_919 + step * 104_729) % len(data)] = (seed * 31 + step * 17) % 256
    members, symbols = run(bytes(data[: len(data) - seed * 3]))
    assert len(members) <= 5
    assert all(symbol.startswith(("AMBIGUOUS", "UNSCANNABLE")) for symbol in symbols)


@pytest.mark.threat("ZIP-06")
def test_public_archives(shared: Path) -> None:
    """Of 397 archives, good and broken, none raises."""
    count = 0
    with tarfile.open(shared / "data" / "attachments" / "libarchive.tar.xz") as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isfile() else None
            if file is not None:
                run(file.read(), entry.name)
                count += 1
    assert count > 390
