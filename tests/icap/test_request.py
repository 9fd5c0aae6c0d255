"""What goes to an ICAP service: the protocol's heads, and the message in chunks, each byte once."""

import os
from collections.abc import Iterator

import pytest

from filterd.config.icap import parse_service
from filterd.icap.request import CHUNK, LAST, LAST_OF_ALL, Content, Span, ask_options, begin, chunks
from filterd.model.message import RawMessage
from filterd.pipeline.body import Body

SERVICE = parse_service("icap://[::1]/avscan?mode=simple")


@pytest.fixture
def content() -> Iterator[Content]:
    """A message of more than two chunks."""
    body = Body()
    body.append(b"0123456789abcdef" * (CHUNK // 8 + 1))
    yield Content.of(RawMessage(((b"Subject", b" x"),), body.fd, body.size))
    body.close()


def joined(content: Content, segments: Iterator[bytes | Span]) -> bytes:
    """What is sent, as one."""
    fd = content.message.body_fd
    return b"".join([os.pread(fd, one[1] - one[0], one[0]) if isinstance(one, tuple) else one for one in segments])


def unchunked(data: bytes) -> tuple[bytes, bytes]:
    """The content of chunks, and the last one."""
    out = b""
    while not data.startswith(b"0"):
        size, _, data = data.partition(b"\r\n")
        out, end, data = out + data[: int(size, 16)], data[int(size, 16) :][:2], data[int(size, 16) + 2 :]
        assert end == b"\r\n"
    return out, data


@pytest.mark.parametrize("place", [0, 5, 60, 1024, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_a_preview_and_the_rest_are_the_message(content: Content, place: int) -> None:
    """Wherever the preview ends: in the header, in the body, at a chunk's end; the first field is ours."""
    first, end = unchunked(joined(content, chunks(content, 0, place, LAST)))
    rest, _ = unchunked(joined(content, chunks(content, place, content.size, LAST_OF_ALL)))
    assert (len(first), end) == (place, b"0\r\n\r\n")
    whole = first + rest
    assert whole == content.head + os.pread(content.message.body_fd, content.message.body_size, 0)
    assert whole.startswith(b"Received: by filterd\r\nSubject: x\r\n\r\n0123")


@pytest.mark.parametrize("method", ["RESPMOD", "REQMOD"])
def test_the_places_of_parts_are_those_where_they_begin(method: str) -> None:
    """RFC 3507, 4.4.1: offsets count from the end of the ICAP head."""
    head, _, rest = begin(SERVICE, method, 77, 50).partition(b"\r\n\r\n")
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert (lines[b"Allow"], lines[b"Preview"], lines[b"Host"]) == (b"204", b"50", b"[::1]")
    places = {name: int(at) for name, at in (part.split(b"=") for part in lines[b"Encapsulated"].split(b", "))}
    assert rest[: places[b"req-hdr"] + 3] in (b"GET", b"POS")
    if method == "RESPMOD":
        assert rest[places[b"res-hdr"] :].startswith(b"HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\n")
        assert places[b"res-body"] == len(rest)
    else:
        assert places == {b"req-hdr": 0, b"req-body": len(rest)}
    assert rest.endswith(b"Content-Length: 77\r\n\r\n")
    assert head.startswith(method.encode() + b" icap://[::1]:1344/avscan?mode=simple ICAP/1.0\r\n")


def test_options_are_asked_of_the_service_itself() -> None:
    """Without a preview nothing is said of one."""
    assert ask_options(SERVICE).startswith(b"OPTIONS icap://[::1]:1344/avscan?mode=simple ICAP/1.0\r\n")
    assert b"Preview" not in begin(SERVICE, "RESPMOD", 1, None)
