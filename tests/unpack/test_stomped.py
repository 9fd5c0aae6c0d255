"""Macros whose compiled form is another than their source, and Excel 4 macro sheets wherever they are hidden."""

import struct
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from filterd.unpack import Budget, detect, unpack
from filterd.unpack.ole import open_compound
from filterd.unpack.vba import EMPTY, SMALLEST, stomped
from tests.unpack.compound import Tree, compress, make_ole, project, workbook
from tests.unpack.test_documents import HARMLESS, OPENS, package_of, related

SHELLS = b"\x20\x00\xb9\x00\x0d\x00WScript.Shell\x00\x24\x00" * 3  # texts as they stand in a compiled module
DECLARED = (
    b'Attribute VB_Name = "ThisDocument"\r\nAttribute VB_Base = "1Normal.ThisDocument"\r\n\r\nOption Explicit\r\n'
)


SOURCE = 976  # where that of a module of the real document begins


def found(data: bytes) -> dict[str, tuple[str, ...]]:
    """Evidence by symbol; the last of each."""
    budget = Budget()
    list(unpack(data, "1", "a.bin", 0, budget))
    return {finding.symbol: finding.evidence for finding in budget.findings}


def compiled(source: bytes, form: bytes) -> bytes:
    """A document with one module: so much compiled form, and its source behind it."""
    listed = project(("M", source), offset=len(form))["VBA"]
    assert not isinstance(listed, bytes)
    module: Tree = {**listed, "M": form + (compress(source) if source else b"")}
    return make_ole({"Macros": {"VBA": module}, "WordDocument": bytes(64)})


@pytest.mark.threat("MIME-18")
@pytest.mark.parametrize(
    ("source", "form", "why"),
    [
        (b"", b"\xfe\xca" * 600, "M: compiled, and no source"),
        (DECLARED, b"\xfe\xca" * 2_000, "M: compiled, and a source without code"),
        (HARMLESS, b"\xfe\xca" * 200 + SHELLS, "M: compiled with WScript.Shell, which its source has not"),
    ],
    ids=["taken away", "emptied", "replaced"],
)
def test_a_stomped_module_is_named(source: bytes, form: bytes, why: str) -> None:
    """The source was taken away, emptied, or replaced by a harmless one: it weighs little, and what is gone is held."""
    symbols = found(compiled(source, form))
    assert symbols["OFFICE_VBA_STOMPED"] == (why, "1")
    assert ("UNSCANNABLE_DOCUMENT" in symbols) == (not source)


@pytest.mark.parametrize(
    ("source", "form"),
    [
        (OPENS, b"\xfe\xca" * 5_000),
        (DECLARED, b"\xfe\xca" * 500),
        (b'Attribute VB_Name = "M"\r\nSub A()\r\nCreateObject "wscript.shell"\r\nEnd Sub\r\n', SHELLS),
        (HARMLESS, b""),
    ],
    ids=["code", "a module without code", "the same words", "purged"],
)
def test_an_honest_module_is_not(source: bytes, form: bytes) -> None:
    """What the editor writes: compiled beside its source, empty modules, and documents without compiled form."""
    assert "OFFICE_VBA_STOMPED" not in found(compiled(source, form))


def test_bounds_between_forms() -> None:
    """A stream too small for a procedure, one of zeros, and the largest compiled form of an empty module."""
    assert stomped(b"\xfe" * (SMALLEST - 1), 0, b"") == ""
    assert stomped(b"\xfe" * SMALLEST, 0, b"") != ""
    assert stomped(bytes(10_000), 0, b"") == ""
    assert stomped(b"\xfe" * EMPTY, EMPTY - 1, DECLARED) == ""
    assert stomped(b"\xfe" * EMPTY, EMPTY, DECLARED) != ""


def test_a_real_document_that_is_stomped(shared: Path) -> None:
    """As a tool does it: the compiled form of the module stays, the source behind it becomes zeros."""
    path = shared / "data" / "attachments" / "oletools" / "test-data" / "oleform" / "oleform-PR314.docm"
    with zipfile.ZipFile(path) as document:
        data = document.read("word/vbaProject.bin")
    assert "OFFICE_VBA_STOMPED" not in found(data)
    module = next(entry for entry in open_compound(data).entries if entry.name == "NewMacros")
    content = open_compound(data).read(module)
    place = data.index(content[SOURCE : SOURCE + 40])
    assert found(data[:place] + bytes(40) + data[place + 40 :])["OFFICE_VBA_STOMPED"][0].startswith("NewMacros: ")


