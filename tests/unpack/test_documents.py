"""Documents of Microsoft's world: what comes out of them, and what is said of them."""

import base64
import struct

import pytest

from filterd.mime.symbols import DOCUMENTS, UNSCANNABLE
from filterd.unpack import Budget, Member, unpack
from filterd.unpack.tnef_rtf import unpack_rtf
from filterd.unpack.vba import decompress
from tests.fuzz.corpus import make_zip
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

OPENS = b'Attribute VB_Name = "M"\r\nSub Document_Open()\r\nShell "calc"\r\nEnd Sub\r\n'
HARMLESS = b'Attribute VB_Name = "M"\r\nSub Total()\r\nx = 1 + 1\r\nEnd Sub\r\n'
EQUATION = bytes.fromhex("02ce020000000000c000000000000046")
PROGRAM = b"MZ\x90\0program"


def run(data: bytes, name: str = "a.bin") -> tuple[dict[str, Member], dict[str, tuple[str, ...]]]:
    """Members by path, and the findings' evidence by symbol; the last of each."""
    budget = Budget()
    members = {member.path: member for member in unpack(data, "1", name, 0, budget)}
    return members, {found.symbol: found.evidence for found in budget.findings}


def package_of(*parts: tuple[str, bytes]) -> bytes:
    """An OOXML file of these parts."""
    return make_zip(("[Content_Types].xml", b"<?xml version='1.0'?><Types/>"), *parts)


def related(kind: str, target: str, mode: str = "") -> tuple[str, bytes]:
    """A part with one relationship."""
    outside = f' TargetMode="{mode}"' if mode else ""
    kind = f"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}"
    inner = f'<Relationship Id="r1" Type="{kind}" Target="{target}"{outside}/>'
    return "word/_rels/document.xml.rels", f'<?xml version="1.0"?><Relationships>{inner}</Relationships>'.encode()


# Macros


@pytest.mark.threat("MIME-18")
def test_macro_source_comes_out() -> None:
    """The source of a module is a member, and what runs by itself or starts programs is named."""
    members, found = run(make_ole({"Macros": project(("M", OPENS)), "WordDocument": bytes(64)}))
    assert members["1/Macros/VBA/M.vba"].data == OPENS
    assert found["OFFICE_MACRO_AUTOEXEC"] == ("Document_Open", "1")
    assert found["OFFICE_MACRO_SUSPICIOUS"] == ("Shell", "1")
    assert set(found) == {"OFFICE_MACRO", "OFFICE_MACRO_AUTOEXEC", "OFFICE_MACRO_SUSPICIOUS"}


@pytest.mark.threat("MIME-18")
def test_macros_of_a_package() -> None:
    """The project inside an OOXML file is opened, whatever its name is."""
    members, found = run(package_of(("word/innocent.dat", make_ole(project(("M", OPENS))))))
    assert members["1/word/innocent.dat/VBA/M.vba"].data == OPENS
    assert "OFFICE_MACRO_AUTOEXEC" in found


def test_harmless_macro() -> None:
    """A macro that does little is only said to be there."""
    assert set(run(make_ole(project(("M", HARMLESS))))[1]) == {"OFFICE_MACRO"}


def test_module_with_a_wrong_offset() -> None:
    """A source is found by its beginning where the list of modules lies."""
    streams = project(("M", OPENS), offset=4)
    vba = streams["VBA"]
    assert not isinstance(vba, bytes)
    moved = {**vba, "M": bytes(300) + compress(OPENS)}
    body = b"\0Attribut" + b"\0" + OPENS[8:16]
    moved["M"] = bytes(300) + b"\x01" + struct.pack("<H", len(body) - 1 | 0xB000) + body
    members, found = run(make_ole({"VBA": moved}))
    assert members["1/VBA/M.vba"].data == OPENS[:16]
    assert "UNSCANNABLE_DOCUMENT" not in found


def test_module_without_source() -> None:
    """A module whose source is gone runs its compiled form: nobody can say what it does."""
    streams = project(("M", OPENS))
    vba = streams["VBA"]
    assert not isinstance(vba, bytes)
    assert "UNSCANNABLE_DOCUMENT" in run(make_ole({"VBA": {**vba, "M": bytes(900)}}))[1]


def test_decompression() -> None:
    """The example of MS-OVBA, section 3.2.3: copies that overlap themselves."""
    packed = bytes.fromhex("0103b002614500")
    assert decompress(packed) == b"a" + b"a" * 72


