"""The walk over the parts: structure, limits, and readings that differ."""

import pytest

from filterd.mime.header import split
from filterd.mime.limits import MAX_DEPTH, MAX_PARTS
from filterd.mime.message import Message
from filterd.mime.tree import parse

MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def read(raw: bytes) -> Message:
    """Parse a whole message."""
    fields, start = split(raw)
    return parse(fields, memoryview(raw)[start:])


def shape(raw: bytes) -> list[tuple[str, str, bytes]]:
    """Path, type and likeliest content of each part."""
    return [(part.path, part.content_type, bytes(part.contents()[0])) for part in read(raw).parts]


def symbols(raw: bytes) -> set[str]:
    """The findings' symbols."""
    return {found.symbol for found in read(raw).findings}


def test_plain_message_is_one_part() -> None:
    """Without MIME fields the body is one text part, a slice of the buffer."""
    message = read(b"Subject: x\r\n\r\nhello\r\n")
    assert [(part.path, part.content_type, bytes(part.raw)) for part in message.parts] == [
        ("1", "text/plain", b"hello\r\n")
    ]
    assert message.findings == ()


def test_nested_multiparts() -> None:
    """Paths number the parts as IMAP does; the line end before a delimiter belongs to the delimiter."""
    raw = (
        MIXED + b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\none\r\n--c\r\n"
        b"Content-Type: text/html\r\n\r\ntwo\r\n--c--\r\n--b\r\n\r\nthree\r\n--b--\r\n"
    )
    assert shape(raw) == [
        ("1.1", "text/plain", b"one"),
        ("1.2", "text/html", b"two"),
        ("2", "text/plain", b"three"),
    ]
    assert symbols(raw) == set()


def test_inner_message() -> None:
    """A message inside is walked; its only part is numbered below it."""
    raw = MIXED + b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n--b--\r\n"
    assert shape(raw) == [("1.1", "text/plain", b"inner")]


@pytest.mark.threat("MIME-10")
def test_encoded_inner_message() -> None:
    """A message under base64, which the RFC forbids, is opened all the same."""
    raw = (
        MIXED + b"--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b"U3ViamVjdDogaW4NCg0KaW5uZXI=\r\n--b--\r\n"
    )
    assert ("1", "text/plain", b"inner") in shape(raw)


@pytest.mark.parametrize("levels", [MAX_DEPTH * 2, 2_000])
@pytest.mark.threat("MIME-10")
def test_deep_nesting_is_unscannable(levels: int) -> None:
    """Messages inside messages beyond the limit are a finding, never a RecursionError."""
    raw = b"Content-Type: message/rfc822\r\n\r\n" * levels + b"x"
    assert symbols(raw) == {"UNSCANNABLE_DEPTH"}


@pytest.mark.threat("MIME-12")
def test_too_many_parts() -> None:
    """Parts beyond the limit are a finding; those before it are there."""
    raw = MIXED + b"--b\r\n\r\nx\r\n" * (MAX_PARTS + 1)
    message = read(raw)
    assert len(message.parts) == MAX_PARTS
    assert {found.symbol for found in message.findings} == {"UNSCANNABLE_PARTS"}


@pytest.mark.parametrize("kind", ["message/partial; number=1; total=3", "message/external-body; access-type=URL"])
@pytest.mark.threat("MIME-11")
def test_content_that_is_elsewhere(kind: str) -> None:
    """A fragment or a reference cannot have been looked at."""
    raw = f"Content-Type: {kind}\r\n\r\nx".encode()
    assert symbols(raw) == {"UNSCANNABLE_PARTIAL"}


@pytest.mark.threat("MIME-03")
def test_two_boundaries_both_in_use() -> None:
    """Both readings of a doubled boundary parameter are followed."""
    raw = (
        b"Content-Type: multipart/mixed; boundary=b; boundary=c\r\n\r\n"
        b"--b\r\n\r\none\r\n--b--\r\n--c\r\n\r\ntwo\r\n--c--\r\n"
    )
    assert {content for _, _, content in shape(raw)} >= {b"one", b"two"}
    assert "AMBIGUOUS_BOUNDARY" in symbols(raw)


@pytest.mark.parametrize("first", ["multipart/mixed; boundary=b", "text/plain"])
@pytest.mark.threat("MIME-03")
def test_two_content_types(first: str) -> None:
    """Multipart and text at once: both readings are handed out, in either order."""
    other = "text/plain" if first != "text/plain" else "multipart/mixed; boundary=b"
    raw = f"Content-Type: {first}\r\nContent-Type: {other}\r\n\r\n--b\r\n\r\none\r\n--b--\r\n".encode()
    contents = [content for _, _, content in shape(raw)]
    assert b"one" in contents
    assert any(content.startswith(b"--b") for content in contents)
    assert symbols(raw) == {"AMBIGUOUS_TYPE"}


