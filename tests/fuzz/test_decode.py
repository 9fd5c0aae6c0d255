"""Transfer encodings. Invariant: what another decoder makes of the bytes is among the readings, which are few.

The others are the standard library's, and for base64 three of our own that take the alphabet literally: all junk left
out, stopped at the first padding, line by line.
"""

import base64
import binascii
import quopri
from contextlib import suppress
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mime.decode import base64_readings, quoted_readings, readings
from filterd.mime.embedded import embedded
from filterd.mime.limits import MAX_EMBEDDED
from tests.fuzz.corpus import encoded
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

CONTENT: Final = b"MZ\x90\0 evil \xff\xfe = content \r\n" * 4
UUENCODED: Final = b"".join([binascii.b2a_uu(CONTENT[at : at + 45]) for at in range(0, len(CONTENT), 45)])
SEEDS: Final = (
    base64.encodebytes(CONTENT),
    base64.encodebytes(CONTENT).replace(b"\n", b"\r\n"),
    base64.urlsafe_b64encode(CONTENT),
    base64.b64encode(b"one") + b"\r\n" + base64.b64encode(b"two-") + base64.b64encode(b"three"),
    b"YQ==YmM=",
    quopri.encodestring(CONTENT),
    b"soft=\r\nline=20=\n =3D=3d=XY=\r=",
    b"text\r\nbegin 644 a.exe\r\n" + UUENCODED.replace(b"\n", b"\r\n") + b"`\r\nend\r\n",
    b"begin 644 a.exe\n" + UUENCODED + b"`\nend\nbegin 0755 b\n#AB\nend",
)
TOKENS: Final = (
    b"=",
    b"==",
    b"====",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t\r\n",
    b"-",
    b"_",
    b"+",
    b"/",
    b"!",
    b"\0",
    b"=\r\n",
    b"=\n",
    b"=20",
    b"=3d",
    b"= \r\n",
    b"\xff",
    b"QUJD",
    b"begin 644 x\r\n",
    b"\nend\n",
    b"`\n",
    b"M",
    b"begin-base64 644 x\n",
    b"=ybegin line=128 size=1 name=x\n",
    b"\n=yend size=1\n",
    b"=ypart begin=1 end=2\n",
    b"(This file must be converted with BinHex 4.0)\n\n:",
    b":",
)
ALPHABET: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def loosely(symbols: bytes) -> bytes:
    """Decode what is of the alphabet; what is left over at the end is dropped."""
    clean = bytes([byte for byte in symbols if byte in ALPHABET])
    clean = clean[: len(clean) - 1] if len(clean) % 4 == 1 else clean
    return base64.b64decode(clean + b"=" * (-len(clean) % 4))


def of_base64(data: bytes) -> list[bytes]:
    """What other decoders may make of it."""
    found = [loosely(data), loosely(data.partition(b"=")[0])]
    if b"=" not in data:
        found.append(b"".join([loosely(line) for line in data.split(b"\n")]))
    with suppress(binascii.Error):
        found.append(base64.b64decode(data))
    return [one for one in found if one]


def check(data: bytes) -> None:
    """Every decoder over the same bytes."""
    view = memoryview(data)
    seen = [bytes(one) for one in base64_readings(view)]
    assert 0 < len(seen) <= 7
    assert all(len(one) <= len(data) for one in seen)
    for other in of_base64(data):
        assert other in seen or any(one.startswith(other) for one in seen), other
    quoted = [bytes(one) for one in quoted_readings(view)]
    assert 0 < len(quoted) <= 2
    assert all(len(one) <= len(data) for one in quoted)
    assert quopri.decodestring(data) in quoted
    assert readings(view, ()) == (view,)
    assert len(readings(view, ("base64", "quoted-printable", ""))) <= 10
    files = list(embedded(view, len(data)))
    assert len(files) <= MAX_EMBEDDED + 1
    for found in files:
        assert found.content or found.missing
        assert len(found.content) <= len(data) + 63
        found.name.encode()


TARGET: Final = Target("decode", check, SEEDS, TOKENS, runs=2_000, largest=16_384)


@pytest.mark.threat("MIME-05", "MIME-06")
def test_any_bytes() -> None:
    """The invariant over mutants of all encodings."""
    fuzz(TARGET)


@pytest.mark.threat("MIME-05", "MIME-06")
def test_mutants_of_real_parts(mail: tuple[bytes, ...]) -> None:
    """The same over mutants of parts as they were sent."""
    fuzz(replace(TARGET, name="real-decode", seeds=encoded(mail), runs=400))


@given(st.binary(max_size=400), st.integers(1, 90), st.sampled_from([b"\n", b"\r\n"]))
def test_clean_encodings_have_one_reading(content: bytes, width: int, end: bytes) -> None:
    """What was encoded by the rules comes back, and nothing beside it."""
    whole = base64.b64encode(content)
    width = max(4, width - width % 4)
    lines = end.join([whole[at : at + width] for at in range(0, len(whole), width)]) + end
    assert bytes(base64_readings(memoryview(lines))[0]).rstrip(b"\n") == content.rstrip(b"\n")
    assert [bytes(one) for one in quoted_readings(memoryview(binascii.b2a_qp(content, istext=False)))] == [content]


@given(st.binary(min_size=1, max_size=400), st.sampled_from([b"\n", b"\r\n"]))
def test_a_uuencoded_file_is_found(content: bytes, end: bytes) -> None:
    """Name and content, wherever in a text it stands."""
    lines = [binascii.b2a_uu(content[at : at + 45]).rstrip(b"\n") for at in range(0, len(content), 45)]
    text = end.join([b"hello", b"begin 644 a b.exe", *lines, b"`", b"end", b"bye"])
    assert [(found.name, found.content) for found in embedded(text, 0)] == [("a b.exe", content)]


@pytest.mark.threat("MIME-05", "MIME-06", "MIME-08")
@pytest.mark.parametrize(
    "pattern",
    [
        b"=",
        b"==",
        b"A=",
        b"QQ==",
        b"QUJD",
        b"QUJD\n",
        b"Q\n",
        b"-_",
        b"!",
        b"\r\n",
        b"\r",
        b" ",
        b"= ",
        b"=\t",
        b"= \n",
        b"=\r\n",
        b"=4",
        b"=41",
        b"begin 644 x\n",
        b"begin 644 x\nM\n",
        b"begin 644 ",
        b"begin ",
        b"\nbegin 644 x\n#AB\nend\n",
        b"M",
        b"#\n",
        b"end\n",
        b"=ybegin x\n",
        b"=ybegin x\n=yend\n",
        b"=ypart \n",
        b"\n(This file must be converted with BinHex\n",
        b"\n(This file must be converted with BinHex\n:",
        b":\n",
        b"\n:!!!!:",
        b"QUJDREVGQUJDREVGQUJDREVGQUJDREVGQUJDREVGQUJDREVGQUJDREVGQUJDREVG\n.\n",
        b"begin-base64 644 x\nQUJD\n====\n",
        b"> ",
        b"\n> Q",
    ],
    ids=repr,
)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Padding, junk, line ends, escapes and markers cost time by their length."""

    def work(data: bytes) -> None:
        view = memoryview(data)
        readings(view, ("base64", "quoted-printable"))
        list(embedded(view, len(data)))

    assert_linear(work, fill(pattern), 60_000)
    assert_linear(work, fill(pattern, b"begin 644 a\n"), 60_000)