def test_macros_of_a_presentation() -> None:
    """Objects of a presentation are deflated records."""
    members, found = run(make_ole({"PowerPoint Document": slide_object(make_ole(project(("M", OPENS))))}))
    assert members["1/object-1/VBA/M.vba"].data == OPENS
    assert "OFFICE_MACRO_AUTOEXEC" in found


@pytest.mark.parametrize("hidden", [0, 1, 2])
def test_macro_sheet(hidden: int) -> None:
    """Excel 4 macro sheets are named, with how they are hidden, and with what starts them."""
    sheet = bytes(4) + bytes([hidden, 1, 5, 0]) + b"Money"
    start = struct.pack("<HBBHHHBBBB", 0x20, 0, 1, 0, 0, 0, 0, 0, 0, 0) + b"\0\1"
    _, found = run(workbook((0x85, sheet), (0x18, start)))
    assert found["OFFICE_XLM"][0].startswith("Money")
    assert ("hidden" in found["OFFICE_XLM"][0]) == bool(hidden)
    assert found["OFFICE_MACRO_AUTOEXEC"] == ("Auto_Open", "1")


def test_ordinary_sheet() -> None:
    """Other sheets are no finding."""
    assert run(workbook((0x85, bytes(6) + b"\5\0Sheet")))[1] == {}


def test_macro_sheet_of_a_package() -> None:
    """By the relationship that names it."""
    found = run(package_of(related("xlMacrosheet", "macrosheets/sheet1.xml")))[1]
    assert found["OFFICE_XLM"][0] == "macrosheets/sheet1.xml"


# DDE


@pytest.mark.parametrize("instruction", [b" DDEAUTO c:\\\\cmd.exe /k", b'"DDE" x', "DDE cmd".encode("utf-16-le")])
@pytest.mark.threat("MIME-18")
def test_field_of_a_document(instruction: bytes) -> None:
    """Fields of Word's binary documents, in one byte a character or two."""
    assert "OFFICE_DDE" in run(fields(instruction))[1]


@pytest.mark.parametrize("instruction", [b" HYPERLINK x", b" DDEX ", b" PAGE "])
def test_ordinary_field(instruction: bytes) -> None:
    """Other fields are no finding."""
    assert run(fields(instruction))[1] == {}


BEGIN = b'<w:fldChar w:fldCharType="begin"/>'
END = b'<w:fldChar w:fldCharType="end"/>'