@pytest.mark.parametrize(
    "value",
    [b'"b"', b"b ", b"(x) b", b"b(x)", b"b; charset=x", b"\r\n b", b"b;;", b'"b', b"=?utf-8?q?b?=; boundary=b"],
)
@pytest.mark.threat("MIME-03")
def test_spellings_of_a_boundary(value: bytes) -> None:
    """However the boundary is written, the part is found or the message is ambiguous."""
    raw = b"Content-Type: multipart/mixed; boundary=" + value + b"\r\n\r\n--b\r\n\r\none\r\n--b--\r\n"
    assert b"one" in [content for _, _, content in shape(raw)]


@pytest.mark.threat("MIME-07")
def test_part_in_the_preamble() -> None:
    """A part header where no part belongs is read as a part, and said."""
    raw = MIXED + b"Content-Type: text/html\r\n\r\nhidden\r\n--b\r\n\r\nx\r\n--b--\r\n"
    assert ("0.stray1", "text/html", b"hidden") in shape(raw)
    assert symbols(raw) == {"AMBIGUOUS_BOUNDARY"}


@pytest.mark.threat("MIME-07")
def test_part_in_the_epilogue() -> None:
    """The same behind the closing delimiter."""
    raw = MIXED + b"--b\r\n\r\nx\r\n--b--\r\n\r\nContent-Type: text/html\r\n\r\nhidden"
    assert "text/html" in [kind for _, kind, _ in shape(raw)]
    assert symbols(raw) == {"AMBIGUOUS_BOUNDARY"}


@pytest.mark.threat("MIME-07")
def test_inner_boundary_equals_outer() -> None:
    """The same boundary inside itself is ambiguous."""
    raw = MIXED + b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--b--\r\n"
    assert "AMBIGUOUS_BOUNDARY" in symbols(raw)


@pytest.mark.threat("MIME-07")
def test_delimiter_with_a_longer_boundary() -> None:
    """A line that only begins with the boundary, with a part header behind it, is read and said."""
    raw = MIXED + b"--b\r\n\r\nx\r\n--bb\r\nContent-Type: text/html\r\n\r\nhidden\r\n--b--\r\n"
    assert "text/html" in [kind for _, kind, _ in shape(raw)]
    assert symbols(raw) == {"AMBIGUOUS_BOUNDARY"}


@pytest.mark.threat("MIME-07")
def test_unterminated_multipart() -> None:
    """A missing closing delimiter costs nothing."""
    assert shape(MIXED + b"--b\r\n\r\none") == [("1", "text/plain", b"one")]


@pytest.mark.threat("MIME-07")
def test_multipart_without_boundary() -> None:
    """Parts of a multipart without boundary are found by their headers."""
    raw = b"Content-Type: multipart/mixed\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\nhidden\r\n--x--\r\n"
    assert "text/html" in [kind for _, kind, _ in shape(raw)]
    assert symbols(raw) == {"AMBIGUOUS_BOUNDARY"}


@pytest.mark.threat("MIME-04")
def test_two_transfer_encodings() -> None:
    """A part with two encodings is decoded under both."""
    raw = b"Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
    message = read(raw)
    assert {bytes(content).strip() for content in message.parts[0].contents()} == {b"aGVsbG8=", b"hello"}
    assert {found.symbol for found in message.findings} == {"AMBIGUOUS_ENCODING"}


@pytest.mark.parametrize(
    "value", [b"base64", b"\r\n base64", b"BASE64", b'"base64"', b"base64 (x)", b"x-base64", b"base64,qp", b"base64;"]
)
@pytest.mark.threat("MIME-04")
def test_spellings_of_base64(value: bytes) -> None:
    """However base64 is spelt, its decoding is one of the readings."""
    raw = b"Content-Transfer-Encoding: " + value + b"\r\n\r\naGVsbG8=\r\n"
    assert b"hello" in [bytes(content) for content in read(raw).parts[0].contents()]


@pytest.mark.threat("MIME-04")
def test_missing_colon_in_a_part_header() -> None:
    """A part header line without colon is ambiguous where it looks like a Content field."""
    raw = MIXED + b"--b\r\nContent-Transfer-Encoding base64\r\n\r\naGVsbG8=\r\n--b--\r\n"
    assert symbols(raw) == {"AMBIGUOUS_HEADER"}


