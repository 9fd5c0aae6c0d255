"""What a document shows and holds, within limits."""

from collections.abc import Callable

import pytest

from filterd.html import Link, read_page
from filterd.html.shape import MAX_ATTRIBUTES, MAX_NESTING, PIECE, pieces, too_deep, too_many_copies, too_wide
from tests.support.growth import LINEAR, growth


def test_facts_of_a_page() -> None:
    """Text, title, links with their text, forms, passwords, scripts, sources."""
    page = read_page(
        "<html><head><title> T </title><style>p{}</style></head><body><p>Hello <b>wor</b>ld</p>"
        '<a href=" http://x.test/ ">cl<i>ick</i></a><form action="http://f.test"><input type=PASSWORD></form>'
        '<script>alert(1)</script><img src="http://i.test/a.png"><iframe src=x></iframe>'
        '<meta http-equiv=refresh content="0; url=http://r.test/">'
    )
    assert page.title == "T"
    assert page.text.split() == ["Hello", "wor", "ld", "cl", "ick"]
    assert page.links == (Link("http://x.test/", "cl ick"),)
    assert page.forms == ("http://f.test",)
    assert (page.passwords, page.frames, page.images) == (1, 1, 1)
    assert page.scripts == ("alert(1)",)
    assert "http://i.test/a.png" in page.sources
    assert page.refresh == ("0; url=http://r.test/",)
    assert page.cause == ""


@pytest.mark.parametrize(
    "style",
    [
        "display:none",
        "DISPLAY : NONE",
        "visibility:hidden",
        "font-size:0",
        "font-size: 0px",
        "opacity:0",
        "max-height:0",
    ],
)
def test_hidden_text_is_not_visible_text(style: str) -> None:
    """What an inline style hides is kept apart."""
    page = read_page(f"<p>seen</p><div style='{style}'>salad <p>more</p></div>")
    assert page.text.split() == ["seen"]
    assert page.hidden.split() == ["salad", "more"]


@pytest.mark.parametrize("style", ["font-size:0.9em", "opacity:0.5", "display:block", "line-height:0"])
def test_visible_styles_hide_nothing(style: str) -> None:
    """Fractions are no zeros."""
    assert read_page(f"<div style='{style}'>seen</div>").hidden == ""


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "<a " * n,
        lambda n: "<!--" * n,
        lambda n: "<![CDATA[" * n,
        lambda n: "<div>" * n,
        lambda n: "<a " + " ".join([f"a{i}" for i in range(n)]) + ">",
        lambda n: "<a " + " ".join([f'a{i}=">"' for i in range(n)]) + ">",
        lambda n: "<a " + "".join([f'a{i}=""' for i in range(n)]) + ">",
        lambda n: "<a" + "/".join([f"a{i}" for i in range(n)]) + ">",
        lambda n: "&" * n,
        lambda n: "<" * n,
        lambda n: "<table><tr><td>" * n,
        lambda n: "<p style=display:none>" * n,
    ],
)
@pytest.mark.threat("MIME-19")
def test_hostile_markup_gives_a_page(make: Callable[[int], str]) -> None:
    """Unclosed, nested and repeated markup gives some page, no error and no quadratic parse."""
    page = read_page(make(50_000))
    assert isinstance(page.text, str)


@pytest.mark.threat("MIME-19")
def test_too_deep_is_stripped_and_said() -> None:
    """Beyond the nesting limit text and links are still there, with the cause."""
    page = read_page("<div>" * (MAX_NESTING + 1) + 'hello <a href="http://x.test/">y</a>')
    assert page.cause == "nested too deeply"
    assert "hello" in page.text
    assert page.links == (Link("http://x.test/", ""),)


def test_shape_of_honest_pages() -> None:
    """A long document of paragraphs, cells and links is neither deep nor wide."""
    row = b"<tr><td><p>text<br><a href='http://x.test/?a=b&c=d'>link</a></td></tr>"
    data = b"<table>" + row * 5_000 + b"</table>"
    assert not too_deep(data)
    assert not too_wide(data)


def test_a_long_data_url_is_not_wide() -> None:
    """One attribute of a megabyte is one attribute."""
    assert not too_wide(b'<img src="data:image/png;base64,' + b"abc/" * 250_000 + b'">')


