"""An ICAP answer as it comes in, whatever the pieces: its head, and whether it gives the message back unchanged.

Every bound is a constant below; whatever goes beyond one, or is not the protocol, is a ScannerError: no answer.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from filterd.scanners.sockets import ScannerError, shown

MAX_HEAD: Final = 16_384  # bytes of an ICAP head; usual ones have 300
MAX_INNER: Final = 65_536  # bytes of the HTTP heads that an answer encapsulates; ours have 200
MAX_LINE: Final = 256  # bytes of the line before a chunk
MAX_NUMBER: Final = 12  # digits
SMALLEST: Final = 64  # bytes that chunks have on average at least; servers send thousands
FEW: Final = 1_000  # chunks that may be smaller
OK: Final = 200
CONTINUE: Final = 100
NO_CONTENT: Final = 204

_STATUS: Final = re.compile(rb"ICAP/1\.[0-9] ([0-9]{3})(?: [^\r\n]*)?")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ \t]*([^\r\n]*)")
_HTTP: Final = re.compile(rb"HTTP/1\.[0-9] ([0-9]{3})[ \r]")
_PART: Final = re.compile(r"(req-hdr|res-hdr|req-body|res-body|opt-body|null-body)\s?=\s?([0-9]{1,6})")
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?")


@dataclass(frozen=True, slots=True)
class Head:
    """Status and fields, by lower-case name; of a folded value the lines are kept apart by a line feed."""

    status: int
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this answer."""
        return "close" in self.fields.get("connection", "").lower()


def read_head(data: bytes) -> Head:
    """The lines of a head, without the empty one behind them. ScannerError."""
    first, *lines = data.split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise ScannerError(f"it answered what nobody understands: {shown(first)}")
    fields: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in (b" ", b"\t") and name:
            fields[name] += "\n" + line.strip().decode("latin-1")
            continue
        found = _FIELD.fullmatch(line)
        if found is None:
            raise ScannerError(f"it answered with a field that is none: {shown(line)}")
        name = found[1].decode("ascii").lower()
        value = found[2].decode("latin-1").rstrip()
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return Head(int(status[1]), fields)


@dataclass(frozen=True, slots=True)
class Layout:
    """RFC 3507, 4.4.1: how many bytes of HTTP heads come, where the one of a response begins, what body follows."""

    heads: int
    response: int | None
    body: str


def read_layout(value: str) -> Layout:
    """What Encapsulated says. ScannerError."""
    parts: list[tuple[str, int]] = []
    for text in value.split(",", 4):
        found = _PART.fullmatch(text.strip())
        if found is None:
            raise ScannerError("its answer has no order of parts")
        parts.append((found[1], int(found[2])))
    places = [place for _, place in parts]
    body, heads = parts[-1]
    if places[0] != 0 or places != sorted(places) or heads > MAX_INNER or not body.endswith("body"):
        raise ScannerError("its answer has parts in no order")
    return Layout(heads, dict(parts).get("res-hdr"), body)


class ResponseReader:
    """Takes the bytes of one answer. `done` once all that matters is known; then `head` is there.

    `changed` says in words what came back instead of the message; empty where that is as it was sent, or did not come.
    """

    def __init__(
        self,
        size: int = 0,
        kind: str = "",
        original: Callable[[int, int], bytes] = lambda _offset, _size: b"",
        enough: Callable[[Head], bool] = lambda _: False,
    ) -> None:
        """`size` bytes were sent as the `kind` of body; `original` gives some of them, by place and number.

        `enough` says whether a head alone tells what there is to know.
        """
        self.head: Head | None = None
        self.changed = ""
        self.done = False
        self.started = False
        self._size = size
        self._kind = kind
        self._original = original
        self._enough = enough
        self._buffer = bytearray()
        self._looked = 0  # bytes of the buffer that hold no end of the head
        self._seen = 0  # bytes of the message that came back
        self._left = 0  # bytes of this chunk
        self._chunks = 0
        self._layout = Layout(0, None, "null-body")
        self._step: Callable[[], bool] = self._in_head

    @property
    def rest(self) -> bytes:
        """What came behind the answer."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take what has arrived. ScannerError."""
        self.started = self.started or bool(data)
        self._buffer += data
        while not self.done and self._step():
            pass

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _in_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", max(0, self._looked - 3))
        self._looked = len(self._buffer)
        if (end if end >= 0 else self._looked) > MAX_HEAD:
            raise ScannerError("its answer has too long a head")
        if end < 0:
            return False
        self.head = read_head(self._take(end))
        del self._buffer[:4]
        if self.head.status != OK or not self._size or self._enough(self.head):
            self.done = True  # what an error says more is for people
        else:
            self._layout = read_layout(self.head.fields.get("encapsulated", ""))
            self._step = self._in_heads
        return True

    def _in_heads(self) -> bool:
        """The HTTP heads: a response of another status is not the message."""
        if len(self._buffer) < self._layout.heads:
            return False
        heads = self._take(self._layout.heads)
        if self._layout.response is not None:
            status = _HTTP.match(heads, self._layout.response)
            if status is None:
                raise ScannerError("its answer has no HTTP status")
            if int(status[1]) != OK:
                return self._changes(f"replaced: HTTP {int(status[1])}")
        if self._layout.body == "null-body":
            return self._changes("removed")
        if self._layout.body != self._kind:
            return self._changes("answered instead of passed on")
        self._step = self._in_size
        return True

    def _in_size(self) -> bool:
        """RFC 9112, 7.1: the size of a chunk, none for the last."""
        end = self._buffer.find(b"\r\n", 0, MAX_LINE)
        if end < 0:
            if len(self._buffer) >= MAX_LINE:
                raise ScannerError("its answer has too long a line before a chunk")
            return False
        found = _SIZE.fullmatch(self._take(end))
        del self._buffer[:2]
        self._chunks += 1
        if found is None or self._chunks > FEW + self._size // SMALLEST:
            raise ScannerError("its answer is in no proper chunks")
        self._left = int(found[1], 16)
        if self._seen + self._left > self._size:
            return self._changes("longer than it was")
        self._step = self._in_chunk if self._left else self._behind
        return True

    def _in_chunk(self) -> bool:
        if not self._buffer:
            return False
        piece = self._take(self._left)
        if piece != self._original(self._seen, len(piece)):
            return self._changes("changed")
        self._seen += len(piece)
        self._left -= len(piece)
        if not self._left:
            self._step = self._chunk_ends
        return True

    def _chunk_ends(self) -> bool:
        return self._line_ends(self._in_size)

    def _behind(self) -> bool:
        """The end of the last chunk; trailers are not announced by us, so there are none."""
        if not self._line_ends(self._behind):
            return False
        return self._changes("shorter than it was") if self._seen < self._size else self._ends()

    def _line_ends(self, step: Callable[[], bool]) -> bool:
        if len(self._buffer) < 2:  # noqa: PLR2004  # CR and LF
            return False
        if self._take(2) != b"\r\n":
            raise ScannerError("its answer is in no proper chunks")
        self._step = step
        return True

    def _changes(self, how: str) -> bool:
        self.changed = how
        return self._ends()

    def _ends(self) -> bool:
        self.done = True
        return True
