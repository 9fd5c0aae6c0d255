"""PDF documents, pictures and active HTML. Invariant: any bytes give members within the budget, findings and text."""

import base64
from dataclasses import replace
from typing import Final

import pytest
from pikepdf import Dictionary, Encryption, String

from filterd.html.payloads import carried
from filterd.html.svg import read_drawing
from filterd.mime.symbols import AMBIGUOUS, DOCUMENTS, UNSCANNABLE
from filterd.unpack import Budget, Member, unpack
from filterd.unpack.budget import MAX_FILES, MAX_LINKS
from tests.fuzz.corpus import bodies, make_zip
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill
from tests.support.pdfs import action, annotated, form, holding, make_pdf, picture, script_stream, uri
from tests.support.pictures import code, saved

SMALL: Final = 4_000_000  # bytes that one input may become here
INNER: Final = make_zip(("c.exe", b"MZ\x90\0inner"))
TEXT: Final = base64.b64encode(INNER)
CODE: Final = code(scale=2)
CHANGES: Final = (
    script_stream(b"app.alert(1)"),
    uri("http://x.test/"),
    annotated(action("Launch", F=Dictionary(F=String("a.exe")))),
    holding("in.zip", INNER),
    form(b"<x><script/></x>"),
    picture(*CODE.size, CODE.tobytes()),
)
DOCUMENT_SEEDS: Final = (
    *[make_pdf(change, packed=False) for change in CHANGES],
    make_pdf(*CHANGES),
    make_pdf(*CHANGES, packed=False, compress=False),
    make_pdf(holding("in.zip", INNER), encryption=Encryption(owner="o", user="")),
    make_pdf(holding("in.zip", INNER), encryption=Encryption(owner="o", user="", R=4)),
)
DOCUMENT_TOKENS: Final = (
    *b"<< >> [ ] ( ) obj endobj stream endstream xref trailer startxref %%EOF /Root /JS /EF /XFA /AA /S /F /UF".split(),
    *b"/OpenAction /Filter /FlateDecode /ASCIIHexDecode /DecodeParms /Length /Type /ObjStm /XRef /Encrypt".split(),
    *b"/URI /Width /Names /Kids /EmbeddedFile /Image 0 -1 99999999999 R null true %PDF-1.7".split(),
    b"1 0 R",
    b"\n",
    b" ",
    b"#53",
)
PICTURE_SEEDS: Final = tuple([saved(CODE, shape) for shape in ("PNG", "JPEG", "GIF", "BMP", "WEBP")])
PAGE_SEEDS: Final = (
    b"<html><a href='data:application/zip;base64," + TEXT + b"' download='a.zip'>",
    b"<html><script>var b=new Blob([atob('" + TEXT[:60] + b"' + '" + TEXT[60:] + b"')]);a.download='x.exe'</script>",
    b"<html><script>new Uint8Array([" + ",".join(map(str, INNER)).encode() + b"])</script>",
    b"<html><script>unescape('" + "".join([f"%{byte:02x}" for byte in INNER]).encode() + b"')</script>",
    b"<svg xmlns='x'><script>1</script><image xlink:href='http://i.test/'/><rect onload='x'/></svg>",
)
PAGE_TOKENS: Final = (
    b"data:",
    b"data:text/html,",
    b";base64,",
    b"atob(",
    b"new Blob",
    b"'",
    b'"',
    b"+",
    b"'+'",
    b"%41",
    b"\\x41",
    b"0x41,",
    b"65,",
    b"<svg>",
    b"<script>",
    b"<!ENTITY x '<'>",
    b"=",
    b"\xff\xfe",
    TEXT,
)


def opened(data: bytes, name: str) -> tuple[list[Member], Budget]:
    """Members under a small budget."""
    budget = Budget(bytes=SMALL, pixels=200_000)
    return list(unpack(data, "1", name, 0, budget, "text/html" if name else "")), budget


