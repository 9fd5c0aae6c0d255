"""Archives beside zip: what comes out, and what is said where not everything does."""

import ctypes
import gzip
import io
import random
import resource
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from filterd.unpack import Budget, Member, detect, unpack
from filterd.unpack.archive_checks import CHECKS
from filterd.unpack.behind import embedded
from tests.support.archives import (
    cab,
    gnu_tar,
    lha,
    locked_zip,
    pax,
    rar4,
    rar5,
    tar_end,
    tar_entry,
    written,
)
from tests.support.growth import LINEAR, growth

FILES = (("a.txt", b"hello"), ("d/b.exe", b"MZ\x90\0" + bytes(60)))
HOLDS = [("1/a.txt", b"hello"), ("1/d/b.exe", FILES[1][1])]
KINDS = ("7zip", "ustar", "pax", "gnutar", "v7tar", "cpio", "cpio_newc", "iso9660")
CODINGS = ("gzip", "bzip2", "xz", "zstd", "lz4", "lzma", "lzip", "compress")


# RAR 5 with names that are no UTF-8: of the first member, and of one met while another is read. Found by changing
# real ones at random.
UNNAMEABLE: Final = (
    bytes.fromhex(
        "526172211a0701003d3cdee5020100ff2020443efa570202030b0020202080220009ff202020ffffff202020202020202020"
        "2020202053802af40302e7220310812020202000012020202081cb102020202020202020202020202020202020ac8f4aa103"
        "0105022020012053802af40302e7220320202020ff030106202020ffffff20202081cb10202fe12020ecececececff202020"
        "202020202020"
    ),
    bytes.fromhex(
        "526172211a0701003d3cdee5020100ff0100443efa570202030b00022e2209ff0004882281000958e36199ffd1f909291909"
        "e722617221071a240053802af40302e7220bffe3bf000031800087c1050104edab000043ad2a5261722100bdcf1ec1009b3f"
        "044500084a4a4a4a4a4e71716d2e64714a4a4a4a4a4a4a00006472634d0000000000baba32bababababa6e6f7461696cbaba"
        "bababababababebaba3abababababababafad605050000004040404040404040404040404040404040ffffffffffffff3f40"
        "c0404040404040375b4040404040404040404040404040404040404040704ca8b6af069e8ddee5078000532a640000000000"
        "00000000000000000000000000000000000000000000000000000000000000f40302526172211a07010053802af40302e722"
        "03f3268001fbffff000080140104731c03e83eff2881ff24003bd99e9e9e9ee7220bff450002000064729e9e9e9e9e9e63ff"
        "9e9e53ff00004e"
    ),
)


def run(data: bytes, name: str = "a", budget: Budget | None = None) -> tuple[list[Member], set[str]]:
    """Members and the symbols of the findings."""
    used = budget or Budget()
    members = list(unpack(data, "1", name, 0, used))
    return members, {found.symbol for found in used.findings}


def holds(data: bytes) -> list[tuple[str, bytes]]:
    """The members' paths and contents; nothing may be left unsaid or said."""
    members, symbols = run(data)
    assert symbols == set()
    return [(member.path, bytes(member.data)) for member in members]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.threat("ZIP-06")
def test_formats(kind: str) -> None:
    """Every format gives its members with path and content."""
    assert sorted(holds(written(kind, *FILES))) == HOLDS


@pytest.mark.parametrize("make", [rar4, rar5, cab, gnu_tar])
@pytest.mark.threat("ZIP-06")
def test_formats_made_by_hand(make: Callable[..., bytes]) -> None:
    """So do those that libarchive does not write."""
    assert holds(make(*FILES)) == HOLDS


@pytest.mark.threat("ZIP-06")
def test_lha_and_ar() -> None:
    """So do LHA and ar, of which Debian packages are made."""
    assert holds(lha(*FILES[0])) == HOLDS[:1]
    deb = written("ar_bsd", ("debian-binary", b"2.0\n"), ("data.tar.xz", written("ustar", *FILES, coding="xz")))
    assert [path for path, _ in holds(deb)][-2:] == [
        "1/data.tar.xz/data.tar/a.txt",
        "1/data.tar.xz/data.tar/d/b.exe",
    ]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.threat("ZIP-06")
