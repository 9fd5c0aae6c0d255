"""HTML documents. Invariant: any text gives a page, within its limits and in text that can be written.

Where the document is simple enough that there is only one reading, its links and its text are all there.
"""

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.html import Link, Page, read_page
from filterd.html.page import MAX_ITEMS, MAX_LABEL, MAX_LINKS, MAX_TEXT
from filterd.html.shape import too_deep, too_wide
from tests.fuzz.corpus import bodies
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

SEEDS: Final = (
    (
        b"<html><head><title>T</title><style>p{}</style></head><body><p>Hello <b>wor</b>ld</p>"
        b'<a href=" http://x.test/ ">cl<i>ick</i></a><form action="http://f.test"><input type=password></form>'
        b'<script src="s.js">x<y</script><img src="http://i.test/a.png"><iframe src=x></iframe>'
        b'<meta http-equiv=refresh content="0; url=http://r.test/"><base href=//b.test>'
    ),
    b"<p>seen<div style='display:none'>salad<span style=\"opacity:0\">in</span></div><p>more",
    b"<table><tr><td><a href=a>1<td><a href='b'>2</a></table><!-- c --><![CDATA[ d ]]><?xml e?>",
    b"<svg><script>1</script><foreignObject><body><a xlink:href=x>y</a></foreignObject></svg>",
    b"<template><a href=hidden>x</a></template><noscript><a href=n>y</a></noscript><textarea><a href=t>",
    "<p>gr\u00fc\u00dfe &amp; &lt;x&gt; &#x41; &#0; &notin; \u202e\ufeff".encode(),
)
TOKENS: Final = (
    b"<",
    b">",
    b"</",
    b"/>",
    b"<!--",
    b"-->",
    b"--!>",
    b"<![CDATA[",
    b"]]>",
    b"<a href=",
    b"<a href='http://x.test/'>",
    b"</a>",
    b"<div>",
    b"</div>",
    b"<div style='display:none'>",
    b"<script>",
    b"</script>",
    b"<style>",
    b"<svg>",
    b"<math>",
    b"<template>",
    b"<table>",
    b"<td>",
    b"<select>",
    b"<frameset>",
    b"<plaintext>",
    b"<form action=f>",
    b"<input type=password>",
    b"<meta http-equiv=refresh content='0;url=r'>",
    b"<title>",
    b"<body>",
    b"<html>",
    b"<head>",
    b'"',
    b"'",
    b"=",
    b"&",
    b"&#x",
    b"&#55296;",
    b"\0",
    b"\xed\xa0\x80",
    b"\xff",
)


def check(data: bytes) -> None:
    """Read the bytes as text that could not be decoded cleanly."""
    html = data.decode("utf-8", "surrogateescape" if data[-1:] == b"!" else "replace")
    page = read_page(html)
    assert page == read_page(html)
    assert len(page.links) <= MAX_LINKS
    assert all(len(link.label) <= MAX_LABEL for link in page.links)
    assert max(len(page.text), len(page.title)) <= MAX_TEXT
    assert len(page.hidden) <= MAX_TEXT + len(html)
    for items in (page.forms, page.scripts, page.refresh):
        assert len(items) <= MAX_ITEMS
    assert len(page.sources) <= MAX_LINKS
    assert 0 <= page.passwords <= MAX_ITEMS
    writable(page)
    too_deep(data)
    too_wide(data)


def writable(page: Page) -> None:
    """Every text can be encoded."""
    texts = [page.text, page.title, page.hidden, page.base, page.cause, *page.forms, *page.scripts, *page.sources]
    texts += [part for link in page.links for part in (link.target, link.label)]
    "".join([*texts, *page.refresh]).encode()


TARGET: Final = Target("html", check, SEEDS, TOKENS, runs=1_500, largest=32_768)


@pytest.mark.threat("MIME-19")
def test_any_bytes() -> None:
    """The invariant over mutants of small documents."""
    fuzz(TARGET)


@pytest.mark.threat("MIME-19")
def test_mutants_of_real_documents(mail: tuple[bytes, ...]) -> None:
    """The same over mutants of real ones."""
    fuzz(replace(TARGET, name="real-html", seeds=bodies(mail, "text/html"), runs=250))


