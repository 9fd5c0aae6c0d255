"""What is sent to an ICAP service: OPTIONS, and a message in chunks. No socket here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from filterd.config.icap import IcapService
from filterd.model.message import RawMessage
from filterd.scanners.sockets import OPENING

CHUNK: Final = 1 << 20  # bytes of one chunk; servers read them in pieces of their own
LAST: Final = b"0\r\n\r\n"
LAST_OF_ALL: Final = b"0; ieof\r\n\r\n"  # RFC 3507, 4.5: the preview was the whole body
# No client has asked for it: scanners want a request, and some judge a file by its name.
_URL: Final = b"http://filterd.invalid/message.eml"
_CONTENT: Final = b"Content-Type: message/rfc822\r\nContent-Length: %d\r\n\r\n"

Span = tuple[int, int]  # from, to: bytes of the message's descriptor


@dataclass(frozen=True, slots=True)
class Content:
    """A message as one row of bytes: `head` in memory, the rest behind the descriptor of the message."""

    head: bytes
    message: RawMessage

    @classmethod
    def of(cls, message: RawMessage) -> "Content":
        """The raw message, begun so that it is taken for one."""
        return cls(OPENING + message.header_block(), message)

    @property
    def size(self) -> int:
        """Bytes of all."""
        return len(self.head) + self.message.body_size

    def pieces(self, begin: int, end: int) -> Iterator[bytes | Span]:
        """What lies between two places: bytes, or where they are in the descriptor."""
        border = len(self.head)
        if begin < border:
            yield self.head[begin : min(end, border)]
        if end > border:
            yield max(begin - border, 0), end - border


def ask_options(service: IcapService) -> bytes:
    """RFC 3507, 4.10.1: what can the service do."""
    return b"OPTIONS %s ICAP/1.0\r\nHost: %s\r\n\r\n" % (service.url.encode(), service.host.encode())


def begin(service: IcapService, method: str, size: int, preview: int | None) -> bytes:
    """Everything before the first chunk (RFC 3507, 4.4.1, 4.8.1, 4.9.1); `preview` is how many bytes come first."""
    ask = b"GET" if method == "RESPMOD" else b"POST"
    request = b"%s %s HTTP/1.1\r\nHost: filterd.invalid\r\n" % (ask, _URL)
    if method == "RESPMOD":
        request += b"\r\n"
        answer = b"HTTP/1.1 200 OK\r\n" + _CONTENT % size
        parts = b"req-hdr=0, res-hdr=%d, res-body=%d" % (len(request), len(request) + len(answer))
        encapsulated = request + answer
    else:
        encapsulated = request + _CONTENT % size
        parts = b"req-hdr=0, req-body=%d" % len(encapsulated)
    head = b"%s %s ICAP/1.0\r\nHost: %s\r\nAllow: 204\r\n" % (
        method.encode(),
        service.url.encode(),
        service.host.encode(),
    )
    if preview is not None:
        head += b"Preview: %d\r\n" % preview
    return head + b"Encapsulated: %s\r\n\r\n" % parts + encapsulated


def chunks(content: Content, start: int, end: int, last: bytes) -> Iterator[bytes | Span]:
    """The content between two places in chunks, and what ends them."""
    for at in range(start, end, CHUNK):
        to = min(at + CHUNK, end)
        yield b"%x\r\n" % (to - at)
        yield from content.pieces(at, to)
        yield b"\r\n"
    yield last
