"""What documents carry: decoded where it is written down, told where a script builds it."""

import base64
from typing import Final
from urllib.parse import quote

import pytest

from filterd.html.payloads import MAX_PAYLOADS, Carried, carried, from_base64
from filterd.html.svg import MAX_LINKS, read_drawing

FILE: Final = b"MZ\x90\0" + bytes(range(256))
TEXT: Final = base64.b64encode(FILE).decode()
CODES: Final = ",".join(map(str, FILE))


def of(html: str) -> Carried:
    """What this document carries."""
    return carried(html.encode())


@pytest.mark.parametrize(
    "html",
    [
        f'<a href="data:application/octet-stream;base64,{TEXT}">',
        f"<a href='DATA:application/octet-stream;charset=x;BASE64,{TEXT}'>",
        f"<a href=data:application/octet-stream;base64,{TEXT}>",
        f"<a href=data:application/octet-stream;base64,{TEXT} download=x>",
        f'<a href="data:;base64,{TEXT[:100]}\n  {TEXT[100:]}">',
        f'<a href="data:application/octet-stream;base64,{quote(TEXT, safe="")}">',
        f'<a href="data:application/octet-stream,{quote(FILE)}">',
        f"<style>p{{background:url(data:image/png;base64,{TEXT})}}</style>",
        f"<script>x=atob('{TEXT}')</script>",
        f'<script>x=atob("{TEXT[:80]}" + "{TEXT[80:]}")</script>',
        f"<script>x=atob(`{TEXT[:81]}`+\n`{TEXT[81:]}`)</script>",
        f"<script>x='{TEXT}';new Blob([x])</script>",
        f"<div id=x>{TEXT}</div><script>atob(x.innerText)</script>",
        f"<script>x='{FILE.hex()}';new Blob([x])</script>",
        "<script>new Blob(['" + "".join([f"\\x{byte:02x}" for byte in FILE]) + "'])</script>",
        f"<script>document.write(unescape('{quote(FILE, safe='')}'))</script>",
        f"<script>new Uint8Array([{CODES}])</script>",
        f"<script>String.fromCharCode({CODES.replace(',', ' , ')})</script>",
        f"<script>new Uint8Array([{','.join(map(hex, FILE))},])</script>",
    ],
)
@pytest.mark.threat("MIME-16")
def test_what_is_written_down_is_decoded(html: str) -> None:
    """Every plain way to write a file into a document."""
    assert FILE in [payload.content for payload in of(html).payloads]


def test_a_page_without_script_and_data_carries_nothing() -> None:
    """Long words alone are no files."""
    assert of(f"<p>{TEXT}</p>") == Carried()


@pytest.mark.threat("MIME-16")
def test_what_a_script_computes_is_told() -> None:
    """A word that builds a file, the file's name, and how long a literal nobody decodes is."""
    found = of("<script>x='" + "~#" * 2_000 + "';a.download='in.iso';URL.createObjectURL(new Blob([y(x)]))</script>")
    assert (found.builds, found.names, found.opaque, found.payloads) == ("createobjecturl", ("in.iso",), 4_000, ())


def test_payloads_are_bounded() -> None:
    """More than are looked at are told."""
    found = of("<img src='data:image/gif;base64,R0lGODdh'>" * (MAX_PAYLOADS + 10))
    assert (len(found.payloads), found.cut) == (MAX_PAYLOADS, True)


@pytest.mark.parametrize("text", [b"", b"A", b"====", b"QUJD=RA", b"\xff!", b"QUJDR"])
def test_any_base64_is_decoded(text: bytes) -> None:
    """As far as there are bytes in it."""
    assert from_base64(text) == from_base64(text + b"=\n")


@pytest.mark.parametrize(
    "inner",
    [
        "<script>alert(1)</script>",
        "<x:script xmlns:x='http://www.w3.org/2000/svg'>alert(1)</x:script>",
        "<rect onload='alert(1)'/>",
        '<rect/onclick="alert(1)"/>',
        "<a xlink:href='javascript:alert(1)'><rect/></a>",
        "<a xlink:href='&#106;avascript:alert(1)'><rect/></a>",
    ],
)
@pytest.mark.threat("MIME-16")
def test_scripts_of_drawings(inner: str) -> None:
    """Elements, events and addresses that run something."""
    assert read_drawing(f"<svg>{inner}</svg>".encode()).script


@pytest.mark.threat("MIME-16")
def test_entities_that_hold_markup() -> None:
    """An entity may become a script; the names of name spaces that drawing programs write are none."""
    honest = b'<!DOCTYPE svg [<!ENTITY ns_svg "http://www.w3.org/2000/svg">]><svg xmlns="&ns_svg;"/>'
    assert read_drawing(honest).script == ""
    assert read_drawing(b"<!DOCTYPE svg [<!ENTITY x '<script>1</script>'>]><svg>&x;</svg>").script


def test_links_of_drawings() -> None:
    """What is led to or loaded, and HTML inside."""
    drawing = read_drawing(
        b"<svg><image xlink:href='http://i.test/a.png'/><use href='#a'/><svg:foreignObject><p/></svg:foreignObject>"
        b'<a href="//x.test/"/></svg>'
    )
    assert drawing.links == ("http://i.test/a.png", "//x.test/")
    assert drawing.foreign.startswith("<svg:foreignObject>")
    assert drawing.script == ""
    assert len(read_drawing(b"<svg>" + b"<a href='http://x/%d'/>" * (MAX_LINKS + 5)).links) <= MAX_LINKS