def test_streams(coding: str) -> None:
    """Every compressed stream is opened, and the tar in it."""
    data = written("ustar", *FILES, coding=coding)
    members, symbols = run(data, "a.tar")
    assert [member.data for member in members][1:] == [content for _, content in FILES]
    assert symbols == set()


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.threat("ZIP-06")
def test_bytes_behind_a_stream(coding: str) -> None:
    """Trailing data is content for one reader and nothing for another; LZMA without an end mark goes on for ever."""
    members, symbols = run(written("ustar", *FILES, coding=coding) + b"MZ is what stands here")
    assert symbols == {"UNSCANNABLE_ARCHIVE"}
    assert b"hello" in [member.data for member in members] or coding == "compress"


@pytest.mark.parametrize("kind", ["7zip", "ustar", "cpio", "iso9660"])
@pytest.mark.parametrize("share", [3, 2])
@pytest.mark.threat("ZIP-06")
def test_truncated(kind: str, share: int) -> None:
    """A cut archive is said to be cut, or broken."""
    data = written(kind, ("a.bin", random.Random(1).randbytes(1_000_000)))
    symbols = run(data[: len(data) // share], f"a.{kind}")[1]
    assert "UNSCANNABLE_ARCHIVE" in symbols


@pytest.mark.parametrize("make", [rar4, rar5])
@pytest.mark.threat("ZIP-06")
def test_volumes(make: Callable[..., bytes]) -> None:
    """One of several volumes is said; what it holds is scanned."""
    members, symbols = run(make(*FILES, flags=1))
    assert [member.data for member in members] == [content for _, content in FILES]
    assert symbols == {"UNSCANNABLE_ARCHIVE"}


@pytest.mark.parametrize("name", ["a.r01", "a.z02", "a.7z.002", "A.ZIP.003"])
@pytest.mark.threat("ZIP-06")
def test_later_volumes_have_only_a_name(name: str) -> None:
    """What follows in the next file of a set has no mark: its name says what it is."""
    assert run(bytes(range(256)) * 4, name)[1] == {"UNSCANNABLE_ARCHIVE"}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(rar4(*FILES, member_flags=4), id="rar4"),
        pytest.param(rar5(*FILES, encrypted=True), id="rar5"),
        pytest.param(written("zip", *FILES, options="encryption=aes256", password="x"), id="aes"),
        pytest.param(written("zip", *FILES, options="encryption=zipcrypt", password="x"), id="zipcrypto"),
    ],
)
@pytest.mark.threat("ZIP-04")
def test_encrypted_members(data: bytes) -> None:
    """Each encrypted member is named and has no content."""
    members, symbols = run(data)
    assert [(member.path, member.data, member.encrypted) for member in members] == [
        ("1/a.txt", b"", True),
        ("1/d/b.exe", b"", True),
    ]
    assert symbols == {"UNSCANNABLE_ENCRYPTED"}


@pytest.mark.threat("ZIP-04")
def test_encrypted_names() -> None:
    """Where names are encrypted as well, the archive is."""
    assert run(rar4(*FILES, flags=0x80)) == ([], {"UNSCANNABLE_ENCRYPTED"})


