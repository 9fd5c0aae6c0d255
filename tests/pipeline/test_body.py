"""The body in anonymous memory and its hash."""

import hashlib
import os

from filterd.model.message import RawMessage
from filterd.pipeline.body import Body
from filterd.pipeline.digest import identify


def test_chunks_arrive_whole_and_in_order() -> None:
    """What was appended can be read at any offset, byte for byte."""
    body = Body()
    for chunk in (b"one\r\n", b"", b"\0two" * 50_000):
        body.append(chunk)
    assert os.pread(body.fd, body.size, 0) == b"one\r\n" + b"\0two" * 50_000
    body.close()


def test_closing_twice_closes_once() -> None:
    """A second close must not close somebody else's descriptor of the same number."""
    body = Body()
    body.close()
    other = Body()
    body.close()
    other.append(b"x")
    assert other.size == 1
    other.close()


def test_the_digest_covers_header_and_body() -> None:
    """The content hash is SHA-256 over the message as it stood on the wire."""
    body = Body()
    body.append(b"Hello\r\n")
    message = RawMessage(((b"Subject", b" x\r\n y"),), body.fd, body.size)
    raw = b"Subject: x\r\n y\r\n\r\nHello\r\n"
    assert identify(message) == (hashlib.sha256(raw).hexdigest(), len(raw))
    body.close()


def test_an_empty_body_has_a_digest() -> None:
    """A message that is only a header is a message."""
    body = Body()
    assert identify(RawMessage((), body.fd, 0)) == (hashlib.sha256(b"\r\n").hexdigest(), 2)
    body.close()
