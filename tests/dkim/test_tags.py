"""Tag lists: RFC 6376, section 3.2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.dkim.tags import MAX_TAGS, TagError, parse_tags, without_value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", {}),
        (b" \r\n\t", {}),
        (b"a=1", {b"a": b"1"}),
        (b"a=1;", {b"a": b"1"}),
        (b" a = 1 ; b\r\n =\r\n 2 3 ;\r\n ", {b"a": b"1", b"b": b"2 3"}),
        (b"a=;A=x==", {b"a": b"", b"A": b"x=="}),
        (b"a_1=x", {b"a_1": b"x"}),
        ("d=b\u00fccher.test".encode(), {b"d": "b\u00fccher.test".encode()}),
    ],
)
def test_well_formed(text: bytes, expected: dict[bytes, bytes]) -> None:
    """White space around names and values is dropped, case is kept, order is kept."""
    assert list(parse_tags(text).items()) == list(expected.items())


@pytest.mark.parametrize(
    "text",
    [
        b";",
        b"a",
        b"a=1;;b=2",
        b"=1",
        b"a b=1",
        b"1a=1",
        b"a-b=1",
        b"a=1;a=2",
        b"a=\0",
        b"a=\x7f",
        b"a=\x0b",
        b"a=\xff",
        b"a=\xe9t\xe9",
        b"\xc3\xa9=1",
        b"a=1;" * (MAX_TAGS + 1),
    ],
)
def test_malformed(text: bytes) -> None:
    """Whatever spoils a list spoils all of it."""
    with pytest.raises(TagError):
        parse_tags(text)


def test_most_tags() -> None:
    """Exactly the limit is accepted."""
    assert len(parse_tags(b"".join(b"a%d=1;" % number for number in range(MAX_TAGS)))) == MAX_TAGS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b" a=1; b=xyz", b" a=1; b="),
        (b"b=xyz; a=1", b"b=; a=1"),
        (b"a=1;\r\n b = x\r\n y= ;\r\n bh=z", b"a=1;\r\n b =;\r\n bh=z"),
        (b"bh=b=1; b=2", b"bh=b=1; b="),
        (b"a=1; b=xyz\r\n ", b"a=1; b="),
        (b"b=", b"b="),
        (b"a=1", b"a=1"),
        (b"a=b; c=b=2", b"a=b; c=b=2"),
    ],
)
def test_without_value(text: bytes, expected: bytes) -> None:
    """RFC 6376, section 3.7: the value of b= goes with the white space around it, and nothing else does."""
    assert without_value(text, b"b") == expected


@given(st.text(alphabet="ab=; \r\n\t\0\u00e9", max_size=40))
def test_any_text(text: str) -> None:
    """Any bytes are a list or a TagError; without_value only ever takes bytes away."""
    raw = text.encode()
    try:
        tags = parse_tags(raw)
    except TagError:
        return
    shorter = without_value(raw, b"b")
    assert len(shorter) <= len(raw)
    assert parse_tags(shorter) == tags | ({b"b": b""} if b"b" in tags else {})