WORDS: Final = st.text("abcxyz019", min_size=1, max_size=12)
PLAIN: Final = st.sampled_from(["p", "div", "b", "span", "td", "li", "h1", "center", "font", "section"])


@given(st.lists(st.tuples(PLAIN, WORDS, WORDS, st.sampled_from(["'", '"', ""])), max_size=8))
def test_simple_documents_have_one_reading(items: list[tuple[str, str, str, str]]) -> None:
    """Every link and every word of plain markup, however it is nested and quoted."""
    html = "".join(
        [f"<{tag}>{word}<A HREF={quote}http://{host}.test/{quote}>{word}</A>" for tag, word, host, quote in items]
    )
    page = read_page(html)
    assert page.links == tuple([Link(f"http://{host}.test/", word) for _, word, host, _ in items])
    assert page.text.split() == [word for _, word, _, _ in items for _ in range(2)]
    assert page.cause == ""


@pytest.mark.threat("MIME-19")
@pytest.mark.parametrize(
    "pattern",
    [
        b"<a ",
        b"<a href=",
        b"<a b='",
        b"<a href=x>",
        b"<a href=x>y</a>",
        b"<!--",
        b"<!-->",
        b"<![CDATA[",
        b"<!",
        b"<?",
        b"</",
        b"</p>",
        b"<p>",
        b"<div>",
        b"<b><i>",
        b"<b></i>",
        b"<a><p>",
        b"<table>",
        b"<table><tr><td>",
        b"<table><a>",
        b"<form>",
        b"<select><option>",
        b"<svg>",
        b"<svg><a>",
        b"<template>",
        b"<script>",
        b"<style></style>",
        b"<title>x",
        b"<plaintext>",
        b"<font style=display:none>",
        b"<p style=display:none>x</p>",
        b"<div style='font-size:0'>x",
        b"display:none ",
        b"font-size:          ",
        b"&",
        b"&amp;",
        b"&#x41;",
        b"&notin",
        b"<",
        b">",
        b"'",
        b'="',
        b" a",
        b" a=b",
        b"/",
        b"=",
        b"\0",
        b"x ",
        b"href = x ",
        b'href="http://x.test/ ',
        b"<img src=x>",
        b"<iframe>",
        b"<nobr>",
        b"<frameset>",
        b"<li>",
        b"<dd><dt>",
        b"<ruby><rt>",
        b"<h1><h2>",
        b"<button>",
        b"<marquee>",
    ],
    ids=repr,
)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Unclosed, nested, repeated and nearly hiding markup costs time by its length."""
    assert_linear(lambda data: read_page(data.decode()), fill(pattern), 120_000)


@pytest.mark.threat("MIME-19")
@pytest.mark.parametrize("pattern", [b"<", b"'", b'="', b" a", b" a=b", b"/", b"=", b"='>'", b'"', b"<!--"], ids=repr)
def test_one_long_tag_is_linear(pattern: bytes) -> None:
    """Quotes, names, slashes and signs inside a tag that does not end."""
    assert_linear(lambda data: read_page(data.decode()), fill(pattern, b"<a "), 60_000)


@pytest.mark.threat("MIME-19")
@pytest.mark.parametrize(
    ("head", "pattern"),
    [
        (b"<div>" * 2_900, b"<p>x"),
        (b"<div>" * 2_900, b"</q>"),
        (b"<ul>" * 2_900, b"<li>"),
        (b"<object><a href=x>" * 1_400, b"x "),
        (b"<object><a href=x>" * 1_400, b"<br>"),
        (b"<table><td><a href=x>" * 1_400, b"x "),
        (b"<p>" + b"".join([b"<b a%d>" % number for number in range(2_900)]), b"<p>x"),
        (b"<div style=display:none>" * 2_900, b"x "),
        (b"<svg>" + b"<script>" * 2_900, b"x "),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_the_limits_filled_are_linear(head: bytes, pattern: bytes) -> None:
    """As much nesting as is allowed, around ever more content."""
    assert_linear(lambda data: read_page(data.decode()), fill(pattern, head), 150_000)
