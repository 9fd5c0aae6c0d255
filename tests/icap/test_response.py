"""ICAP answers: whatever the bytes and the pieces they come in, an answer, more to read, or a ScannerError."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.icap.response import FEW, MAX_HEAD, MAX_LINE, Head, ResponseReader
from filterd.scanners import ScannerError
from tests.support.growth import LINEAR, growth

BODY = b"Received: by filterd\r\n\r\nhello\r\n"
HTTP = b"HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n"


WORDS = [
    b"ICAP/1.0 200 OK\r\n",
    b"ICAP/1.0 204 x\r\n\r\n",
    b"Encapsulated: ",
    b"res-hdr=0",
    b", ",
    b"res-body=39",
    b"\r\n",
    HTTP,
    b"1f\r\n",
    BODY,
    b"0\r\n\r\n",
    b"\t",
    b"\0",
    b"\xff",
    b"Preview: 1",
]


def answer(body: bytes, http: bytes = HTTP, kind: bytes = b"res") -> bytes:
    """One that gives a body back in two chunks."""
    half = len(body) // 2
    parts = b"%s-hdr=0, %s-body=%d" % (kind, kind, len(http))
    chunks = b"".join([b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:half], body[half:]) if piece])
    return b"ICAP/1.0 200 OK\r\nEncapsulated: " + parts + b"\r\n\r\n" + http + chunks + b"0\r\n\r\n"


def read(data: bytes, size: int = 1 << 20, body: bytes = BODY, kind: str = "res-body") -> ResponseReader:
    """The reader, fed in pieces of that size."""
    reader = ResponseReader(len(body), kind, lambda offset, count: body[offset : offset + count])
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
    return reader


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 20])
def test_the_same_message_is_no_change_in_whatever_pieces(size: int) -> None:
    """A service that knows no 204 says clean by giving back what it got."""
    reader = read(answer(BODY), size)
    assert (reader.done, reader.changed, reader.rest) == (True, "", b"")


@pytest.mark.parametrize("size", [1, 5, 1 << 20])
@pytest.mark.parametrize(
    ("data", "how"),
    [
        (answer(BODY[:-1] + b"!"), "changed"),
        (answer(BODY[:-7]), "shorter than it was"),
        (answer(b""), "shorter than it was"),
        (answer(BODY + b"x"), "longer than it was"),
        (answer(BODY, b"HTTP/1.1 403 Forbidden\r\n\r\n"), "replaced: HTTP 403"),
        (b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, null-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "removed"),
        (answer(BODY, kind=b"req"), "answered instead of passed on"),
    ],
)
def test_anything_else_given_back_is_a_change(data: bytes, how: str, size: int) -> None:
    """Said in words; what comes behind it is not read."""
    reader = read(data, size)
    assert (reader.done, reader.changed) == (True, how)


@pytest.mark.parametrize("status", [100, 204, 206, 404, 500, 503])
def test_of_other_answers_the_head_is_all(status: int) -> None:
    """Fields by lower-case name, folded lines kept apart, repeated ones joined."""
    data = b"ICAP/1.0 %d what\r\nX-A: 1\r\n\t2\r\n  3\r\nx-a: b\r\n\r\n" % status
    assert read(data, 3).head == Head(status, {"x-a": "1\n2\n3, b"})


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"220 mail.example ESMTP\r\n\r\n",
        b"\r\n\r\n",
        b"ICAP/1.0 2000 OK\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nno field\r\n\r\n",
        b"ICAP/1.0 200 OK\r\n folded\r\n\r\n",
        b"ICAP/1.0 200 OK\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: nothing\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-body=10\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=999999\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=-1\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=9, res-body=2\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=4\r\n\r\nHTTP0\r\n\r\n",
        answer(BODY, b"HTTP/1.1 nothing at all\r\n\r\n"),
        answer(BODY).replace(b"0\r\n\r\n", b"zz\r\n\r\n"),
        answer(BODY).replace(b"0\r\n\r\n", b"-1\r\n\r\n"),
        answer(BODY).replace(b"0\r\n\r\n", b"0\r\nX: trailer\r\n\r\n"),
        b"x" * (MAX_HEAD + 1),
        b"ICAP/1.0 200 OK\r\nX: " + b"x" * MAX_HEAD + b"\r\n\r\n",
        b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=39\r\n\r\n" + HTTP + b"0" * MAX_LINE,
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_what_is_no_answer_is_an_error(data: bytes, size: int) -> None:
    """Bounded, and told in printable words."""
    with pytest.raises(ScannerError) as caught:
        read(data, size)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


def test_an_answer_cut_short_is_not_done() -> None:
    """Whoever hangs up in the middle has said nothing, wherever the middle is."""
    whole = answer(BODY)
    assert not any(read(whole[:end]).done for end in range(len(whole)))


def test_an_answer_in_single_bytes_is_given_up() -> None:
    """A chunk costs time, so a message may not come back in as many as it has bytes."""
    body = b"x" * 100_000
    data = answer(b"").removesuffix(b"0\r\n\r\n") + b"1\r\nx\r\n" * (FEW + 2_000)
    with pytest.raises(ScannerError, match="proper chunks"):
        read(data, body=body)


@given(st.lists(st.sampled_from(WORDS), max_size=14), st.integers(1, 40))
def test_any_bytes_are_read_alike_in_any_pieces(words: list[bytes], size: int) -> None:
    """The same outcome whole and in pieces, and no other exception than ScannerError."""

    def outcome(size: int) -> object:
        try:
            reader = read(b"".join(words), size)
        except ScannerError:
            return "error"
        return reader.done, reader.changed, reader.head

    assert outcome(size) == outcome(1 << 20)


@pytest.mark.parametrize(
    "make",
    [
        lambda n: b"ICAP/1.0 204 x\r\n" + b"a:b\r\n" * (n // 5),
        lambda n: b"ICAP/1.0 204 x\r\nx: a\r\n" + b" b\r\n" * (n // 4),
        lambda n: b"ICAP/1.0 200 OK\r\nEncapsulated: " + b"res-hdr=0, " * (n // 11) + b"\r\n\r\n",
    ],
    ids=["fields", "folds", "parts"],
)
def test_reading_a_head_is_linear(make: Callable[[int], bytes]) -> None:
    """Fed byte by byte up to the bound, twice the head takes twice the time."""

    def build(size: int) -> Callable[[], object]:
        data = make(size)

        def work() -> None:
            with suppress(ScannerError):
                read(data, 1)

        return work

    assert growth(build, MAX_HEAD // 2 - 100) <= LINEAR