@pytest.mark.parametrize("kind", ["7zip", "ustar", "pax", "cpio", "zip"])
@pytest.mark.parametrize("name", ["../../etc/x", "/abs", "a/../../x", "C:/x", "evil\u202ecod.exe", "a\tb\x1b[31m"])
@pytest.mark.threat("ZIP-05")
def test_hostile_names(kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name touches no file, is flagged where it leads outside, and is shown without what a terminal obeys."""
    monkeypatch.chdir(tmp_path)
    members, symbols = run(written(kind, (name, b"x")))
    assert [member.data for member in members] == [b"x"]
    assert list(tmp_path.iterdir()) == []
    assert members[0].path.isprintable()
    assert symbols == ({"ARCHIVE_ESCAPE"} if "x" in name[-1:] or name == "/abs" else set())


@pytest.mark.threat("ZIP-05")
def test_links_and_devices_are_not_followed() -> None:
    """They are listed without content; one that leads outside is flagged, one that stays inside is not."""
    inside = tar_entry("d/a", b"x") + tar_entry("d/l", b"", b"2", "../b") + tar_entry("h", b"", b"1", "d/a")
    members, symbols = run(inside + tar_entry("dev", b"", b"3") + tar_end())
    assert [(member.path, member.data) for member in members] == [
        ("1/d/a", b"x"),
        ("1/d/l", b""),
        ("1/h", b""),
        ("1/dev", b""),
    ]
    assert symbols == set()
    for link in ("/etc/shadow", "../../x", "C:\\x"):
        assert run(tar_entry("d/l", b"", b"2", link) + tar_end())[1] == {"ARCHIVE_ESCAPE"}


@pytest.mark.parametrize(
    ("target", "flagged"), [("../../etc/passwd", True), ("/etc", True), ("../b", False), ("b", False)]
)
@pytest.mark.threat("ZIP-05")
def test_links_in_a_zip(target: str, flagged: bool) -> None:  # noqa: FBT001  # what is expected
    """A link's content is its target; one that leads outside is flagged."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("d/link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, target)
    members, symbols = run(buffer.getvalue())
    assert [member.data for member in members] == [target.encode()]
    assert symbols == ({"ARCHIVE_ESCAPE"} if flagged else set())


@pytest.mark.threat("ZIP-08")
def test_several_files_in_one_gzip() -> None:
    """Members without names are one file, as parallel packers write them; a later one with a name is another file."""
    named = io.BytesIO()
    with gzip.GzipFile("b.exe", "wb", fileobj=named) as stream:
        stream.write(b"MZ")
    first = gzip.compress(b"hello ")
    assert holds(first + gzip.compress(b"world")) == [("1/a", b"hello world")]
    members, symbols = run(first + named.getvalue())
    assert ([member.data for member in members], symbols) == ([b"hello MZ"], {"UNSCANNABLE_ARCHIVE"})


@pytest.mark.threat("ZIP-03")
def test_sizes_that_lie() -> None:
    """A zip member that is longer than its headers say is more than one reader unpacks."""
    data = bytearray(written("zip", ("a", b"hello world"), options="compression=deflate"))
    place = data.rfind(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<L", 5)
    assert "UNSCANNABLE_ARCHIVE" in run(bytes(data))[1]


@pytest.mark.threat("ZIP-03")
def test_a_disc_with_two_directories() -> None:
    """Where the names of Joliet lead to other files than those of ISO 9660, both are read, and that is said."""
    disc = bytearray(written("iso9660", ("first.txt", b"x" * 3_000), ("other.txt", b"y" * 3_000), options="!rockridge"))
    names = [disc.rfind(word.encode("utf-16-be")) for word in ("first.txt", "other.txt")]
    first, other = [place - 33 for place in names]
    disc[first + 2 : first + 10] = disc[other + 2 : other + 10]
    members, symbols = run(bytes(disc))
    assert {member.data[:1] for member in members} >= {b"x", b"y"}
    assert "AMBIGUOUS_ARCHIVE" in symbols


@pytest.mark.parametrize(
    ("data", "symbol"),
    [
        pytest.param(tar_entry("a", size=b"\xff" * 12) + tar_end(), "UNSCANNABLE_ARCHIVE", id="negative"),
        pytest.param(tar_entry("a", size=b"77777777777\0") + tar_end(), "UNSCANNABLE_ARCHIVE", id="huge"),
        pytest.param(pax("h", size="-5") + tar_entry("a", b"x") + tar_end(), "UNSCANNABLE_ARCHIVE", id="pax negative"),
        pytest.param(pax("h", size="1024") + tar_entry("a", b"x" * 99) + bytes(1_536), "AMBIGUOUS_ARCHIVE", id="sizes"),
        pytest.param(pax("h", path="b" * 1_200_000) + tar_entry("a") + tar_end(), "UNSCANNABLE_ARCHIVE", id="pax bomb"),
        pytest.param(
            pax("h", **{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9" * 18})
            + tar_entry("a", b"1\n999999999999\n512\n".ljust(512, b"\0") + b"x" * 512)
            + tar_end(),
            "UNSCANNABLE",
            id="sparse",
        ),
        pytest.param(tar_entry("a") + tar_end() + tar_entry("b", b"MZ") + tar_end(), "AMBIGUOUS_ARCHIVE", id="behind"),
        pytest.param(tar_entry("a") + tar_end() + b"MZ" * 600, "AMBIGUOUS_ARCHIVE", id="junk behind"),
        pytest.param(tar_entry("a") * 2 + tar_end(), "AMBIGUOUS_ARCHIVE", id="two of one name"),
    ],
)
@pytest.mark.threat("ZIP-07")
def test_hostile_tars(data: bytes, symbol: str) -> None:
    """Sizes that cannot be, or that two readers take differently, are said, and nothing runs away."""
    members, symbols = run(data, "a.tar")
    assert any(found.startswith(symbol) for found in symbols)
    assert sum([len(member.data) for member in members]) <= 50_000_000


@pytest.mark.threat("ZIP-07")
def test_members_behind_the_end_are_scanned() -> None:
    """What a reader that goes on would unpack comes out."""
    data = tar_entry("a", b"x") + tar_end() + tar_entry("b", b"MZ") + tar_end()
    assert [member.data for member in run(data)[0]] == [b"x", b"MZ"]


@pytest.mark.parametrize("first", [rar4(*FILES), written("7zip", *FILES)], ids=["rar", "7z"])
@pytest.mark.threat("ZIP-03", "ZIP-08")
def test_two_archives_in_one_file(first: bytes) -> None:
    """An archive in front of a zip is opened as both, and ambiguous."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("evil.exe", b"MZ\0")
    members, symbols = run(first + buffer.getvalue())
    assert {"1/a.txt", "1/evil.exe"} <= {member.path for member in members}
    assert "AMBIGUOUS_ARCHIVE" in symbols


@pytest.mark.parametrize("kind", ["ustar", "iso9660", "ar_bsd"])
def test_a_zip_that_an_archive_holds_is_no_second_reading(kind: str) -> None:
    """Stored near the end of a tar, a zip is a member like others."""
    assert run(written(kind, ("a.zip", written("zip", FILES[0]))))[1] == set()


@pytest.mark.parametrize("inner", [rar4(*FILES), rar5(*FILES), written("7zip", *FILES), cab(*FILES)])
@pytest.mark.threat("ZIP-08")
def test_archives_that_unpack_themselves(inner: bytes) -> None:
    """An archive behind a program is found by its first header."""
    program = b"MZ\x90\0" + bytes(1_000) + b"Rar!\x1a\x077z\xbc\xaf\x27\x1c is only a mark" + bytes(500)
    members, _ = run(program + inner)
    assert [member.data for member in members] == [content for _, content in FILES]
    assert detect(program) == ("exe",)


@pytest.mark.parametrize(("inner", "name"), [(rar4(*FILES), "a.rar"), (written("7zip", *FILES), "a.7z")])
@pytest.mark.threat("ZIP-08")
def test_an_archive_behind_a_picture(inner: bytes, name: str) -> None:
    """An unpacker that is led there by the name finds it, and so do we."""
    members, _ = run(b"\x89PNG\r\n\x1a\n" + bytes(500) + inner, name)
    assert [member.data for member in members] == [content for _, content in FILES]


@pytest.mark.threat("ZIP-08")
def test_archives_in_archives() -> None:
    """All kinds inside each other are reached."""
    data = written("ustar", ("a.7z", written("7zip", ("b.rar", rar5(("c.zip", written("zip", FILES[1])))))))
    members, symbols = run(gzip.compress(data), "a.tgz")
    assert "1/a.tar/a.7z/b.rar/c.zip/d/b.exe" in [member.path for member in members]
    assert symbols == set()


@pytest.mark.parametrize("coding", ["zstd", "lz4", "lzma", "compress"])
@pytest.mark.threat("ZIP-01")
def test_stream_bombs_stop(coding: str) -> None:
    """A stream that grows a thousandfold is left in the middle."""
    data = written("raw", ("a", bytes(50_000_000)), coding=coding)
    members, symbols = run(data)
    assert symbols == {"UNSCANNABLE_BOMB"}
    assert len(members[0].data) <= max(1_000_000, len(data) * 200)


@pytest.mark.parametrize("kind", ["7zip", "zip"])
@pytest.mark.threat("ZIP-01")
def test_archive_bombs_stop(kind: str) -> None:
    """So is one in an archive, and its memory is bounded."""
    data = written(kind, ("a", bytes(60_000_000)), ("b", b"x"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    members, symbols = run(data)
    assert symbols == {"UNSCANNABLE_BOMB"}
    assert sum([len(member.data) for member in members]) <= max(1_000_000, len(data) * 200)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.threat("ZIP-01")
def test_bytes_files_and_depth_are_shared() -> None:
    """The budget is one for all archives of a message, of whatever kind."""
    budget = Budget(bytes=1_000, files=3)
    assert run(written("ustar", ("a", b"x" * 800)), budget=budget)[1] == set()
    members, symbols = run(rar5(("b", b"y" * 800)), budget=budget)
    assert ([len(member.data) for member in members], symbols) == ([200], {"UNSCANNABLE_BOMB"})
    data = written("ustar", *[(str(number), b"") for number in range(1_100)])
    assert len(run(data)[0]) == 1_000
    data = b"x"
    for level in range(20):
        data = written("ustar", (f"{level}.tar", data))
    members, symbols = run(data)
    assert (max([member.depth for member in members]), symbols) == (8, {"UNSCANNABLE_BOMB"})


@pytest.mark.threat("ZIP-01")
def test_time_ends() -> None:
    """When the time is over nothing more is unpacked, and that is said."""
    members, symbols = run(written("ustar", *FILES), budget=Budget(until=1.0, clock=lambda: 2.0))
    assert (len(members), symbols) == (0, {"UNSCANNABLE_BOMB"})


@pytest.mark.threat("ZIP-06")
def test_cabinets_are_checked_before_they_are_opened() -> None:
    """Where a cabinet's tables lie, libarchive writes beyond its memory: such a one is not handed to it."""
    good = cab(*FILES)
    place = good.find(b"a.txt") - 16 - 8
    lies = bytearray(good)
    lies[place + 4 : place + 6] = struct.pack("<H", 500)
    for data in (cab(*FILES, minor=4), bytes(lies), good[:40]):
        assert run(data)[1] == {"UNSCANNABLE_ARCHIVE"}
    assert "UNSCANNABLE_ARCHIVE" in run(cab(*FILES, flags=2))[1]


@pytest.mark.threat("ZIP-06")
def test_udf_is_said() -> None:
    """Windows reads UDF where a disc has both; libarchive does not."""
    disc = bytearray(written("iso9660", *FILES))
    assert b"CD001" in disc[32_768:32_776]
    disc[19 * 2_048 + 1 : 19 * 2_048 + 6] = b"NSR02"
    assert run(bytes(disc))[1] >= {"AMBIGUOUS_ARCHIVE"}
    assert run(bytes(32_769) + b"BEA01" + bytes(2_043) + b"NSR02" + bytes(9_000))[1] == {"UNSCANNABLE_ARCHIVE"}


@pytest.mark.parametrize(
    "magic", [b"xar!\x00\x1c", b"MSWIM\0\0\0", b"\x89LZO\0\r\n\x1a\n", b"ALZ\x01", b"0123456**ACE**"]
)
@pytest.mark.threat("ZIP-06")
def test_formats_that_stay_closed(magic: bytes) -> None:
    """What is not opened is said."""
    assert run(magic + bytes(100))[1] == {"UNSCANNABLE_ARCHIVE"}


@pytest.mark.threat("ZIP-04")
def test_a_password_of_the_mail_opens_a_zip() -> None:
    """Its members are scanned, still called encrypted, and that the mail gave the password is said."""
    budget = Budget(words=lambda: ("wrong", "geheim"))
    members, symbols = run(locked_zip("a.exe", b"MZ\0", "geheim"), budget=budget)
    assert [(member.data, member.encrypted) for member in members] == [(b"MZ\0", True)]
    assert symbols == {"ARCHIVE_PASSWORD"}


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("rar", lambda count: rar4(*[(str(number), b"x") for number in range(count)])),
        ("rar", lambda count: rar5(*[(str(number), b"x") for number in range(count)])),
        ("tar", lambda count: tar_entry("a", b"x") * count + tar_end()),
        ("tar", lambda count: pax("h", size="1") * count + tar_entry("a", b"x") + tar_end()),
        ("tar", lambda count: tar_entry("a") + bytes(512 * count)),
        ("7z", lambda count: b"7z\xbc\xaf\x27\x1c" * count * 20),
        ("cab", lambda count: cab(*[(str(number), b"x" * 30) for number in range(count)])),
    ],
    ids=["rar4", "rar5", "tar", "pax", "zeros", "marks", "cab"],
)
@pytest.mark.threat("ZIP-06", "ZIP-07")
def test_own_walks_are_linear(kind: str, make: Callable[[int], bytes]) -> None:
    """Twice the headers, at most twice the time."""

    def build(count: int) -> Callable[[], object]:
        data = make(count)
        return lambda: (CHECKS[kind](data), embedded(b"MZ\x90" + data, "7z"))

    assert growth(build, 1_000) <= LINEAR


@pytest.mark.parametrize("data", UNNAMEABLE, ids=["first", "later"])
def test_memory_that_was_short_before_ends_nothing(data: bytes) -> None:
    """A name that is no UTF-8 is read, also after an allocation failed: libarchive would end us."""
    library = ctypes.CDLL(None)
    library.malloc.argtypes, library.malloc.restype = (ctypes.c_size_t,), ctypes.c_void_p
    assert library.malloc((1 << 63) - 1) is None  # leaves ENOMEM in errno
    members, symbols = run(data, "a.rar")
    assert members or symbols
