"""HTML and drawings in the funnel."""

import base64
import io
import zipfile
from typing import Final

import pytest

from filterd.unpack import Budget, Member, unpack

EICAR_LIKE: Final = b"harmless text of a test, long enough to be written as a literal in a script"


def zipped(name: str = "setup.exe", content: bytes = b"MZ\x90\0\x03") -> bytes:
    """A zip of one member."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, content)
    return out.getvalue()


def run(data: bytes, name: str = "a.html", declared: str = "") -> tuple[list[Member], Budget]:
    """Members, and the budget with what else was found."""
    budget = Budget()
    return list(unpack(data, "1", name, 0, budget, declared)), budget


def symbols(budget: Budget) -> set[str]:
    """The symbols of the findings."""
    return {found.symbol for found in budget.findings}


def encoded(data: bytes) -> str:
    """As base64."""
    return base64.b64encode(data).decode()


@pytest.mark.threat("MIME-16")
def test_a_smuggled_archive_is_opened() -> None:
    """A zip that a script saves as a file: its members have a path, and it has the name it gets."""
    html = (
        f"<html><script>var b=new Blob([atob('{encoded(zipped())}')]);a.href=URL.createObjectURL(b);"
        "a.download='invoice.zip';a.click()</script>"
    )
    members, budget = run(html.encode())
    assert [(member.path, member.types[0]) for member in members] == [
        ("1/base64-1", "zip"),
        ("1/base64-1/setup.exe", "exe"),
    ]
    assert "invoice.zip" in members[0].names
    assert [(found.symbol, found.evidence) for found in budget.findings] == [
        ("HTML_SMUGGLING", ("base64: zip", "invoice.zip", "1"))
    ]


@pytest.mark.threat("MIME-16")
def test_a_script_that_writes_a_script() -> None:
    """Layers of base64 are followed."""
    inner = f"var x=atob('{encoded(zipped())}');"
    outer = f"<html><script>eval(atob('{encoded(inner.encode())}'))</script>"
    members, budget = run(outer.encode())
    assert [member.path for member in members][-1] == "1/base64-1.base64-1/setup.exe"
    assert symbols(budget) == {"HTML_SMUGGLING"}


@pytest.mark.threat("MIME-16")
def test_a_page_in_a_link_is_a_document_of_its_own() -> None:
    """data:text/html in data:text/html in a zip."""
    page = f"<html><a href='data:text/html;base64,{encoded(b'<html>' + EICAR_LIKE)}'>"
    members, budget = run(zipped("p.htm", f"<html><a href='data:text/html;base64,{encoded(page.encode())}'>".encode()))
    assert members[-1].data == b"<html>" + EICAR_LIKE
    assert symbols(budget) == set()


@pytest.mark.threat("MIME-16")
@pytest.mark.parametrize(("name", "declared"), [("a.html", ""), ("a.HTM .", ""), ("", "text/html")])
def test_a_document_without_a_beginning(name: str, declared: str) -> None:
    """What a name or a declaration makes a browser show is read as such."""
    members, _ = run(f"<p>hello<a href='data:application/zip;base64,{encoded(zipped())}'>".encode(), name, declared)
    assert [member.types[0] for member in members] == ["zip", "exe"]
    assert run(b"hello data:application/zip;base64," + encoded(zipped()).encode(), "a.txt", "text/plain")[0] == []


def test_wide_characters() -> None:
    """UTF-16 with its mark is read as browsers do."""
    html = f"<html><a href='data:application/zip;base64,{encoded(zipped())}'>"
    for text in (html.encode("utf-16"), b"\xfe\xff" + html.encode("utf-16-be")):
        assert [member.types[0] for member in run(text)[0]] == ["zip", "exe"]


def test_honest_pages_say_nothing() -> None:
    """Pictures in the page, fonts, a script with a key: the first two are members, and nothing is found."""
    html = (
        f"<html><img src='data:image/png;base64,{encoded(bytes([137]) + b'PNG' + bytes(80))}'>"
        f"<script>var key=atob('{encoded(bytes(range(90)))}');</script>"
    )
    members, budget = run(html.encode())
    assert (len(members), symbols(budget)) == (1, set())


@pytest.mark.threat("MIME-16")
@pytest.mark.parametrize(
    ("name", "head"), [("a.svg", ""), ("a.svg", "<?xml version='1.0'?>" + "<!-- x -->" * 200), ("", "")]
)
def test_drawings(name: str, head: str) -> None:
    """Scripts, HTML inside and addresses of a drawing are said, and its payloads opened."""
    members, budget = run(
        f"{head}<svg><script>1</script><foreignObject/><a href='http://x.test/'/>"
        f"<image href='data:image/png;base64,{encoded(zipped())}'/></svg>".encode(),
        name,
    )
    assert [member.types[0] for member in members] == ["zip", "exe"]
    assert symbols(budget) == {"SVG_SCRIPT", "SVG_FOREIGN", "SVG_EXTERNAL", "HTML_SMUGGLING"}
    assert budget.links == ["http://x.test/"]
