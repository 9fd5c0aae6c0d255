"""Charsets, encoded words, uuencode."""

import binascii

import pytest

from filterd.mime.charset import decode
from filterd.mime.embedded import embedded
from filterd.mime.words import decode_words


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        ("\u00e4".encode(), "utf-8", "\u00e4"),
        ("\u00e4".encode("latin-1"), "utf-8", "\u00e4"),
        ("\u00e4".encode("latin-1"), "iso-8859-1", "\u00e4"),
        (b"hi", "no-such-charset", "hi"),
        (b"hi", "rot13", "hi"),
        (b"hi", "idna", "hi"),
        (b"\\ud800", "unicode_escape", "\\ud800"),
        (b"+2AA-x", "utf-7", "?x"),
        (b"hi", "zlib\0", "hi"),
        ("hello there".encode("utf-16-le"), "", "hello there"),
        ("hello there".encode("utf-16-be"), "utf-16", "hello there"),
    ],
)
@pytest.mark.threat("MIME-15")
def test_charsets(data: bytes, charset: str, text: str) -> None:
    """Unknown, wrong and missing charsets give the likeliest text."""
    assert decode(data, charset) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?a_b?= =?utf-8?q?c?=", "a bc"),
        (b"x =?utf-8?b?w6Q=?= y", "x \u00e4 y"),
        (b"=?utf-8?b?w?= =?utf-8?q?x?=", "x"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "\u00e4"),
        (b"=?bogus?x?a?=", "=?bogus?x?a?="),
        (b"=?utf-8?q?unclosed", "=?utf-8?q?unclosed"),
    ],
)
def test_encoded_words(value: bytes, text: str) -> None:
    """RFC 2047 as clients read it; a character cut in two is joined."""
    assert decode_words(value) == text


@pytest.mark.threat("MIME-20")
def test_thousands_of_encoded_words() -> None:
    """A limit holds, and the rest stays as it is."""
    assert decode_words(b"=?utf-8?q?a?= " * 4_000).startswith("a" * 1_000)


@pytest.mark.threat("MIME-08")
def test_uuencoded_file_in_text() -> None:
    """A uuencoded file in a text is found with its name."""
    content = bytes(range(256))
    lines = b"".join([binascii.b2a_uu(content[start : start + 45]) for start in range(0, 256, 45)])
    text = b"look:\r\nbegin 644 a.exe\r\n" + lines + b"`\nend\r\nbye"
    assert [(found.name, found.content) for found in embedded(text, 1_000)] == [("a.exe", content)]


def test_uuencode_that_is_none() -> None:
    """A sentence with "begin" in it is no file."""
    assert list(embedded(b"\nbegin 644 then stop\nnot encoded at all: \xff\xff\n", 1_000)) == []


@pytest.mark.parametrize("filling", [b"\n", b"\r\n", b"M\n", b"_\n"], ids=repr)
@pytest.mark.threat("MIME-08")
def test_uuencoded_lines_without_content_make_no_large_file(filling: bytes) -> None:
    """What is missing of a line stands for zeros: they never make more of a file than there is text."""
    text = b"begin 644 a\n" + filling * 1_000
    assert sum(len(found.content) for found in embedded(text, 1_000)) <= len(text) + 63