def check(data: bytes) -> None:
    """The same twice, within the budget, in text that can be written."""
    for name in ("a.html", ""):
        members, budget = opened(data, name)
        again, other = opened(data, name)
        assert members == again
        assert (budget.findings, budget.links, budget.codes) == (other.findings, other.links, other.codes)
        assert len(members) <= MAX_FILES
        assert sum([len(one.data) for one in members]) <= SMALL
        assert len(budget.links) <= MAX_LINKS + 1
        symbols = {found.symbol for found in budget.findings}
        assert all(symbol in AMBIGUOUS | UNSCANNABLE | DOCUMENTS for symbol in symbols), symbols
        texts = [text for found in budget.findings for text in found.evidence]
        "".join([*texts, *budget.links, *[text for text, _ in budget.codes]]).encode("utf-8", "surrogatepass")
        "".join(texts).encode()


PDF: Final = Target("pdf", check, DOCUMENT_SEEDS, DOCUMENT_TOKENS, runs=1_500, largest=16_384)
PICTURE: Final = Target("picture", check, PICTURE_SEEDS, runs=500, largest=65_536)
PAGE: Final = Target("active", check, PAGE_SEEDS, PAGE_TOKENS, runs=600, largest=16_384)


@pytest.mark.threat("MIME-18")
@pytest.mark.parametrize("target", [PDF, PICTURE, PAGE], ids=lambda target: target.name)
def test_any_bytes(target: Target) -> None:
    """The invariant over mutants of small documents."""
    fuzz(target)


@pytest.mark.threat("MIME-16")
def test_mutants_of_real_pages(mail: tuple[bytes, ...]) -> None:
    """The same over mutants of HTML in real mail."""
    fuzz(replace(PAGE, name="real-active", seeds=bodies(mail, "text/html"), runs=150))


@pytest.mark.threat("MIME-16", "MIME-19")
@pytest.mark.parametrize(
    "pattern",
    [
        b"data:a/b,",
        b"data:a/b;base64,",
        b"'data:a/b,",
        b"=data:a/b,",
        b"data:;;;;;;;;",
        b"data:" + b";a=b" * 8,
        b"data:a/",
        b"A" * 63 + b" ",
        b"A",
        b"A=",
        b"41",
        b"\\x41",
        b"\\x4",
        b"%41",
        b"'%41%41%41%41%41%41%41%41%41%41%41%41%41%41%41%41%41%41%41%41%41%41%41",
        b"65,",
        b"65,x",
        b"1 , " * 30 + b"x",
        b"0x41,",
        b"'+'",
        b"' + ",
        b'"',
        b"download='",
        b"download = ",
        b"\\\n",
    ],
    ids=repr,
)
def test_the_worst_pages_are_linear(pattern: bytes) -> None:
    """Repeated, unfinished and nearly matching payloads cost time by their length."""
    assert_linear(carried, fill(pattern, b"<script>atob(createObjectURL data:download "), 100_000)


@pytest.mark.threat("MIME-16", "MIME-19")
@pytest.mark.parametrize(
    "pattern",
    [
        b"<svg",
        b"<a:script",
        b"<aaaaaaaaaa",
        b" on",
        b" onload ",
        b" onaaaa= ",
        b"<!ENTITY ",
        b"<!ENTITY a '",
        b"href='",
        b"href = 'http:",
        b"&#106",
    ],
    ids=repr,
)
def test_the_worst_drawings_are_linear(pattern: bytes) -> None:
    """Tags and references that do not end."""
    assert_linear(read_drawing, fill(pattern, b"<svg>"), 100_000)


@pytest.mark.threat("MIME-18")
@pytest.mark.parametrize(
    "pattern",
    [
        b"1 0 obj\n",
        b"%d 0 obj<</JS(x)>>endobj\n",
        b"<<",
        b"[",
        b"(",
        b"stream\n",
        b"endstream ",
        b"1 0 obj<<>>stream\nendstream endobj\n",
        b"startxref\n0\n",
        b"xref\n0 1\n",
        b"trailer<</Root 1 0 R>>\n",
        b"/Filter/Standard ",
        b"obj/Filter/Standard ",
    ],
    ids=repr,
)
def test_the_worst_documents_are_linear(pattern: bytes) -> None:
    """What has to be mended everywhere costs time by its length."""
    assert_linear(
        lambda data: list(unpack(data, "1", "", 0, Budget())),
        fill(pattern, DOCUMENT_SEEDS[0][:-60]),
        60_000,
    )
