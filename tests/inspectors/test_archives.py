"""EICAR in archives of every kind, found by YARA in an inspector behind its walls.

libarchive converts names and allocates much: what it would load or open late fails there.
"""

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from filterd.inspectors import NurserySettings
from filterd.model.inspection import Inspection
from tests.inspectors.conftest import Bed, bed
from tests.support.archives import cab, gnu_tar, lha, locked_zip, rar4, rar5, with_dictionary, written
from tests.support.process import open_folder
from tests.support.world import EICAR

pytestmark = pytest.mark.integration
RULES: Final = Path(__file__).resolve().parents[2] / "rules" / "yara"
FILE: Final = ("\u00e4/\u65e5\u672c.com", EICAR)
RSS_BOUND: Final = 200_000_000  # bytes of one inspector, whatever it reads
KINDS: Final = ("7zip", "ustar", "pax", "gnutar", "cpio", "cpio_newc", "iso9660", "zip")
CODINGS: Final = ("gzip", "bzip2", "xz", "zstd", "lz4", "lzma", "lzip", "compress")
CARRIERS: Final[dict[str, bytes]] = {
    **{kind: written(kind, FILE) for kind in KINDS},
    **{f"tar in {coding}": written("pax", FILE, coding=coding) for coding in CODINGS},
    "rar 4": rar4(FILE),
    "rar 5": rar5(FILE),
    "cab": cab(("e.com", EICAR)),
    "lha": lha("e.com", EICAR),
    "gnu tar": gnu_tar(FILE),
    "rar in 7z": written("7zip", ("a.rar", rar5(FILE))),
    "zip, deflated": written("zip", FILE, options="compression=deflate"),
}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The rule that finds EICAR, where an inspector can read it."""
    with open_folder() as made:
        shutil.copy(RULES / "eicar.yar", made)
        (made / "eicar.yar").chmod(0o644)
        yield made


@pytest.fixture(scope="module")
def inspector(folder: Path) -> Iterator[Bed]:
    """An inspector with that rule."""
    with bed(NurserySettings(rules=str(folder))) as made:
        yield made


def ask(inspector: Bed, data: bytes, text: bytes = b"") -> Inspection:
    """Have a message with this attachment, and a text behind it, read."""
    head = b'Content-Type: application/octet-stream; name="a.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    body = b"--b\r\n" + head + base64.encodebytes(data) + b"--b\r\n\r\n" + text + b"\r\n--b--\r\n"
    fields = ((b"From", b" a@b.test"), (b"Content-Type", b" multipart/mixed; boundary=b"))
    return inspector.ask(body, fields=fields)


@pytest.mark.threat("ZIP-06", "ZIP-08")
@pytest.mark.parametrize("carrier", CARRIERS)
def test_eicar_is_found(carrier: str, inspector: Bed) -> None:
    """The rule hits the member, which is listed as a part; nothing about the archive is odd."""
    facts = ask(inspector, CARRIERS[carrier])
    assert facts.problems == ()
    hit = [part for part in facts.parts if "eicar_test_file" in part.rules and part.size == len(EICAR)]
    assert {part.path.rpartition(".")[2] for part in hit} == {"com"}
    assert not [found for found in facts.findings if found.symbol.startswith(("UNSCANNABLE", "AMBIGUOUS"))]


@pytest.mark.threat("ZIP-06")
def test_a_dictionary_beyond_the_address_space(inspector: Bed) -> None:
    """A decoder that may not have the memory it is told to take says so, and the inspector lives on."""
    facts = ask(inspector, with_dictionary(0x60000000, FILE))
    assert facts.problems == ()
    assert "UNSCANNABLE_ARCHIVE" in {found.symbol for found in facts.findings}
    facts = ask(inspector, with_dictionary(0x00100000, FILE))
    assert "YARA_EICAR" in {found.symbol for found in facts.hits}


@pytest.mark.threat("ZIP-01")
@pytest.mark.parametrize("coding", ["zstd", "lz4"])
def test_a_bomb_costs_little_memory(coding: str) -> None:
    """Half a gigabyte in a few kilobytes, twice packed, stays under 200 MB and is said."""
    bomb = written("ustar", ("a", written("raw", ("b", bytes(500_000_000)), coding=coding)), coding="gzip")
    with bed(NurserySettings()) as made:
        facts = ask(made, bomb)
        status = Path(f"/proc/{made.pool._idle[0].pid}/status").read_text(encoding="ascii")
    assert "UNSCANNABLE_BOMB" in {found.symbol for found in facts.findings}
    assert int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1_024 <= RSS_BOUND


@pytest.mark.threat("ZIP-04")
@pytest.mark.parametrize(
    "data",
    [locked_zip("e.com", EICAR, "geheim"), written("zip", FILE, options="encryption=aes256", password="geheim")],
    ids=["zipcrypto", "aes"],
)
def test_a_zip_that_the_mail_opens(data: bytes, inspector: Bed, folder: Path) -> None:
    """The password stands in a text behind the archive; without the switch the archive stays closed."""
    facts = ask(inspector, data, b"Passwort: geheim")
    assert [part.encrypted for part in facts.parts if "eicar_test_file" in part.rules] == [True]
    symbols = {found.symbol for found in facts.findings}
    assert "ARCHIVE_PASSWORD" in symbols
    assert "UNSCANNABLE_ENCRYPTED" not in symbols
    with bed(NurserySettings(rules=str(folder), passwords=False)) as other:
        facts = ask(other, data, b"Passwort: geheim")
    assert [part.encrypted for part in facts.parts if part.encrypted and not part.rules] == [True]
    assert "UNSCANNABLE_ENCRYPTED" in {found.symbol for found in facts.findings}
