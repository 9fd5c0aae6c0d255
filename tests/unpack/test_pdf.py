"""PDF documents: what they do, where they lead, what is inside, and that nothing hostile raises."""

import base64
import io
import zipfile
import zlib
from typing import Any, Final, Literal

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Encryption, Name, Pdf, Stream, String

from filterd.unpack import Budget, Member, unpack
from filterd.unpack import pdf as module
from filterd.unpack.pdf_pictures import MAX_PLAIN
from tests.support.pdfs import action, annotated, form, holding, make_pdf, on_open, picture, script_stream, uri
from tests.support.pictures import LINK, code

PROGRAM: Final = b"MZ\x90\0\x03"


def run(data: bytes, budget: Budget | None = None, name: str = "a.pdf") -> tuple[list[Member], Budget]:
    """Members, and the budget with what else was found."""
    used = budget or Budget()
    return list(unpack(data, "1", name, 0, used)), used


def symbols(budget: Budget) -> set[str]:
    """The symbols of the findings."""
    return {found.symbol for found in budget.findings}


@pytest.mark.parametrize("packed", [True, False])
def test_an_empty_page_says_nothing(packed: bool) -> None:  # noqa: FBT001  # a parameter
    """An honest document has no findings and no members."""
    members, budget = run(make_pdf(packed=packed))
    assert (members, budget.findings, budget.links, budget.codes) == ([], [], [], [])


