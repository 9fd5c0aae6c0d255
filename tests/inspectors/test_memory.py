"""What an inspector takes at most: 200 MB, for inputs as large as are looked at that want to be held several times."""

import base64
import random
import struct
import tarfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from filterd.inspectors import NurserySettings
from tests.inspectors.conftest import Bed, bed
from tests.inspectors.test_pool_real import RSS_BOUND, ask, attached, memory, pids, symbols
from tests.support.archives import gnu_tar, rar5, written
from tests.support.process import open_folder

pytestmark = pytest.mark.integration
RULES: Final = Path(__file__).resolve().parents[2] / "rules" / "yara"
LARGE: Final = 36_000_000  # bytes that fill what is analysed of a message, as base64
LARGEST: Final = 46_000_000  # the same, as they are
STORED: Final = "compression=store"


@cache
def noise(size: int) -> bytes:
    """Bytes that cannot be packed."""
    return random.Random(1).randbytes(size)


@cache
def soft(size: int) -> bytes:
    """Bytes that can be packed well, and not so well that it looks like a bomb."""
    piece = noise(1_000) + bytes(99_000)
    return (piece * (size // len(piece) + 1))[:size]


def plain(name: str, content: bytes, kind: str = "application/octet-stream") -> bytes:
    """A message with an attachment that is not encoded."""
    head = f"Content-Type: {kind}; name={name}\r\nContent-Transfer-Encoding: binary\r\n\r\n".encode()
    whole = b"From: a@b.test\r\nContent-Type: multipart/mixed; boundary=a-boundary\r\n\r\n--a-boundary\r\n"
    return whole + head + content + b"\r\n--a-boundary--\r\n"


def single(body: bytes, *encodings: str, kind: str = "application/octet-stream; name=a.bin") -> bytes:
    """A message of one part that says it is encoded so, and so."""
    head = "".join([f"Content-Transfer-Encoding: {encoding}\r\n" for encoding in encodings])
    return f"From: a@b.test\r\nContent-Type: {kind}\r\n{head}\r\n".encode() + body


def lines(size: int) -> bytes:
    """Base64 with the line ends of another system."""
    return base64.encodebytes(noise(size))


def nested(kind: str, levels: int) -> bytes:
    """Archives stored in each other."""
    data = noise(LARGEST)
    for level in range(levels):
        data = written(kind, (f"{level}.{kind}", data), options="" if kind == "ustar" else STORED)
    return data


def doubtful() -> bytes:
    """Base64 with signs of another alphabet in it, and padding in the middle."""
    data = base64.encodebytes(noise(LARGE)).replace(b"\n", b"\r\n")
    return data[: len(data) // 2] + b"-_=\r\n" + data[len(data) // 2 :]


def pdf(size: int) -> bytes:
    """A document with one large stream."""
    objects = b"1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\n"
    stream = b"3 0 obj\n<</Length %d>>\nstream\n" % size + noise(size) + b"\nendstream\nendobj\n"
    return b"%PDF-1.4\n" + objects + stream + b"trailer\n<</Root 1 0 R>>\n%%EOF\n"


def tnef() -> bytes:
    """winmail.dat with one file."""
    return b"\x78\x9f\x3e\x22\0\0\x02" + struct.pack("<LL", 0x0006800F, LARGEST) + noise(LARGEST) + b"\0\0"


def notebook() -> bytes:
    """A section of OneNote with one file."""
    mark = bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac") + struct.pack("<QLQ", LARGEST, 0, 0)
    return b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d" + bytes(108) + mark + noise(LARGEST)


def many_objects() -> bytes:
    """A document of many small objects."""
    return b"%PDF-1.4\n" + b"".join([b"%d 0 obj\n[1 2 3 4 5 6]\nendobj\n" % number for number in range(1, 300_000)])


def tars() -> bytes:
    """Three archives of 45 MB, packed to one of a few."""
    return written("zip", *[(f"{n}.tar", gnu_tar(("b", soft(45_000_000)))) for n in range(3)])


INPUTS: Final[dict[str, Callable[[], bytes]]] = {
    "a tar in a 7z": lambda: attached("a.7z", written("7zip", ("a.tar", gnu_tar(("b", noise(LARGE)))), options=STORED)),
    "a tar in a 7z, not encoded": lambda: plain("a.7z", written("7zip", ("a", noise(LARGEST)), options=STORED)),
    "a tar in a rar": lambda: plain("a.rar", rar5(("b.tar", gnu_tar(("c", noise(LARGEST)))))),
    "7z in 7z": lambda: plain("a.7z", nested("7zip", 4)),
    "zip in zip": lambda: plain("a.zip", nested("zip", 4)),
    "tar in tar": lambda: plain("a.tar", nested("ustar", 4)),
    "a zip in an image": lambda: plain("a.iso", written("iso9660", ("a.zip", nested("zip", 1)))),
    "large tars in a zip": lambda: attached("a.zip", tars()),
    "zip in zip, packed": lambda: attached("a.zip", written("zip", ("b.zip", tars()), ("c.zip", tars()))),
    "a large tar in gzip": lambda: attached("a.tgz", written("ustar", ("b", soft(49_000_000)), coding="gzip")),
    "a large tar in xz": lambda: attached("a.txz", written("ustar", ("b", soft(49_000_000)), coding="xz")),
    "a PDF behind a picture": lambda: attached("a.gif", b"GIF89a" + noise(500) + pdf(LARGE)),
    "a PDF, not encoded": lambda: plain("a.pdf", pdf(LARGEST)),
    "a PDF of many objects": lambda: attached("a.pdf", many_objects()),
    "a file in a notebook": lambda: plain("a.one", notebook()),
    "a file in winmail.dat": lambda: plain("winmail.dat", tnef()),
    "an object in RTF": lambda: plain("a.rtf", b"{\\rtf1{\\object{\\*\\objdata " + b"41" * (LARGEST // 2) + b"}}}"),
    "doubtful base64": lambda: single(doubtful(), "base64"),
    "three encodings": lambda: single(doubtful(), "base64", "quoted-printable", "x-uuencode"),
    "odd quoted-printable": lambda: single(b"=zz" + b"abc= \r\n" * 7_000_000, "quoted-printable", kind="text/plain"),
    "uuencode": lambda: single(b"begin 644 a\n" + (b"M" + b"A" * 60 + b"\n") * 800_000 + b"end\n", "x-uuencode"),
    "yEnc": lambda: single(b"=ybegin line=128 size=1 name=a\n" + (b"=A" * 64 + b"\n") * 350_000, kind="text/plain"),
    "base64 in a text": lambda: single(b"hello\n" + lines(33_000_000), kind="text/plain"),
    "a message in base64 in base64": lambda: single(
        base64.encodebytes(single(lines(24_000_000), "base64")), "base64", kind="message/rfc822"
    ),
    "a message as a file": lambda: plain("a.eml", single(lines(33_000_000), "base64")),
    "a page that carries a file": lambda: plain(
        "a.html", b"<a href='data:application/zip;base64," + base64.b64encode(noise(33_000_000)) + b"'>", "text/html"
    ),
}


@pytest.fixture(scope="module")
def inspector() -> Iterator[Bed]:
    """One that reads all of them, one after the other: the most it ever took is what counts."""
    with open_folder() as folder, bed(NurserySettings(rules=str(RULES), cache=str(folder / "cache"))) as made:
        yield made


@pytest.mark.threat("ZIP-01", "MIME-12")
@pytest.mark.parametrize("name", INPUTS)
def test_no_input_makes_an_inspector_large(name: str, inspector: Bed) -> None:
    """Under 200 MB, and no stage fails for want of memory."""
    facts = ask(inspector, INPUTS[name](), seconds=100)
    assert facts.problems == ()
    assert "UNSCANNABLE_CRASH" not in symbols(facts)
    assert memory(pids(inspector)[0], "VmHWM") <= RSS_BOUND


@pytest.mark.threat("ZIP-06")
def test_a_library_takes_no_more_than_there_is(shared: Path) -> None:
    """125 bytes of RAR have libarchive ask for a gigabyte: it gets none of it, and the member is unscannable."""
    with tarfile.open(shared / "data" / "attachments" / "libarchive.tar.xz") as files:
        file = files.extractfile("libarchive/test_read_format_rar_unbound_staticdata.rar")
        assert file is not None
        data = file.read()
    with bed(NurserySettings(memory=8 << 30)) as made:
        facts = ask(made, attached("a.rar", data))
        assert "UNSCANNABLE_ARCHIVE" in symbols(facts)
        assert memory(pids(made)[0], "VmHWM") < RSS_BOUND


@pytest.mark.threat("ZIP-01")
def test_what_does_not_fit_beside_its_archive_is_said() -> None:
    """Archives in each other, each nearly as large as a message: the inner ones are cut off, never taken for clean."""
    with bed(NurserySettings()) as made:
        assert "UNSCANNABLE_SIZE" in symbols(ask(made, INPUTS["7z in 7z"](), seconds=120))