# Excel 4 macros


@pytest.mark.threat("MIME-18")
@pytest.mark.parametrize("state", ["visible", "hidden", "veryHidden"])
@pytest.mark.parametrize("kind", ["xlMacrosheet", "xlIntlMacrosheet"])
@pytest.mark.parametrize("suffix", ["xml", "bin"])
def test_macro_sheets_of_packages_are_named_however_hidden(state: str, kind: str, suffix: str) -> None:
    """Of xlsm and xlsb, in all languages: the relationship names the sheet, whatever the workbook says of it."""
    sheets = f'<?xml version="1.0"?><workbook><sheets><sheet name="M" state="{state}" r:id="r1"/></sheets></workbook>'
    data = package_of(("xl/workbook.xml", sheets.encode()), related(kind, f"macrosheets/sheet1.{suffix}"))
    assert found(data)["OFFICE_XLM"][0] == f"macrosheets/sheet1.{suffix}"


@pytest.mark.threat("MIME-18")
def test_a_macro_sheet_that_no_relationship_names_is_named() -> None:
    """By its own first element."""
    xml = b'<?xml version="1.0"?>\r\n<xm:macrosheet xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main"/>'
    assert found(package_of(("xl/macrosheets/sheet1.xml", xml)))["OFFICE_XLM"][0] == "macrosheet"
    quoted = b"<?xml version='1.0'?><a>" + b" " * 5_000 + b"<macrosheet />"
    assert "OFFICE_XLM" not in found(package_of(("xl/a.xml", quoted)))


@pytest.mark.threat("MIME-18")
@pytest.mark.parametrize(("hidden", "word"), [(1, "(hidden)"), (2, "(very hidden)")])
def test_hidden_macro_sheets_say_how(hidden: int, word: str) -> None:
    """A sheet that Excel's menus do not show is there for no reader."""
    sheet = bytes(4) + bytes([hidden, 1, 5, 0]) + b"Money"
    assert found(workbook((0x85, sheet)))["OFFICE_XLM"][0] == f"Money {word}"


@pytest.mark.threat("MIME-18")
def test_a_macro_sheet_that_is_listed_as_another_is_named() -> None:
    """The list of sheets may lie; the beginning of the sheet itself says what it holds."""
    listed = bytes(4) + bytes([0, 0, 5, 0]) + b"Money"
    begin = b"\x00\x06\x40\x00" + bytes(12)
    assert found(workbook((0x85, listed), (0x809, begin)))["OFFICE_XLM"][0] == "a macro sheet that nothing lists"
    assert "OFFICE_XLM" not in found(workbook((0x85, listed), (0x809, b"\x00\x06\x10\x00" + bytes(12))))


@pytest.mark.threat("MIME-18")
@pytest.mark.parametrize(("record", "size"), [(0x009, 4), (0x209, 6), (0x409, 6)])
def test_macro_sheets_of_the_oldest_excel_are_named(record: int, size: int) -> None:
    """A file of Excel 2 to 4 is one sheet, and Excel opens it; other sheets of it are no finding."""

    def sheet(kind: int) -> bytes:
        return struct.pack("<HHHH", record, size, record >> 8, kind).ljust(4 + size, b"\0") + b"\x0a\0\0\0"

    assert detect(sheet(0x40)) == ("biff",)
    assert "OFFICE_XLM" in found(sheet(0x40))
    assert found(sheet(0x10)) == {}
    assert detect(sheet(0x77)) == ("data",)


@pytest.mark.threat("MIME-18")
def test_macro_sheets_inside_an_archive_are_named() -> None:
    """Wherever the workbook is."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.xls", workbook((0x85, bytes(4) + b"\2\1\5\0Money")))
    assert found(out.getvalue())["OFFICE_XLM"][0] == "Money (very hidden)"
