"""Office documents and their kin. Invariant: any bytes give members within the budget and known findings.

A view of the bytes gives the same; what a reader hands out of an object that is written in digits, in records or in
attributes is content that stands in the input, or was unpacked from it.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from filterd.mime.symbols import AMBIGUOUS, DOCUMENTS, UNSCANNABLE
from filterd.unpack import Budget, Member, unpack
from filterd.unpack.budget import MAX_FILES, MAX_MEMBER
from filterd.unpack.ole import MAGIC, open_compound
from filterd.unpack.ole_crypt import decrypt
from filterd.unpack.ole_rc4 import unlock
from filterd.unpack.rtf import read_object
from filterd.unpack.tnef_rtf import unpack_rtf
from filterd.unpack.vba import decompress
from tests.fuzz.corpus import make_zip
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill
from tests.unpack.compound import (
    compress,
    fields,
    make_ole,
    notebook,
    ole1,
    outlook,
    package,
    project,
    shortcut,
    slide_object,
    winmail,
    workbook,
)

SMALL: Final = 2_000_000  # bytes that one input may become here: mutants are many
KNOWN: Final = AMBIGUOUS | UNSCANNABLE | DOCUMENTS
SOURCE: Final = b'Attribute VB_Name = "M"\r\nSub Auto_Open()\r\nShell "x"\r\nEnd Sub\r\n'
PROJECT: Final = make_ole({"Macros": project(("M", SOURCE)), "WordDocument": b"\xec\xa5" + bytes(600)})
PACKED: Final = make_ole({"ObjectPool": {"_1234567": {"\x01Ole10Native": package("a.exe", b"MZ\x90\0")}}})
DIGITS: Final = ole1("Package", package("a.exe", b"MZ\x90\0")[4:]).hex().encode()
RELATED: Final = (
    b'<?xml version="1.0"?><Relationships><Relationship Id="r" Type="x/attachedTemplate" Target="http://x.test/"'
    b' TargetMode="External"/><Relationship Type="x/oleObject" Target="a.bin"/></Relationships>'
)
WORDS: Final = (
    b'<?xml version="1.0"?><w:p><w:fldChar w:fldCharType="begin"/><w:instrText>DDE x</w:instrText><w:fldChar '
    b'w:fldCharType="end"/><w:fldSimple w:instr="QUOTE 68 68 69"/><pkg:part pkg:name="/a.bin"><pkg:binaryData>'
    + base64.b64encode(PROJECT)
    + b"</pkg:binaryData></pkg:part></w:p>"
)
MAIL: Final = (
    b"Received: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: "
    b"text/plain; name=a.exe\r\nContent-Transfer-Encoding: base64\r\n\r\nTVqQAA==\r\n--b--\r\n"
)

LITTLE: Final = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\1\0",
    b"\2\0\0\0",
    b"\0",
    b"\xfe\xff\xff\xff",
)
TARGETS: Final = {
    "ole": (
        (PROJECT, PACKED, fields(b" DDE cmd"), make_ole({"PowerPoint Document": slide_object(PACKED)})),
        (*LITTLE, MAGIC, "WordDocument".encode("utf-16-le"), "_VBA_PROJECT".encode("utf-16-le"), b"\x13DDE\x14"),
    ),
    "workbook": (
        (workbook((0x85, bytes(5) + b"\1\1\0x"), (0x1AE, b"\0\0\5\0\0a\3b c"), (0x18, b"\x20" + bytes(14) + b"\1")),),
        (*LITTLE, b"\x85\0", b"\x18\0", b"\xae\1", b"\x2f\0", b"\x17\0", b"\x09\x08"),
    ),
    "msg": (
        (outlook(("a.exe", b"MZ\x90\0"), ("b.txt", b"hello")),),
        (*LITTLE, "__substg1.0_37010102".encode("utf-16-le"), "__attach_version1.0_".encode("utf-16-le")),
    ),
    "rtf": (
        (
            b"{\\rtf1{\\object{\\*\\objclass Package}{\\*\\objdata " + DIGITS + b"}}}",
            b"{\\rt{\\*\\objdata\\bin5 abcde0102{\\*\\x 12}\\'41 }{\\*\\template http://x/}{\\*\\fldinst DDE x}}",
        ),
        (
            b"\\objdata ",
            b"\\bin",
            b"\\bin99 ",
            b"{",
            b"}",
            b"\\*",
            b"\\'41",
            b"\\x1 ",
            b"\\fldinst ",
            b"\\template ",
            b"\\",
        ),
    ),
    "xml": (
        (RELATED, WORDS, RELATED.decode().encode("utf-16"), WORDS.replace(b"w:", b"")),
        (
            b"<",
            b">",
            b'"',
            b"'",
            b"=",
            b"<!--",
            b"-->",
            b"<![CDATA[",
            b"]]>",
            b"&#x44;",
            b"<Relationship ",
            b"instrText>",
        ),
    ),
    "lnk": ((shortcut("/c calc"), shortcut("x", behind=bytes(2_000))), (*LITTLE, b"\x01\0\0\xa0", b"\x60\0\0\0")),
    "onenote": ((notebook(b"MZ\x90\0", b"hello"),), (*LITTLE, bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac"))),
    "tnef": (
        (winmail(("a.exe", b"MZ\x90\0"), ("b.txt", b"hello")),),
        (*LITTLE, b"\x02\x90", b"\x10\x80", b"\x0f\x80", b"\x05\x90", b"\x03\x90", b"\x1f\0", b"\x0d\0", b"\2\1"),
    ),
    "eml": ((MAIL, MAIL + MAIL), (b"\r\n", b"--b\r\n", b"--b--", b"Content-Type: ", b": ", b"message/rfc822", b"\0")),
    "table": (
        (b"a,b\r\n=cmd|'/c x'!A0,3\r\n", b"ID;P\r\nO;E\r\nC;K0;ESUM(cmd|'/c x'!A0)\r\nNN;NAuto_Open\r\n"),
        (b"=", b"|", b"!", b"'", b'"', b",", b"\r\n", b"cmd", b"ID;P", b"O;E"),
    ),
}


def check(data: bytes) -> None:
    """Open it; everything keeps to its limits."""
    budget = Budget(bytes=SMALL)
    members = list(unpack(data, "1", "a.bin", 0, budget))
    assert {found.symbol for found in budget.findings} <= KNOWN
    assert len(members) <= MAX_FILES
    assert sum([len(one.data) for one in members]) <= SMALL
    for one in members:
        assert 0 < one.depth <= budget.depth
        assert len(one.data) <= MAX_MEMBER
        assert one.path.startswith("1/")
    again = unpack(memoryview(data), "1", "a.bin", 0, Budget(bytes=SMALL))
    assert [(one.path, one.data) for one in again] == [(one.path, one.data) for one in members]
    for found in budget.findings:
        "".join(found.evidence).encode()


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.threat("MIME-09", "MIME-17", "MIME-18")
def test_any_bytes(name: str) -> None:
    """The invariant over mutants of small documents of each kind."""
    seeds, tokens = TARGETS[name]
    fuzz(Target(name, check, seeds, tokens, runs=400, largest=16_384))


@pytest.mark.threat("MIME-18")
def test_mutants_of_real_files(files: tuple[bytes, ...]) -> None:
    """The same over mutants of public documents."""
    documents = [data for data in files if data[:4] in (b"\xd0\xcf\x11\xe0", b"PK\x03\x04", b"<?xm", b"ID;P")]
    fuzz(Target("real-office", check, documents, LITTLE, runs=300, largest=65_536))


def check_parts(data: bytes) -> None:
    """The decoders below the readers, at any place."""
    for place in range(min(len(data), 4)):
        assert len(decompress(data, place, 100_000)) <= 100_000 + 4_096 + 4_098
    assert len(unpack_rtf(data, 10_000)) <= 10_000 + 8 * 17
    found, position = read_object(data, 0)
    assert position <= len(data)
    assert sum([len(content) for content in found.readings()]) <= 2 * len(data)
    compound = open_compound(data)
    for entry in compound.entries[:20]:
        assert len(compound.read(entry)) <= len(data)


@pytest.mark.threat("MIME-18")
def test_any_bytes_below() -> None:
    """The invariant over mutants of what the decoders read."""
    lzfu = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    seeds = (compress(SOURCE), bytes.fromhex("0103b002614500"), lzfu, DIGITS, PROJECT)
    fuzz(replace(Target("decoders", check_parts, seeds, (*LITTLE, b"\\bin9 ")), runs=1_500, largest=8_192))


AGILE: Final = (
    b'\4\0\4\0\x40\0\0\0<keyData keyBits="128" hashAlgorithm="SHA1" saltValue="AAAAAAAAAAAAAAAAAAAAAA=="/>'
    b'<p:encryptedKey spinCount="2" saltSize="16" keyBits="128" hashAlgorithm="SHA512" '
    b'saltValue="AAAAAAAAAAAAAAAAAAAAAA==" '
    b'encryptedVerifierHashInput="AAAAAAAAAAAAAAAAAAAAAA==" encryptedVerifierHashValue="AAAAAAAAAAAAAAAAAAAAAA==" '
    b'encryptedKeyValue="AAAAAAAAAAAAAAAAAAAAAA=="/>'
)
RC4: Final = b"\1\0\1\0\1\0" + bytes(48)
STRONG: Final = b"\1\0\2\0\2\0" + bytes(4) + b"\x20\0\0\0" + bytes(16) + b"\x80\0\0\0" + bytes(72)


def check_locks(data: bytes) -> None:
    """No password fits, or what comes out is not longer than what went in. Many rounds cost time by design."""
    rounds = re.search(rb'spinCount="(\d+)', data)
    if data[:4] == AGILE[:4] and (rounds is None or len(rounds[1]) < 4):
        content = decrypt(data, bytes(8) + data, Budget(guesses=1), "1")
        assert content is None or len(content) <= len(data) + 8
    plain = unlock(data, data[:200], Budget(), "1")
    assert plain is None or len(plain) <= len(data)


@pytest.mark.threat("ZIP-04")
def test_any_lock() -> None:
    """The invariant over mutants of small descriptions of encryption."""
    tokens = (*LITTLE, b'"', b"SHA1", b"SHA256", b"256", b"=", b"keyBits", b"saltValue", b"AAAA", b"<keyData ")
    fuzz(Target("locks", check_locks, (AGILE, RC4, STRONG), tokens, runs=1_000, largest=4_096))


def opened(data: bytes) -> list[Member]:
    """All members, under the shipped budget."""
    return list(unpack(data, "1", "a.bin", 0, Budget()))


def streams(size: int) -> bytes:
    """A compound file of many streams."""
    return make_ole({f"_{number:07}": {"\x01Ole10Native": package("a", b"x")} for number in range(size // 1_500)})


def circle(size: int) -> bytes:
    """A compound file whose streams all begin at the same place of one chain."""
    data = bytearray(make_ole({"a": bytes(size // 2), **{f"\x01Ole10Native{n}": b"" for n in range(size // 400)}}))
    name = "\x01Ole10Native".encode("utf-16-le")
    place = data.find(name)
    while place >= 0:
        data[place + 64 : place + 66] = b"\x1a\0"
        data[place + 24 : place + 26] = b"\0\0"
        data[place + 116 : place + 128] = bytes(4) + (size // 2).to_bytes(8, "little")
        place = data.find(name, place + 2)
    return bytes(data)


def modules(size: int) -> bytes:
    """A project of one long source."""
    return make_ole(project(("M", b"Attribute VB_Name\r\n" + b'x = Chr(65) & "a" & "b" + Shell\r\n' * (size // 34))))


RTF: Final = b"{\\rtf1{\\*\\objdata "
XML: Final = b"<?xml version='1.0'?><w:p>instrText binData Relationship Formula| ddeLink fldSimple definedName"


@pytest.mark.threat("MIME-09", "MIME-17", "MIME-18")
@pytest.mark.parametrize(
    ("make", "size"),
    [
        pytest.param(streams, 100_000, id="ole-streams"),
        pytest.param(circle, 100_000, id="ole-circle"),
        pytest.param(fill(b"\0\0\0\0", MAGIC + bytes(22) + b"\x09\0" + bytes(34)), 200_000, id="ole-zeros"),
        pytest.param(fill(b"\xfd\xff\xff\xff", MAGIC + bytes(22) + b"\x09\0" + bytes(34)), 200_000, id="ole-fat"),
        pytest.param(modules, 60_000, id="vba"),
        pytest.param(lambda size: fields(b"DDE \x13" * (size // 5)), 100_000, id="doc-fields"),
        pytest.param(lambda size: workbook(*[(0x85, bytes(5) + b"\1\1\0x")] * (size // 13)), 60_000, id="xls-sheets"),
        pytest.param(fill(DIGITS, RTF), 200_000, id="rtf-digits"),
        pytest.param(fill(b"0\\x ", RTF), 60_000, id="rtf-words"),
        pytest.param(fill(b"{\\*\\x 1}", RTF), 60_000, id="rtf-groups"),
        pytest.param(fill(b"{\\objdata ", RTF), 60_000, id="rtf-objects"),
        pytest.param(fill(b"\\bin1 a", RTF), 60_000, id="rtf-bin"),
        pytest.param(fill(b"\\fldinst DDE ", RTF), 60_000, id="rtf-fields"),
        pytest.param(fill(b"\\template a", RTF), 60_000, id="rtf-templates"),
        pytest.param(fill(b"<Relationship a='b' ", XML), 60_000, id="xml-relationships"),
        pytest.param(fill(b"<Relationship a", XML), 60_000, id="xml-open-tags"),
        pytest.param(fill(b"<!--", XML), 100_000, id="xml-comments"),
        pytest.param(fill(b"<w:fldChar fldCharType='begin'/>", XML), 60_000, id="xml-fields"),
        pytest.param(fill(b"<w:instrText>DDE ", XML), 60_000, id="xml-instructions"),
        pytest.param(fill(b"<w:part name='a'><binData>", XML), 60_000, id="xml-files"),
        pytest.param(fill(b"Formula='=a|b", XML), 60_000, id="xml-formulas"),
        pytest.param(fill(b"&#x44;", XML + b"<fldSimple instr='"), 60_000, id="xml-entities"),
        pytest.param(fill(b"name='", XML), 60_000, id="xml-names"),
        pytest.param(fill(b"=a|'b", b"a\r\n!"), 60_000, id="table-formulas"),
        pytest.param(fill(b"=", b"a|!\r\n"), 60_000, id="table-signs"),
        pytest.param(fill(b"\nO;", b"ID;P"), 60_000, id="sylk"),
        pytest.param(
            fill(bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac") + bytes(20), notebook()), 20_000, id="onenote"
        ),
        pytest.param(fill(b"\2\x02\x90\x06\0" + bytes(6), winmail()), 5_000, id="tnef-attachments"),
        pytest.param(fill(bytes(11), winmail()), 60_000, id="tnef-attributes"),
        pytest.param(fill(b"\x08\0\0\0\1\2\3\4", shortcut("x")[:-4]), 60_000, id="lnk-blocks"),
        pytest.param(lambda size: outlook(*[(str(n), b"x") for n in range(size // 1_600)]), 100_000, id="msg"),
        pytest.param(lambda size: make_zip(("a.eml", MAIL + b"--b\r\n\r\nx\r\n" * (size // 12))), 10_000, id="eml"),
    ],
)
def test_the_worst_is_linear(make: Callable[[int], bytes], size: int) -> None:
    """Chains in circles, disguises, marks without end cost time by their length."""
    assert_linear(opened, make, size)