CASES: Final = {
    "stream": (script_stream(b"app.alert(1)"), {"PDF_JAVASCRIPT", "PDF_OPEN_ACTION"}),
    "string": (annotated(action("JavaScript", JS=String("app.alert(1)"))), {"PDF_JAVASCRIPT"}),
    "rendition": (annotated(action("Rendition", JS=String("app.alert(1)"))), {"PDF_JAVASCRIPT"}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.threat("MIME-18")
def test_scripts_are_found_and_handed_out(case: str, packed: bool) -> None:  # noqa: FBT001  # a parameter
    """In strings and streams, in object streams or not."""
    change, expected = CASES[case]
    members, budget = run(make_pdf(change, packed=packed))
    assert [(member.path, member.data) for member in members] == [("1/script-1", b"app.alert(1)")]
    assert symbols(budget) == expected


@pytest.mark.threat("MIME-18")
def test_names_written_in_another_way_are_the_same() -> None:
    """/J#53 is /JS (ISO 32000-2, 7.3.5)."""
    data = make_pdf(annotated(action("JavaScript", JS=String("app.alert(1)"))), packed=False)
    assert b"/JS" in data
    members, _ = run(data.replace(b"/JS", b"/J#53"))
    assert [member.data for member in members] == [b"app.alert(1)"]


@pytest.mark.parametrize(
    ("done", "symbol", "evidence"),
    [
        (action("Launch", F=String("calc.exe")), "PDF_LAUNCH", "calc.exe"),
        (action("Launch", Win=Dictionary(F=String("cmd.exe"), P=String("/c x"))), "PDF_LAUNCH", "cmd.exe /c x"),
        (
            action("SubmitForm", F=Dictionary(FS=Name.URL, F=String("http://f.test/"))),
            "PDF_FORM_SUBMIT",
            "http://f.test/",
        ),
        (action("GoToR", F=String("\\\\host\\share\\x.pdf")), "PDF_REMOTE_FILE", "\\\\host\\share\\x.pdf"),
        (action("ImportData", F=String("http://d.test/x.fdf")), "PDF_REMOTE_FILE", "http://d.test/x.fdf"),
    ],
)
@pytest.mark.threat("MIME-18")
def test_actions(done: Dictionary, symbol: str, evidence: str) -> None:
    """Programs that are started, forms that are sent, files of other machines."""
    _, budget = run(make_pdf(annotated(done)))
    assert [(found.symbol, found.evidence[0]) for found in budget.findings] == [(symbol, evidence)]


@pytest.mark.threat("MIME-18")
def test_actions_that_come_by_themselves() -> None:
    """When the document is opened, or by an event on a page; a jump to a page is none."""

    def on_page(pdf: Pdf) -> None:
        pdf.pages[0].obj.AA = Dictionary(O=action("URI", URI=String("http://x.test/")))

    assert symbols(run(make_pdf(on_page))[1]) == {"PDF_OPEN_ACTION"}
    assert symbols(run(make_pdf(on_open(action("URI", URI=String("http://x.test/")))))[1]) == {"PDF_OPEN_ACTION"}
    assert symbols(run(make_pdf(on_open(action("GoTo", D=Array([0, Name.Fit])))))[1]) == set()


def test_addresses_go_to_those_who_look_at_urls() -> None:
    """Links of pages, the base of relative ones, and where forms are sent."""

    def base(pdf: Pdf) -> None:
        pdf.Root.URI = Dictionary(Base=String("http://base.test/"))

    xfa = form(b"<x><submit target='http://xfa.test/'/></x>")
    _, budget = run(make_pdf(uri("http://x.test/a"), base, xfa))
    assert set(budget.links) == {"http://x.test/a", "http://base.test/", "http://xfa.test/"}
    assert symbols(budget) == {"PDF_XFA", "PDF_FORM_SUBMIT"}


@pytest.mark.threat("MIME-18", "ZIP-08")
def test_files_inside_go_through_the_funnel() -> None:
    """An archive in a document in an archive is opened, each with its path and names."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("setup.exe", PROGRAM)
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("a.pdf", make_pdf(holding("b.zip", inner.getvalue())))
    members, budget = run(outer.getvalue(), name="o.zip")
    assert [(member.path, member.types[0], member.depth) for member in members] == [
        ("1/a.pdf", "pdf", 1),
        ("1/a.pdf/b.zip", "zip", 2),
        ("1/a.pdf/b.zip/setup.exe", "exe", 3),
    ]
    assert symbols(budget) == {"PDF_EMBEDDED_FILE"}


@pytest.mark.parametrize(
    ("filters", "raw"),
    [
        ([Name.ASCIIHexDecode], PROGRAM.hex().encode() + b">"),
        ([Name.ASCII85Decode, Name.FlateDecode], base64.a85encode(zlib.compress(PROGRAM)) + b"~>"),
        ([Name.RunLengthDecode], bytes([len(PROGRAM) - 1]) + PROGRAM + b"\x80"),
    ],
)
@pytest.mark.threat("MIME-18")
def test_a_file_that_nothing_names_under_any_filter(filters: list[Name], raw: bytes) -> None:
    """A stream that calls itself an embedded file is one."""

    def change(pdf: Pdf) -> None:
        stream = Stream(pdf, b"", Type=Name.EmbeddedFile)
        stream.write(raw, filter=Array(filters))
        pdf.Root.X = stream

    members, budget = run(make_pdf(change, compress=False))
    assert [member.data for member in members] == [PROGRAM]
    assert symbols(budget) == {"PDF_EMBEDDED_FILE"}


@pytest.mark.filterwarnings("ignore:Encryption R=5 is deprecated")  # which keeps nobody from using it
@pytest.mark.parametrize("revision", [2, 3, 4, 5, 6])
@pytest.mark.threat("ZIP-04")
def test_encryption(revision: Literal[2, 3, 4, 5, 6]) -> None:
    """With an empty password it is read, and no random numbers are asked for; with another one it is unscannable."""
    for user, expected in (("", [PROGRAM]), ("u", [])):
        how = Encryption(owner="o", user=user, R=revision, metadata=revision > 3, aes=revision > 3)
        members, budget = run(make_pdf(holding("a.exe", PROGRAM), encryption=how))
        assert [member.data for member in members] == expected
        assert symbols(budget) == {"PDF_ENCRYPTED", "PDF_EMBEDDED_FILE" if expected else "UNSCANNABLE_ENCRYPTED"}


@pytest.mark.threat("MIME-18")
def test_damage_is_mended_and_said() -> None:
    """As readers do; what cannot be mended is unscannable."""
    data = make_pdf(holding("a.exe", PROGRAM), packed=False)
    members, budget = run(data.replace(b"startxref", b"startxxxx"))
    assert [member.data for member in members] == [PROGRAM]
    assert "PDF_DAMAGED" in symbols(budget)
    members, budget = run(data[:60])
    assert (members, symbols(budget)) == ([], {"UNSCANNABLE_DOCUMENT"})


def test_a_text_that_speaks_of_the_format_is_none() -> None:
    """Neither the mark alone nor an object in a sentence makes a text unscannable."""
    for text in (b"A file begins with %PDF-1.7.", b"It has %PDF-1.7 and 1 0 obj << >> endobj in it.", b"%PDF-1.7"):
        assert symbols(run(text, name="a.txt")[1]) == set()


@pytest.mark.threat("MIME-14", "ZIP-08")
def test_polyglots() -> None:
    """A document that is a picture, or has a zip behind it, is read as both and said."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.exe", PROGRAM)
    members, budget = run(make_pdf() + archive.getvalue())
    assert [member.path for member in members] == ["1/a.exe"]
    assert "PDF_POLYGLOT" in symbols(budget)
    members, budget = run(b"GIF89a" + bytes(50) + make_pdf(holding("a.exe", PROGRAM)))
    assert [member.path for member in members] == ["1/a.exe"]
    assert "PDF_POLYGLOT" in symbols(budget)


@pytest.mark.threat("ZIP-01")
def test_a_bomb_inside_stops_at_the_ratio() -> None:
    """An embedded file that grows a thousandfold."""
    members, budget = run(make_pdf(holding("zero", bytes(20_000_000))))
    assert symbols(budget) == {"PDF_EMBEDDED_FILE", "UNSCANNABLE_BOMB"}
    assert len(members[0].data) < 5_000_000


@pytest.mark.threat("ZIP-01")
def test_a_bomb_of_objects_is_said() -> None:
    """A stream of objects that qpdf does not inflate is not one without objects."""
    data = make_pdf(lambda pdf: pdf.Root.update(Dictionary(X=pdf.make_indirect(String("x" * 5_000_000)))))
    assert symbols(run(data)[1]) & {"UNSCANNABLE_BOMB", "UNSCANNABLE_DOCUMENT"}


@pytest.mark.threat("ZIP-01")
def test_objects_beyond_the_limit_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document of which only a part was looked at is unscannable."""
    monkeypatch.setattr(module, "MAX_OBJECTS", 3)
    assert symbols(run(make_pdf())[1]) == {"UNSCANNABLE_DOCUMENT"}


@pytest.mark.parametrize("value", [7, True, String("x"), Name.X, Array([1])])
def test_objects_of_every_kind_are_passed_by(value: Any) -> None:
    """A number that is an object of its own does not end the look at those behind it."""

    def change(pdf: Pdf) -> None:
        pdf.Root.A = pdf.make_indirect(value)
        script_stream(b"app.alert(1)")(pdf)

    members, budget = run(make_pdf(change))
    assert [member.data for member in members] == [b"app.alert(1)"]
    assert symbols(budget) == {"PDF_JAVASCRIPT", "PDF_OPEN_ACTION"}


def test_the_same_stream_under_many_names_is_handed_out_once() -> None:
    """Specifications by the thousand may share their stream."""

    def change(pdf: Pdf) -> None:
        stream = Stream(pdf, PROGRAM)
        specs = [Dictionary(Type=Name.Filespec, F=String(f"{n}.exe"), EF=Dictionary(F=stream)) for n in range(50)]
        pdf.Root.X = Array([pdf.make_indirect(spec) for spec in specs])

    members, budget = run(make_pdf(change))
    assert len(members) == 1
    assert len(budget.findings) == 1


@pytest.mark.parametrize("value", [1, True, None, "x", [], [[]], {}, 1.5])
@pytest.mark.parametrize("key", ["/JS", "/EF", "/XFA", "/AA", "/URI", "/S", "/F", "/OpenAction", "/Type", "/Names"])
def test_values_of_the_wrong_type(key: str, value: object) -> None:
    """Nothing in a document has to be what the standard says."""

    def change(pdf: Pdf) -> None:
        pdf.Root[key] = (
            pikepdf.Array(value) if isinstance(value, list) else pikepdf.Dictionary() if value == {} else value
        )
        pdf.Root.Y = Dictionary(S=Name.Launch, EF=Dictionary(F=Array([])), JS=Dictionary(), XFA=Array([1, Name.X]))

    try:
        data = make_pdf(change)
    except (ValueError, TypeError):
        return  # not even pikepdf writes this
    run(data)


def test_codes_in_pictures_of_documents() -> None:
    """A letter that is a picture with a code in it."""
    drawn = code()
    _, budget = run(make_pdf(picture(*drawn.size, drawn.tobytes())))
    assert [text for text, _ in budget.codes] == [LINK]


@pytest.mark.parametrize("size", [1_400, 1_600])
def test_large_pictures_hide_nothing(size: int) -> None:
    """A picture that becomes longer than objects may be is no bomb, whether it is looked at or not."""
    _, budget = run(make_pdf(picture(size, size, bytes(range(256)) * (size * size // 256 + 1))))
    assert symbols(budget) == ({"IMAGE_UNREAD"} if size * size > MAX_PLAIN else set())


def test_a_picture_that_lies_about_its_size_is_no_bomb() -> None:
    """Its stream is longer than its lines: no reader shows the rest."""
    _, budget = run(make_pdf(picture(100, 100, bytes(9_000_000))))
    assert symbols(budget) == set()


@pytest.mark.threat("ZIP-01")
def test_time_is_shared_with_the_message() -> None:
    """A document that takes the message's time is not read to its end, which is said."""
    _, budget = run(make_pdf(script_stream(b"x")), Budget(until=1.0, clock=lambda: 2.0))
    assert "UNSCANNABLE_BOMB" in symbols(budget)
