"""The walk over parts. Invariant: what another reader takes for content is among ours, or the message is ambiguous.

The other reader is the standard library's parser. Parts are slices of the buffer they came from, within the limits of
number and depth, and what was not read is a finding.
"""

import email
import re
from collections.abc import Iterator
from dataclasses import replace
from email.message import Message as EmailMessage
from typing import Final

import pytest

from filterd.mime.buried import buried
from filterd.mime.header import split
from filterd.mime.limits import MAX_DEPTH, MAX_PARTS
from filterd.mime.message import Message
from filterd.mime.symbols import AMBIGUOUS, UNSCANNABLE
from filterd.mime.tree import parse
from filterd.model.message import header_block
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

MIXED: Final = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
MESSAGES: Final = {"message/rfc822", "message/global", "message/news"}
EVIL: Final = b"TVqQAAMAAAAEAAAA//8AALgAAAAAAAAAQAAAAAAAAAAAAAAA\r\n"
SEEDS: Final = (
    MIXED + b"preamble\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>two\r\n--b--\r\nepilogue\r\n",
    MIXED
    + b"--b\r\nContent-Type: application/octet-stream; name=a.exe\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + EVIL
    + b"--b--\r\n",
    MIXED
    + b"--b\r\nContent-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\n\r\nx\r\n--bb--\r\n\r\n"
    + b"--b\r\n\r\ny\r\n--b--",
    b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n" + MIXED + b"--b\r\n\r\ninner\r\n--b--\r\n",
    b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: d\r\n\r\ntext\r\n--b--\r\n",
    b"Content-Type: multipart/mixed; boundary=b; boundary=c\r\n\r\n--b\r\n\r\nx\r\n--c\r\n\r\ny\r\n--c--\r\n--b--\r\n",
    b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogaW4NCg0KaW5uZXI=\r\n",
    b"Subject: plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc\r\n",
    b"Content-Type: message/partial; number=1; total=3; id=x\r\n\r\nx",
)
TOKENS: Final = (
    b"--b",
    b"--b--",
    b"\r\n--b\r\n",
    b"\r\n--b--\r\n",
    b"\n--b\n",
    b"--bb",
    b"--b \r\n",
    b"--",
    b"\r\n\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    MIXED,
    b"Content-Type: ",
    b"Content-Type: multipart/mixed; boundary=c\r\n",
    b"Content-Type: text/html\r\n\r\n",
    b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Type: message/global\r\n\r\n",
    b"Content-Type: multipart/digest; boundary=b\r\n\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Disposition: attachment; filename=a.exe\r\n",
    b"boundary=",
    b"boundary=c",
    b'boundary="b"',
    b";",
    b'"',
    b"(",
    b"\0",
    b"no colon\r\n",
    EVIL,
)


def contents_of(message: Message) -> set[bytes]:
    """Every reading of every part, and what was decoded: another reader may have failed to."""
    return {flat(bytes(reading)) for part in message.parts for reading in (*part.contents(), part.raw)}


def flat(content: bytes) -> bytes:
    """Without line ends: readers differ in which of them belong to the structure."""
    return content.translate(None, b"\r\n")


def others(message: EmailMessage) -> Iterator[bytes]:
    """What the standard library takes for content."""
    if message.get_content_type() in MESSAGES or message.get_content_maintype() == "multipart":
        # A multipart in which it found no part is the whole to it, headers and delimiters of our parts included.
        for part in message.get_payload() if message.is_multipart() else ():
            assert isinstance(part, EmailMessage)
            yield from others(part)
        return
    content = None if message.is_multipart() else message.get_payload(decode=True)
    if isinstance(content, bytes) and content.strip():
        yield content.strip()


