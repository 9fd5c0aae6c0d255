"""What a document shows and holds, within limits."""

from collections.abc import Callable

import pytest

from filterd.html import Link, read_page
from filterd.html.shape import MAX_ATTRIBUTES, MAX_NESTING, too_deep, too_wide


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
