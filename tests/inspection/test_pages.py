"""Documents that are not the message's own text: what they lead to and ask for counts as if they were."""

import base64
import io
import zipfile

import pytest

from filterd.inspection.inspect import inspect
from filterd.mime.header import split
from filterd.model.inspection import Inspection, InspectionJob
from tests.support.pdfs import make_pdf, uri
from tests.support.pictures import code, saved

PAGE = b"<html><form action='http://f.test/'><input type=password></form><a href='http://x.test/'>go</a>"


def run(name: str, data: bytes, text: bytes = b"Hello Bob.") -> Inspection:
    """Inspect a message with this attachment."""
    raw = (
        b"From: a@b.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + text + b"\r\n--b\r\n"
        b'Content-Type: application/octet-stream; name="' + name.encode() + b'"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data) + b"--b--\r\n"
    )
    fields, start = split(raw)
    return inspect(InspectionJob("x", fields, len(raw) - start, 60, 0.0), memoryview(raw)[start:], None)


def symbols(facts: Inspection) -> set[str]:
    """The symbols of what was found."""
    return {found.symbol for found in facts.findings}


def zipped(name: str, data: bytes) -> bytes:
    """A zip of one member."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.threat("MIME-16")
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.html", PAGE),
        ("a.zip", zipped("a.html", PAGE)),
        ("a.html", b"<html><script>document.write(atob('" + base64.b64encode(PAGE) + b"'))</script>"),
        ("a.html", b"<html><iframe src='data:text/html;base64," + base64.b64encode(PAGE) + b"'>"),
        ("a.svg", b"<svg><foreignObject>" + PAGE.replace(b"<html>", b"") + b"</foreignObject></svg>"),
    ],
)
def test_pages_are_read_wherever_they_lie(name: str, data: bytes) -> None:
    """A form that asks for a password, and the hosts it leads to."""
    facts = run(name, data)
    assert {"HTML_FORM", "HTML_PASSWORD"} <= symbols(facts)
    assert {"f.test", "x.test"} <= set(facts.hosts)
    assert facts.problems == ()


@pytest.mark.parametrize(
    ("name", "data", "host"),
    [
        ("a.pdf", make_pdf(uri("http://pdf.test/a")), "pdf.test"),
        ("a.svg", b"<svg><a xlink:href='http://svg.test/'/></svg>", "svg.test"),
        ("a.png", saved(code("HTTP://CODE.TEST/A")), "code.test"),
        ("a.png", saved(code("MATMSG:TO:x;SUB:see http://in.code.test/;;")), "in.code.test"),
        ("a.html", b"<html><base href='http://base.test/'><a href='login'>x</a>", "base.test"),
    ],
)
def test_hosts_are_looked_up_wherever_they_are_named(name: str, data: bytes, host: str) -> None:
    """In a document, a drawing, a code, a page's base."""
    assert run(name, data).hosts == (host,)


def test_a_code_that_leads_nowhere_is_no_finding() -> None:
    """A number, a network's password, a bank transfer."""
    for text in ("4006381333931", "WIFI:T:WPA;S:guest;P:secret;;", "BCD\n002\n1\nSCT\n\nBob\nDE123\nEUR1"):
        assert not {found for found in symbols(run("a.png", saved(code(text)))) if found.startswith("QR")}


def test_a_code_in_a_letter() -> None:
    """Beside a letter's worth of words it is a link among others."""
    facts = run("a.png", saved(code()), b"word " * 100)
    assert {"QR_LINK", "QR_LINK_ONLY"} & symbols(facts) == {"QR_LINK"}
