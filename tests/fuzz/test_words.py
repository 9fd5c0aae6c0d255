"""Charsets and encoded words. Invariant: any bytes under any charset are text that can be written, of bounded length.

What was encoded by the rules comes back.
"""

import base64
import encodings
import pkgutil
from dataclasses import replace
from email.header import Header
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mime.charset import codec_for, decode
from filterd.mime.limits import MAX_TEXT
from filterd.mime.words import decode_words
from tests.fuzz.corpus import values
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

# Windows' own, which look into the machine, stand aside; all others may be named by a message.
CHARSETS: Final = sorted(module.name for module in pkgutil.iter_modules(encodings.__path__))
SEEDS: Final = (
    b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=",
    b"=?utf-8?B?R3LDvMOfZQ==?= =?iso-8859-1?Q?=E9_x?= plain",
    b"=?utf-7?q?+2AA-x?=",
    b"=?utf-16?b?//5hAGIA?=",
    b"=?iso-2022-jp*ja?B?GyRCRnxLXBsoQg==?=",
    b"=?gb2312?b?xOO6ww==?=",
    b"raw \xc3\xa4 and \xff",
    "plain text \u4e2d".encode("utf-16-le"),
    b"\xef\xbb\xbfmarked",
    b"\xfe\xff\x00a",
)
TOKENS: Final = (
    b"=?",
    b"?=",
    b"?q?",
    b"?B?",
    b"?",
    b"=?utf-8?q?",
    b"=?utf-8?b?",
    b"=?utf-7?q?+2AA-",
    b"=ED=A0=80",
    b"=",
    b"_",
    b"*en",
    b" ",
    b"\r\n ",
    b"\0",
    b"\xed\xa0\x80",
    b"\xff",
    b"\xfe\xff",
    b"\xff\xfe",
    b"\x1b$B",
    b"\x1b(B",
    b"~{",
    b"+",
    b"-",
    b"\\ud800",
    *[b"=?%s?q?=80=FF=1B$B?=" % name.encode() for name in CHARSETS],
)


def check(value: bytes) -> None:
    """As a header field's value, and under a charset that the value itself chooses."""
    text = decode_words(value)
    text.encode()
    assert len(text) <= len(value)
    for charset in (CHARSETS[sum(value) % len(CHARSETS)], "", value[:40].decode("latin-1")):
        shown = decode(memoryview(value), charset)
        shown.encode()
        assert len(shown) <= max(len(value), MAX_TEXT)


TARGET: Final = Target("words", check, SEEDS, TOKENS, runs=2_500, largest=8_192)


@pytest.mark.threat("MIME-15", "MIME-21")
def test_any_bytes() -> None:
    """The invariant over mutants of words in all charsets."""
    fuzz(TARGET)


@pytest.mark.threat("MIME-21")
def test_mutants_of_real_subjects(mail: tuple[bytes, ...]) -> None:
    """The same over mutants of real fields."""
    fuzz(replace(TARGET, name="real-words", seeds=values(mail, b"subject", b"from", b"to"), runs=800))


@pytest.mark.threat("MIME-15")
@pytest.mark.parametrize("charset", CHARSETS)
def test_every_charset_that_python_has(charset: str) -> None:
    """No codec raises, transforms bytes into bytes, or gives text that cannot be written."""
    for data in (bytes(range(256)) * 4, b"\\ud800\\N{DIGIT ONE}", b"+2AA-", b"xn--a", b"~{\xff~}", b"\x1b$B\xff", b""):
        decode(data, charset).encode()
    codec_for(charset)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=120), st.sampled_from("qb"))
def test_what_was_encoded_is_read(text: str, kind: str) -> None:
    """By the standard library, folded, and by hand in one word for every character."""
    text = " ".join(text.split())
    folded = Header(text, "utf-8", maxlinelen=60).encode().encode()
    assert decode_words(folded) == text
    words = [
        b"=?utf-8?%s?%s?=" % (kind.encode(), base64.b64encode(byte) if kind == "b" else b"=%02X" % byte[0])
        for byte in [bytes([value]) for value in text.encode()]
    ]
    assert decode_words(b" ".join(words[:1_000])) == text if len(words) <= 1_000 else True


@pytest.mark.threat("MIME-20")
@pytest.mark.parametrize(
    "pattern",
    [
        b"=?",
        b"?=",
        b"=?a?",
        b"=?a?q?",
        b"=?utf-8?q?a?=",
        b"=?utf-8?q?a?= ",
        b"=?utf-8?b?QQ==?= x ",
        b"=?latin1?q?a?= =?utf-8?q?b?= ",
        b"=?utf-8?q?",
        b"=?utf-8?q?_?= \r\n ",
        b"?",
        b"=",
        b" ",
        b"_",
        b"=41",
    ],
    ids=repr,
)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Words, half words and thousands of them cost time by their length."""
    assert_linear(decode_words, fill(pattern), 30_000)
    assert_linear(decode_words, fill(pattern, b"=?utf-8?q?"), 30_000)


@pytest.mark.threat("MIME-15")
@pytest.mark.parametrize("charset", ["utf-8", "utf-7", "utf-16", "iso-2022-jp", "hz", "gb18030"])
@pytest.mark.parametrize("pattern", [b"+2AA-", b"\x1b$B", b"~{", b"\xff", b"+"], ids=repr)
def test_charsets_are_linear(charset: str, pattern: bytes) -> None:
    """Escapes and errors in any charset cost time by their length."""
    assert_linear(lambda data: decode(data, charset), fill(pattern), 30_000)