@pytest.mark.parametrize("quote", [b'"', b"'"])
def test_quoted_angle_brackets_hide_no_attributes(quote: bytes) -> None:
    """A > inside quotes does not end a tag."""
    tag = b"<a " + b" ".join([b"a%d=%s>%s" % (i, quote, quote) for i in range(MAX_ATTRIBUTES + 10)]) + b">"
    assert too_wide(tag)


@pytest.mark.parametrize(
    "head",
    [
        b'<!-- <a x=" --><a ',
        b"<!-- <a x=' --><a ",
        b'<script><a x="</script><a ',
        b'<a b=">"><a ',
        b'<a x=a" y="b> " ',
        b'<a x=a=" y=" z> " ',
    ],
    ids=repr,
)
@pytest.mark.threat("MIME-19")
def test_attributes_are_counted_whatever_stands_before(head: bytes) -> None:
    """Quotes in comments, scripts and bare values do not put a tag's attributes out of sight."""
    attributes = b" ".join([b"a%d" % number for number in range(MAX_ATTRIBUTES + 10)])
    assert too_wide(head + attributes + b' y=">">' + bytes(8_192))


@pytest.mark.parametrize(
    "pattern",
    ["<div><!--</div>-->", "<div x='</div>'>", "<div><style></div></style>", "<div><table></div></table>"],
)
@pytest.mark.threat("MIME-19")
def test_end_tags_that_end_nothing(pattern: str) -> None:
    """Nesting that ends only where no parser looks is parsed in linear time."""

    def build(size: int) -> Callable[[], object]:
        html = pattern * size
        return lambda: read_page(html)

    assert growth(build, 4_000) <= LINEAR


@pytest.mark.threat("MIME-19")
def test_formatting_that_is_opened_again_and_again() -> None:
    """A paragraph behind a thousand open formatting elements has them all inside: not for very many paragraphs."""
    fonts = "".join([f"<font a{number}>" for number in range(1_000)])
    html = f"<p>{fonts}" + "<p>x" * 1_000 + "<a href='http://x.test/'>y</a>"
    assert too_many_copies(html.encode())
    page = read_page(html)
    assert page.text.split() == ["x"] * 1_000 + ["y"]
    assert page.links == (Link("http://x.test/", "y"),)
    assert page.cause == ""


@pytest.mark.parametrize("tag", ["<font size=2>", "<a href=x>", "<b>", "<i title='a>b'>"])
def test_honest_formatting_makes_no_copies(tag: str) -> None:
    """The same tag over and over is kept three times, a link once; two hundred others are few."""
    count = 200 if "'" in tag else 3_000
    assert not too_many_copies(tag.encode() * count + b"<p>" * 1_000)


@pytest.mark.threat("MIME-19")
def test_a_document_in_pieces_is_one_page() -> None:
    """Facts of all pieces are there; what a cut hides is found by a raw look."""
    row = "<div><p>x<a href='http://x.test/'>y</a><form action=f></form><img src=i></div>"
    html = "<title>T</title>" + row * 3_000 + "<!-- <a href='http://z.test/'>"
    assert len(list(pieces(html.encode()))) == html.count("<") // PIECE + 1
    page = read_page(html)
    assert page.text.split().count("x") == 3_000
    assert len(page.links) == 3_001
    assert page.links[-1] == Link("http://z.test/", "")
    assert (page.title, len(page.forms), page.images) == ("T", 1_000, 3_000)


@pytest.mark.threat("MIME-19")
def test_links_within_links() -> None:
    """A long text inside a thousand links is not read a thousand times."""

    def build(size: int) -> Callable[[], object]:
        html = "<object><a href=x>" * (size // 100) + "x " * (10 * size)
        return lambda: read_page(html)

    assert growth(build, 20_000) <= LINEAR


def test_scripts_within_scripts() -> None:
    """In SVG scripts nest: their text is kept once."""
    page = read_page("<svg>" + "<script>" * 1_000 + "alert(1) " * 10_000)
    assert sum(map(len, page.scripts)) <= 1_000_000
    assert any("alert(1)" in script for script in page.scripts)