def test_unencoded_multipart_that_claims_an_encoding() -> None:
    """A multipart with visible delimiters is not ambiguous for a careless encoding field."""
    raw = b"Content-Transfer-Encoding: base64\r\n" + MIXED + b"--b\r\n\r\none\r\n--b--\r\n"
    assert shape(raw) == [("1", "text/plain", b"one")]
    assert symbols(raw) == set()


def test_part_without_empty_line_has_no_content() -> None:
    """The delimiter ends a part header that no empty line ended."""
    raw = MIXED + b"--b\r\nContent-Type: text/html\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
    assert shape(raw) == [("1", "text/html", b""), ("2", "text/plain", b"two")]


@pytest.mark.parametrize("end", [0, 10, 46, 50, 60, 75, 90])
def test_cut_anywhere_is_read(end: int) -> None:
    """A message cut at any place gives parts, not an error."""
    raw = MIXED + b'--b\r\nContent-Type: text/html; name="x"\r\n\r\none\r\n--b--\r\n'
    assert read(raw[:end]).parts != ()


PART = b"--b\r\n\r\none\r\n"


@pytest.mark.parametrize(
    ("raw", "symbol"),
    [
        pytest.param(MIXED + b"--b\r\nno field\r\n\r\nx", "AMBIGUOUS_HEADER", id="no-field"),
        pytest.param(MIXED + b"--b\r\nX : y\r\n\r\nx", "AMBIGUOUS_HEADER", id="blank-before-colon"),
        pytest.param(b"Content-Type: message/rfc822\r\n\r\nno field\r\n\r\nx", "AMBIGUOUS_HEADER", id="inner-no-field"),
        pytest.param(
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nbm8gZmllbGQKCng=",
            "AMBIGUOUS_HEADER",
            id="encoded-no-field",
        ),
        pytest.param(
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nSubject: plain\r\n\r\nx",
            "AMBIGUOUS_ENCODING",
            id="not-encoded-at-all",
        ),
        pytest.param(MIXED + b"--b\r\nX: y\r\n--b--", "AMBIGUOUS_BOUNDARY", id="no-empty-line"),
        pytest.param(MIXED + PART + b"--b --\r\ny", "AMBIGUOUS_BOUNDARY", id="blank-in-closing"),
        pytest.param(b"Content-Type: a/b; boundary; boundary=b\r\n\r\n" + PART, "AMBIGUOUS_BOUNDARY", id="bare"),
        pytest.param(
            b"Content-Type: multipart/a; boundary=; x; boundary=b\r\n\r\n" + PART, "AMBIGUOUS_BOUNDARY", id="empty"
        ),
        pytest.param(
            b"Content-Type: multipart/a; boundary=" + b"b" * 3_000 + b"\r\n\r\n", "AMBIGUOUS_BOUNDARY", id="too-long"
        ),
        pytest.param(b"Content-Type: multipart; boundary=b\r\n\r\n" + PART, "AMBIGUOUS_TYPE", id="no-subtype"),
        pytest.param(b"Content-Type: multipart/a/b; boundary=b\r\n\r\n" + PART, "AMBIGUOUS_TYPE", id="two-slashes"),
        pytest.param(b"Content-Type: multipartx/a; boundary=b\r\n\r\n" + PART, "AMBIGUOUS_TYPE", id="nearly"),
        pytest.param(b"Content-Type: message/rfc822 x\r\n\r\nA: b\r\n\r\nx", "AMBIGUOUS_TYPE", id="junk-behind"),
        pytest.param(
            b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\nContent-Type:\r\n\r\nA: b\r\n--b--",
            "AMBIGUOUS_TYPE",
            id="empty-in-digest",
        ),
    ],
)
@pytest.mark.threat("MIME-03", "MIME-04", "MIME-07")
def test_structure_that_readers_part_over(raw: bytes, symbol: str) -> None:
    """What one reader takes for text and another for structure is said."""
    assert symbol in symbols(raw)


@pytest.mark.threat("MIME-07")
def test_multipart_that_only_closes() -> None:
    """Without any part the whole is text to a client, however short it is."""
    assert ("1", "text/plain", b"http://x.test/\r\n--b--\r\n") in shape(MIXED + b"http://x.test/\r\n--b--\r\n")


@pytest.mark.parametrize("name", ["x-uuencode", "uuencode", "X-UUE", "uue", "x-uuencode;"])
@pytest.mark.threat("MIME-08")
def test_uuencode_as_a_transfer_encoding(name: str) -> None:
    """No standard names it, clients decode it: begin line, padded lines and a last line without its end."""
    raw = f'Content-Type: a/b\r\nContent-Transfer-Encoding: {name}\r\n\r\nbegin 6\r\n"(7!PF'.encode()
    assert b"!p" in [bytes(content) for content in read(raw).parts[0].contents()]
