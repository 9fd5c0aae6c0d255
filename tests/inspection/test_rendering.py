"""A message as a person would see it: texts, links, containers; bounded, and nothing of it runs."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from filterd.inspection.rendering import MAX_LINKS, MAX_TEXT, render
from filterd.mime.header import split
from filterd.model.inspection import InspectionJob, Shown, ShownLink
from tests.support.growth import LINEAR, growth


def shown(raw: bytes) -> Shown:
    """How that message looks."""
    fields, offset = split(raw)
    found = render(InspectionJob("x", fields, len(raw) - offset, 10.0, 0.0), memoryview(raw)[offset:]).shown
    assert found is not None
    return found


ALTERNATIVE = (
    b"Subject: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n"
    b"--a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    b"--b\r\n\r\nGo to http://one.test/x now\r\n"
    b"--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"<p>Go=20to <a href=3D'https://evil.test/'>www.bank.test\r\n login</a></p><script>alert(1)</script>"
    b"<form action=3D'https://post.test/'></form>\r\n--b--\r\n"
    b"--a\r\nContent-Type: text/html; name=x.html\r\nContent-Disposition: attachment\r\n\r\n<b>file</b>\r\n--a--\r\n"
)


def test_texts_are_those_of_the_body() -> None:
    """Decoded, HTML without tags and scripts, each under its part; an attachment is no text of the message."""
    found = shown(ALTERNATIVE)
    assert [path for path, _ in found.texts] == ["1.1", "1.2"]
    assert found.texts[0][1].strip() == "Go to http://one.test/x now"
    assert " ".join(found.texts[1][1].split()) == "Go to www.bank.test login"
    assert found.containers == (("", "multipart/mixed"), ("1", "multipart/alternative"))


def test_links_have_what_is_seen_of_them() -> None:
    """Of HTML the words, of a form that it is one; addresses that stand in a text themselves have none."""
    assert set(shown(ALTERNATIVE).links) >= {
        ShownLink("https://evil.test/", "www.bank.test login"),
        ShownLink("https://post.test/", "(a form)"),
        ShownLink("http://one.test/x", ""),
    }


def test_what_is_shown_is_bounded() -> None:
    """A long text and thousands of links are cut."""
    found = shown(
        b"Subject: x\r\nContent-Type: text/html\r\n\r\n" + b"<a href='http://%d.test/'>x</a>" * 5 + b"y" * 200_000
    )
    assert len(found.texts[0][1]) == MAX_TEXT
    many = b"".join([b"<a href='http://h%d.test/'>x</a> " % number for number in range(2_000)])
    assert len(shown(b"Subject: x\r\nContent-Type: text/html\r\n\r\n" + many).links) == MAX_LINKS


def test_undecodable_bytes_do_no_harm() -> None:
    """Neither in texts nor in names; nothing that cannot be encoded again comes out."""
    found = shown(b"Subject: \xff\r\nContent-Type: text/plain; charset=no-such\r\n\r\n\xff\xfe\0 x\r\n")
    found.texts[0][1].encode()
    assert shown(b"").texts in ((), (("1", ""),))


@pytest.mark.parametrize("folder", ["stalwart", "hide-filename"])
def test_mail_that_is_made_to_be_misread(shared: Path, folder: str) -> None:
    """None of it ends the reading, and what is shown can be encoded."""
    count = 0
    for path in sorted((shared / "data" / "mime" / folder).rglob("*")):
        if path.is_file() and path.stat().st_size < 1 << 20:
            found = shown(path.read_bytes())
            msgspec.json.encode(found)
            count += 1
    assert count > 100


def test_it_is_linear() -> None:
    """Twice the message costs twice the time."""
    part = b"<p>some words <a href='http://x.test/'>here</a></p>\r\n"

    def build(count: int) -> Callable[[], object]:
        raw = b"Subject: x\r\nContent-Type: text/html\r\n\r\n" + part * count
        return lambda: shown(raw)

    assert growth(build, 300) <= LINEAR