@pytest.mark.parametrize(
    "xml",
    [
        pytest.param(BEGIN + b"<w:instrText>DDE</w:instrText><w:instrText>AUTO c:\\x</w:instrText>" + END, id="runs"),
        pytest.param(b'<w:fldSimple w:instr=" DDE &quot;cmd&quot; "/>', id="simple"),
        pytest.param(b"<w:fldSimple w:instr='&#68;&#x44;E cmd'/>", id="entities"),
        pytest.param(b"<x:fldSimple x:instr='DDE cmd'/>", id="prefix"),
        pytest.param(BEGIN + b"<w:instrText><![CDATA[DDE x]]></w:instrText>" + END, id="cdata"),
        pytest.param(BEGIN + b"<w:instrText>DD<!-- x -->E x</w:instrText>" + END, id="comment"),
        pytest.param(
            BEGIN
            + BEGIN
            + b"<w:instrText>QUOTE 68 68 69</w:instrText>"
            + END
            + b"<w:instrText> cmd</w:instrText>"
            + END,
            id="quote",
        ),
        pytest.param(BEGIN + b"<w:instrText>QUOTE 68 68 69 32 99</w:instrText>" + END, id="quoted whole"),
        pytest.param(b'<ddeLink ddeService="cmd" ddeTopic="/c calc"/>', id="workbook"),
        pytest.param(b"<Cell ss:Formula=\"=cmd|'/c calc'!A0\"/>", id="formula"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.threat("MIME-18")
def test_field_of_xml(xml: bytes, encoding: str) -> None:
    """Instructions are found however they are spread, in any encoding."""
    data = ("<?xml version='1.0'?><w:document>" + xml.decode() + "</w:document>").encode(encoding)
    assert "OFFICE_DDE" in run(package_of(("word/document.xml", data)))[1]


def test_ordinary_xml() -> None:
    """Other fields, and formulas without programs, are none."""
    xml = BEGIN + b'<w:instrText>HYPERLINK "http://x.test/DDE"</w:instrText>' + END + b'<Cell ss:Formula="=A1|B1"/>'
    assert run(package_of(("word/document.xml", b"<?xml?>" + xml)))[1] == {}


def test_binary_workbook_link() -> None:
    """Links of xlsb files."""
    words = b"".join([struct.pack("<L", len(word)) + word.encode("utf-16-le") for word in ("cmd", "/c calc")])
    part = b"\xe8\x02" + bytes([2 + len(words)]) + b"\1\0" + words
    assert run(package_of(("xl/externalLinks/e.bin", part)))[1]["OFFICE_DDE"][0] == "cmd|/c calc"


@pytest.mark.parametrize(
    "table",
    [
        b"a,b\r\n=cmd|'/C calc'!A0,2\r\n",
        b"\"=MSEXCEL|'\\..\\cmd.exe'!x\"",
        b"1;+cmd|' /C x'!A0",
        b"@SUM(cmd|'/c x'!A0)",
    ],
)
def test_formula_in_a_table(table: bytes) -> None:
    """Tables as text, where they are files; the words of a message are not looked at."""
    assert "OFFICE_DDE" in run(table, "a.csv")[1]
    assert run(table, "")[1] == {}


@pytest.mark.parametrize("table", [b"a|b|c!d\r\n1|2|3\r\n", b"=a1+b1,1\r\n", b"x,wow|great!y"])
def test_ordinary_table(table: bytes) -> None:
    """Bars and exclamation marks alone are no formula."""
    assert run(table, "a.csv")[1] == {}


# Things from elsewhere


@pytest.mark.parametrize(
    ("kind", "target", "symbol"),
    [
        ("attachedTemplate", "https://x.test/a.dotm", "OFFICE_TEMPLATE"),
        ("attachedTemplate", "\\\\host\\a.dotm", "OFFICE_TEMPLATE"),
        ("attachedTemplate", "file://host/a.dotm", "OFFICE_TEMPLATE"),
        ("attachedTemplate", "file:///C:\\Users\\me\\Normal.dotm", ""),
        ("oleObject", "mhtml:http://x.test/a!x-usc:http://x.test/a", "OFFICE_REMOTE"),
        ("frame", "h&#116;tps://x.test/", "OFFICE_REMOTE"),
        ("externalLinkPath", "Book2.xlsx", "OFFICE_EXTERNAL"),
        ("hyperlink", "https://x.test/", ""),
        ("image", "https://x.test/a.png", ""),
    ],
)
@pytest.mark.threat("MIME-18")
def test_relationship(kind: str, target: str, symbol: str) -> None:
    """What is loaded by itself is said; links and pictures are not."""
    assert set(run(package_of(related(kind, target, "External")))[1]) == ({symbol} if symbol else set())


def test_template_of_a_document() -> None:
    """Word's binary documents name their template in a list of strings."""
    strings = b"\xff\xff" + struct.pack("<HH", 18, 0)
    for word in ("", "http://x.test/a.dot"):
        strings += struct.pack("<H", len(word)) + word.encode("utf-16-le")
    head = bytearray(b"\xec\xa5" + bytes(1_022))
    struct.pack_into("<LL", head, 0x019A, 0, len(strings))
    found = run(make_ole({"WordDocument": bytes(head), "0Table": strings}))[1]
    assert found["OFFICE_TEMPLATE"][0] == "http://x.test/a.dot"


# Objects


@pytest.mark.threat("MIME-18")
def test_packaged_file() -> None:
    """A packaged file comes out under its own name."""
    members, found = run(make_ole({"ObjectPool": {"_1234567": {"\x01Ole10Native": package("a.exe", PROGRAM)}}}))
    (member,) = members.values()
    assert (member.data, member.types, "a.exe" in member.names) == (PROGRAM, ("exe",), True)
    assert found["OFFICE_EMBEDDED"][0] == "a.exe"


@pytest.mark.parametrize("place", ["http://x.test/a.hta", "\\\\host\\a.doc"])
def test_linked_object(place: str) -> None:
    """An object that lies on the network is loaded when the document is opened."""
    wide = place.encode("utf-16-le")
    linked = struct.pack("<LL", 0x02000001, 1) + bytes(40) + wide + b"\0\0"
    assert run(make_ole({"_1234567": {"\x01Ole": linked}}))[1]["OFFICE_REMOTE"][0] == place
    assert "OFFICE_REMOTE" not in run(make_ole({"\x01Ole": bytes(48) + wide}))[1]


@pytest.mark.parametrize("start", [b"<svg ", b"<html "])
@pytest.mark.threat("MIME-14")
def test_document_behind_a_drawing(start: bytes) -> None:
    """An element of another kind at the front does not hide what Word reads."""
    data = b"<?xml version='1.0'?><w:document>" + start + b"/>" + b"<w:fldSimple w:instr='DDE cmd'/></w:document>"
    assert "OFFICE_DDE" in run(package_of(("word/document.xml", data)))[1]


def test_object_of_another_kind() -> None:
    """Native data that are no package come out as they are."""
    members, _ = run(make_ole({"\x01Ole10Native": struct.pack("<L", len(PROGRAM)) + PROGRAM}))
    assert [member.data for member in members.values()] == [PROGRAM]


@pytest.mark.parametrize(
    "data",
    [
        make_ole({"_1234567": {"x": b"y"}}, {"_1234567": EQUATION}),
        make_ole({"_1234567": {"Equation Native": bytes(40)}}),
        b"{\\rtf1{\\*\\objdata " + ole1("Equation.3", bytes(40)).hex().encode() + b"}}",
    ],
)
def test_equation(data: bytes) -> None:
    """The old equation editor, by class, by stream, and in RTF."""
    assert "OFFICE_EQUATION" in run(data)[1]


def test_binary_in_xml() -> None:
    """Files in one file: flat packages, and Word 2003 with its wrapper of macros."""
    inner = base64.b64encode(make_ole(project(("M", OPENS))))
    flat = b'<?xml version="1.0"?><pkg:part pkg:name="/word/vbaProject.bin"><pkg:binaryData>' + inner
    members, found = run(flat + b"</pkg:binaryData></pkg:part>")
    assert members["1/word/vbaProject.bin/VBA/M.vba"].data == OPENS
    assert "OFFICE_MACRO_AUTOEXEC" in found


# Encryption


@pytest.mark.parametrize(
    "data",
    [
        make_ole({"EncryptionInfo": bytes(8), "EncryptedPackage": bytes(600)}),
        make_ole({"WordDocument": b"\xec\xa5" + bytes(8) + b"\0\x01" + bytes(600)}),
        workbook((0x2F, bytes(54))),
        make_ole({"PowerPoint Document": bytes(16), "Current User": bytes(12) + b"\xdf\xc4\xd1\xf3" + bytes(16)}),
    ],
    ids=["package", "document", "workbook", "presentation"],
)
@pytest.mark.threat("ZIP-04")
def test_encrypted(data: bytes) -> None:
    """Encrypted documents are said to be such, and that nobody has looked inside."""
    assert set(run(data)[1]) == {"OFFICE_ENCRYPTED", "UNSCANNABLE_ENCRYPTED"}


# Made with the key that msoffcrypto-tool derives from Excel's own password: standard encryption, AES, 128 bits.
STANDARD = bytes.fromhex(
    "04000200240000002000000024000000000000000e66000004800000800000001800000000000000000000001000000000010203"
    "0405060708090a0b0c0d0e0f1d03e90930fa24c4f70d4b1e9f5720e6140000005bab220bb9f678b367283a92ad149948d9dcc35c"
    "eb686af47a9921613e6032d4"
)
PACKAGE = bytes.fromhex("1000000000000000dcd786cbb0165971d95b701782e11b9cddcd1bac3d285c47840f9c57a412dfd8")


@pytest.mark.threat("ZIP-04")
def test_password_that_everybody_knows() -> None:
    """What Excel opens without asking is opened here, too; that it was encrypted is said all the same."""
    members, found = run(make_ole({"EncryptionInfo": STANDARD, "EncryptedPackage": PACKAGE}))
    assert members["1/decrypted"].data == b"PK\3\4 hello world"
    assert "OFFICE_ENCRYPTED" in found
    assert "UNSCANNABLE_ENCRYPTED" not in found


@pytest.mark.threat("ZIP-04")
def test_attempts_are_counted() -> None:
    """Passwords are tried as long as the message has guesses left."""
    budget = Budget(words=lambda: ("wrong",), guesses=0)
    data = make_ole({"EncryptionInfo": STANDARD, "EncryptedPackage": PACKAGE})
    assert list(unpack(data, "1", "a.docx", 0, budget)) == []
    assert "UNSCANNABLE_ENCRYPTED" in {found.symbol for found in budget.findings}


@pytest.mark.parametrize("place", [8, 28, 60, 100])
def test_broken_encryption(place: int) -> None:
    """A description that makes no sense is one of encryption all the same."""
    info = STANDARD[:place] + bytes([STANDARD[place] ^ 0xFF]) + STANDARD[place + 1 :]
    assert set(run(make_ole({"EncryptionInfo": info, "EncryptedPackage": PACKAGE}))[1]) == {
        "OFFICE_ENCRYPTED",
        "UNSCANNABLE_ENCRYPTED",
    }


def test_letters_that_base64_has_not() -> None:
    """A salt beyond ASCII is one of a description that makes no sense."""
    info = b'\4\0\4\0<keyData saltValue="\xff"/><encryptedKey spinCount="2" saltValue="\xff"/>'
    assert "UNSCANNABLE_ENCRYPTED" in run(make_ole({"EncryptionInfo": info, "EncryptedPackage": PACKAGE}))[1]


def test_workbook_alone() -> None:
    """A workbook's stream without a compound file around it, as Excel opens it, too."""
    stream = struct.pack("<HHHH", 0x809, 16, 0x600, 5) + bytes(12)
    stream += struct.pack("<HH", 0x85, 9) + bytes(5) + b"\1\1\0M"
    assert run(stream)[1]["OFFICE_XLM"] == ("M", "1")


@pytest.mark.parametrize(
    "data",
    [
        package_of(related("hyperlink", "https://x.test/", "External")),
        fields(b' HYPERLINK "https://x.test/" '),
        b"{\\rtf1{\\field{\\*\\fldinst {HYPERLINK https://x.test/}}{\\fldrslt x}}}",
    ],
)
def test_links_are_followed(data: bytes) -> None:
    """Links of a document are addresses to be judged like those of the message."""
    budget = Budget()
    list(unpack(data, "1", "a.docx", 0, budget))
    assert budget.links == ["https://x.test/"]


# RTF


def rtf(inner: bytes) -> tuple[dict[str, Member], dict[str, tuple[str, ...]]]:
    """An RTF text with this inside."""
    return run(b"{\\rtf1\\ansi hello " + inner + b"}")


HEX = ole1("Package", package("a.exe", PROGRAM)[4:]).hex().encode()


def among(junk: bytes) -> bytes:
    """The digits with something between them."""
    return b"".join([bytes([digit]) + (junk if number % 7 == 3 else b"") for number, digit in enumerate(HEX)])


@pytest.mark.parametrize("junk", [b"", b" ", b"\r\n", b"\t\0"])
@pytest.mark.threat("MIME-18")
def test_rtf_object(junk: bytes) -> None:
    """An object as Word writes it comes out, and nothing is odd about it."""
    members, found = rtf(b"{\\object{\\*\\objdata " + among(junk) + b"}}")
    assert [member.data for member in members.values()] == [PROGRAM]
    assert set(found) == {"RTF_OBJECT", "OFFICE_EMBEDDED"}


@pytest.mark.parametrize(
    "junk",
    [b"xyz", b"\\par ", b"\\'c1", b"{}", b"{\\*\\foo 0123}", b"\\foo12 ", b"{\\object}", b"\\bin0 ", b"\\~"],
)
@pytest.mark.threat("MIME-18")
def test_rtf_object_in_disguise(junk: bytes) -> None:
    """What Word skips between the digits is skipped, and said."""
    members, found = rtf(b"{\\object{\\*\\objdata " + among(junk) + b"}}")
    assert PROGRAM in [member.data for member in members.values()]
    assert "RTF_OBFUSCATED" in found


def test_rtf_binary() -> None:
    """Bytes that stand among the digits as they are."""
    raw = bytes.fromhex(HEX.decode())
    members, found = rtf(b"{\\*\\objdata " + HEX[:40] + b"\\bin%d " % (len(raw) - 20) + raw[20:] + b"}")
    assert [member.data for member in members.values()] == [PROGRAM]
    assert "RTF_OBFUSCATED" in found


def test_rtf_object_in_an_object() -> None:
    """One that begins inside another is read as well."""
    members, _ = rtf(b"{\\*\\objdata 01020304{\\*\\objdata " + HEX + b"}}")
    assert PROGRAM in [member.data for member in members.values()]


def test_rtf_without_header() -> None:
    """Data that are no object are handed out from a compound file on."""
    ole = make_ole(project(("M", OPENS)))
    members, _ = rtf(b"{\\*\\objdata " + (b"\xff" * 9 + ole).hex().encode() + b"}")
    assert members["1/object-1/VBA/M.vba"].data == OPENS


def test_rtf_links() -> None:
    """Templates and fields of RTF, spread over groups."""
    _, found = rtf(b"{\\*\\template http://x.test/a.dot}{\\field{\\*\\fldinst {DDE}{AUTO cmd}}{\\fldrslt x}}")
    assert found["OFFICE_TEMPLATE"][0] == "http://x.test/a.dot"
    assert found["OFFICE_DDE"][0] == "DDEAUTO cmd"
    assert rtf(b"{\\*\\template C:\\\\Normal.dot}{\\field{\\*\\fldinst HYPERLINK x}{\\fldrslt DDE}}")[1] == {}


# The others


@pytest.mark.threat("MIME-17")
def test_notebook() -> None:
    """Files of a notebook come out; pictures are usual."""
    members, found = run(notebook(b"\x89PNG\r\n\x1a\n" + bytes(20), PROGRAM))
    assert [member.types for member in members.values()] == [("png",), ("exe",)]
    assert found["ONENOTE_EMBEDDED"][0] == "exe"
    assert run(notebook(b"\x89PNG\r\n\x1a\n"))[1] == {}


def test_notebook_cut_short() -> None:
    """A length beyond the file is said; what is there comes out."""
    data = notebook(PROGRAM).replace(struct.pack("<Q", len(PROGRAM)), struct.pack("<Q", 1 << 40))
    members, found = run(data)
    assert bytes(members["1/file-1"].data).startswith(PROGRAM)
    assert "UNSCANNABLE_DOCUMENT" in found


@pytest.mark.threat("MIME-17")
def test_shortcut() -> None:
    """Target and arguments become text; what hangs behind is a member of its own."""
    members, found = run(shortcut("/c powershell -enc x", behind=b"MZ\x90\0" + bytes(2_000)))
    assert b"powershell -enc x" in members["1/shortcut.txt"].data
    assert members["1/appended"].types == ("exe",)
    assert "LNK_COMMAND" in found
    assert run(shortcut(""))[1] == {}


@pytest.mark.threat("MIME-09")
def test_winmail() -> None:
    """Two attachments with their long names, and the text."""
    members, found = run(winmail(("a-long-name.exe", PROGRAM), ("b.txt", b"hello")))
    assert [member.data for member in members.values()] == [b"hello", PROGRAM, b"hello"]
    assert "a-long-name.exe" in members["1/a-long-name.exe"].names
    assert found == {}


@pytest.mark.parametrize("cut", [3, 20, 40])
@pytest.mark.threat("MIME-09")
def test_winmail_cut_short(cut: int) -> None:
    """What is missing is said; what is there comes out."""
    members, found = run(winmail(("a.exe", PROGRAM))[:-cut])
    assert set(found) == {"UNSCANNABLE_DOCUMENT"}
    assert PROGRAM in [member.data for member in members.values()]


@pytest.mark.threat("MIME-09")
def test_winmail_with_an_endless_attribute() -> None:
    """A length of four billion is no length."""
    data = winmail(("a.exe", PROGRAM)) + struct.pack("<BLL", 2, 0x0006800F, 0xFFFFFFFF) + b"MZ\x90\0tail"
    members, found = run(data)
    assert b"MZ\x90\0tail" in [member.data for member in members.values()]
    assert set(found) == {"UNSCANNABLE_DOCUMENT"}


def test_outlook_message() -> None:
    """Text and attachments of an Outlook message."""
    members, found = run(outlook(("a.exe", PROGRAM)))
    assert members["1/body.txt"].data == b"hello"
    assert PROGRAM in [member.data for member in members.values()]
    assert found == {}


def test_compressed_rtf() -> None:
    """The example of MS-OXRTFCP, section 3.1.1."""
    data = "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    assert unpack_rtf(bytes.fromhex(data), 1_000) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"


@pytest.mark.threat("ZIP-08")
def test_message_as_a_file() -> None:
    """A message in an archive is read as a message."""
    eml = b"Received: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    eml += b"Content-Disposition: attachment; filename=a.exe\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    eml += base64.b64encode(PROGRAM) + b"\r\n--b--\r\n"
    members, found = run(make_zip(("m.eml", eml)))
    assert members["1/m.eml/a.exe"].data == PROGRAM
    assert found == {}
    assert list(run(make_zip(("notes.txt", b"From: me\r\nTo: you\r\n\r\nhello")))[0]) == ["1/notes.txt"]


def test_symbols() -> None:
    """No other symbols than the declared ones."""
    assert not DOCUMENTS & UNSCANNABLE