def check(raw: bytes) -> None:
    """Walk a whole message. A bare carriage return is a blank, as an MTA makes it."""
    raw = re.sub(rb"\r(?!\n)", b" ", raw)
    fields, start = split(raw)
    body = memoryview(raw)[start:]
    message = parse(fields, body)
    symbols = {found.symbol for found in message.findings}
    assert symbols <= AMBIGUOUS | UNSCANNABLE
    assert len(message.parts) <= MAX_PARTS
    assert message.parts or message.containers
    for part in message.parts:
        assert part.depth <= MAX_DEPTH + 1
        assert part.types
        assert part.contents()
        assert part.raw.nbytes <= len(raw)
        if part.raw.obj is body.obj:
            assert part.raw == body[part.offset : part.offset + part.raw.nbytes]
        part.path.encode()
        (part.charset + part.disposition + "".join(part.filenames)).encode()
    if symbols:
        return
    ours = contents_of(message)
    # The header is what the MTA hands over, for every reader.
    for other in others(email.message_from_bytes(header_block(fields) + body)):
        assert any(flat(other) in one for one in ours), other[:200]


TARGET: Final = Target("tree", check, SEEDS, TOKENS, runs=2_500, largest=16_384)


@pytest.mark.threat("MIME-03", "MIME-04", "MIME-07")
def test_any_bytes() -> None:
    """The invariant over mutants of small messages."""
    fuzz(TARGET)


@pytest.mark.threat("MIME-03", "MIME-04", "MIME-07")
def test_mutants_of_real_messages(mail: tuple[bytes, ...]) -> None:
    """The same over mutants of real ones."""
    fuzz(replace(TARGET, name="real-tree", seeds=mail, runs=500, largest=65_536))


@pytest.mark.threat("MIME-12")
@pytest.mark.parametrize(
    "pattern",
    [
        b"--b\r\n",
        b"\r\n--b\r\n\r\n",
        b"--b--\r\n",
        b"--b\r\nContent-Type: text/html\r\n",
        b"--\r\n",
        b"--bx\r\n",
        b"--bx\r\nContent-Type: x/y\r\n",
        b"\n",
        b"\r\n",
        b"\r",
        b"\r--b",
        b"\r\r\n--b\r\n",
        b"\n\r--b\r\n",
        b"X: y\rContent-Type: x/y\r",
        b" \r\n",
        b"--b\r\nContent-Transfer-Encoding: quoted-printable\r\n=\r\n",
        b"-",
        b"a: b\r\n",
        b"Content-Type: x/y\r\n",
        b"\nContent-Type: x/y\n",
        b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        b"Content-Transfer-Encoding: base64\r\nContent-Type: message/rfc822\r\n\r\n",
        b"x",
        b"\0",
        b" ",
    ],
    ids=repr,
)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Delimiters, near delimiters, headers and levels cost time by their length."""

    def work(raw: bytes) -> None:
        fields, start = split(raw)
        parse(fields, memoryview(raw)[start:])

    for head in (MIXED + b"--b\r\n", b"", b"Content-Type: multipart/mixed\r\n\r\n"):
        assert_linear(work, fill(pattern, head), 60_000)


@pytest.mark.threat("MIME-12")
def test_levels_over_lines_are_linear() -> None:
    """Lines of two dashes under thirty open multiparts cost no more for each level."""
    levels = b"".join(
        [b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(30)]
    )

    def work(raw: bytes) -> None:
        fields, start = split(raw)
        parse(fields, memoryview(raw)[start:])

    assert_linear(work, fill(b"--x\r\n", levels), 60_000)
    assert_linear(work, fill(b"--b29x\r\nline\r\n", levels), 60_000)


@pytest.mark.threat("MIME-12")
@pytest.mark.parametrize(
    "pattern",
    [
        b"\nContent-Type: x/y\n\n",
        b"\nContent-Transfer-Encoding: quoted-printable\n\n",
        b"Content-Type: message/rfc822\n\n",
        b"\nContent-Type: multipart/mixed; boundary=b\n\n--b\n",
        b"\nContent-Disposition:",
        b"Content-",
    ],
    ids=repr,
)
def test_looking_for_parts_in_a_text_is_linear(pattern: bytes) -> None:
    """Headers where nobody declared a part, at the beginning and behind a line."""

    def work(raw: bytes) -> None:
        buried(raw, "1", 0)

    assert_linear(work, fill(pattern), 60_000)
    assert_linear(work, fill(pattern, b"hello\n"), 60_000)
