"""Canonicalisation and hashing (RFC 6376, section 3.4): linear in time, constant in memory beside the body itself.

No regular expression runs over a body: the obvious one for "blanks before a line end" is quadratic on a line of blanks.
"""

import hashlib
import mmap
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, Protocol, TypeAlias

Body: TypeAlias = bytes | memoryview | mmap.mmap
"""A message body: lines end with CRLF."""

CHUNK: Final = 1 << 18  # bytes, even; large enough that Python's share vanishes, small enough to stay in the cache

_CRLF: Final = b"\r\n"
_LINE_ENDS: Final = _CRLF * (CHUNK // 2)


class BodyForm(NamedTuple):
    """One way a signature wants the body hashed: `limit` is l=, None for all of it."""

    relaxed: bool
    limit: int | None


class BodyHash(NamedTuple):
    """SHA-256 of the body in one form; `size` counts the canonical bytes, those behind the limit included."""

    digest: bytes
    size: int


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None:
        """Take more bytes."""


def squeeze(data: bytes) -> bytes:
    """Every run of blanks and tabs as one blank."""
    if b"\t" in data:
        data = data.replace(b"\t", b" ")
    # Each pass halves every run, so the passes are as many as the longest run has binary digits.
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """One header field in relaxed form, with its CRLF (RFC 6376, section 3.4.2)."""
    if _CRLF in value:
        value = value.replace(_CRLF, b"")
    return name.rstrip(b" \t").lower() + b":" + squeeze(value).strip(b" ") + _CRLF


def simple_field(name: bytes, value: bytes) -> bytes:
    """One header field as it was received, with its CRLF (RFC 6376, section 3.4.1)."""
    return name + b":" + value + _CRLF


def trailing_line_ends(data: bytes) -> int:
    """How many CRLFs stand at the end, with nothing between them."""
    tail = data[len(data.rstrip(_CRLF)) :]
    if not tail.endswith(_CRLF):
        return 0
    # The run begins behind the last place where the alternation of CR and LF is broken.
    start = max(tail.rfind(b"\r\r") + 1, tail.rfind(b"\n\n") + 2 if b"\n\n" in tail else 0, tail.startswith(b"\n"))
    return (len(tail) - start) // 2


class RelaxedBody:
    """Takes a body in pieces of any length and passes it on in relaxed form (RFC 6376, section 3.4.4).

    What later bytes may still change is held back: line ends that may turn out to be the last ones (a count), and up to
    two bytes, a blank that a line end would swallow and a CR that may be half of one.
    """

    def __init__(self, sinks: Collection[_Hash]) -> None:
        """`sinks` get every canonical byte."""
        self._sinks = sinks
        self._line_ends = 0
        self._held = b""
        self.size = 0

    def _emit(self, data: bytes | memoryview) -> None:
        self.size += len(data)
        for sink in self._sinks:
            sink.update(data)

    def _flush_line_ends(self) -> None:
        while self._line_ends > 0:
            count = min(self._line_ends, CHUNK // 2)
            self._emit(_LINE_ENDS[: 2 * count])
            self._line_ends -= count

    def update(self, piece: bytes) -> None:
        """The next bytes of the body."""
        data = squeeze(self._held + piece if self._held else piece)
        if b" \r\n" in data:
            data = data.replace(b" \r\n", _CRLF)
        size = len(data)
        end = size - data.endswith(b"\r")
        end -= data.endswith(b" ", 0, end)
        if end != size:
            data, self._held = data[:end], data[end:]
        else:
            self._held = b""
        count = trailing_line_ends(data)
        if 2 * count < len(data):
            self._flush_line_ends()
            self._emit(memoryview(data)[: len(data) - 2 * count])
        self._line_ends += count

    def finish(self) -> None:
        """The end of the body: empty lines vanish, a missing final CRLF is added, an empty body stays empty."""
        if self._held:
            self._flush_line_ends()
            self._emit(self._held)
        if self.size:
            self._emit(_CRLF)


def _relaxed(data: bytes) -> bytes:
    """A whole body in relaxed form; see RelaxedBody."""
    data = squeeze(data)
    if b" \r\n" in data:
        data = data.replace(b" \r\n", _CRLF)
    data = data[: len(data) - 2 * trailing_line_ends(data)]
    return data + _CRLF if data else data


def _simple(data: bytes) -> bytes:
    """A whole body in simple form (RFC 6376, section 3.4.3: an empty body too is one CRLF)."""
    return data[: len(data) - 2 * trailing_line_ends(data)] + _CRLF


class _Limited:
    """A hash that takes only the first bytes of what it is given: l=."""

    def __init__(self, limit: int) -> None:
        self.hash = hashlib.sha256()
        self._left = limit

    def update(self, data: bytes | memoryview, /) -> None:
        if self._left > 0:
            self.hash.update(data if len(data) <= self._left else data[: self._left])
            self._left -= len(data)

    def digest(self) -> bytes:
        return self.hash.digest()


def body_hashes(body: Body, forms: Collection[BodyForm]) -> dict[BodyForm, BodyHash]:
    """The body's hash in every form asked for; it is canonicalised once for each of simple and relaxed."""
    if not forms:
        return {}
    hashes: dict[BodyForm, BodyHash] = {}
    with memoryview(body) as view:
        if len(view) <= CHUNK:  # most mail: in one piece there is nothing to hold back
            data = bytes(view)
            wholes = {relaxed: (_relaxed if relaxed else _simple)(data) for relaxed in {form.relaxed for form in forms}}
            for form in forms:
                whole = wholes[form.relaxed]
                covered = whole if form.limit is None else whole[: form.limit]
                hashes[form] = BodyHash(hashlib.sha256(covered).digest(), len(whole))
            return hashes
        for relaxed in {form.relaxed for form in forms}:
            sinks = {
                form: hashlib.sha256() if form.limit is None else _Limited(form.limit)
                for form in forms
                if form.relaxed is relaxed
            }
            size = (_feed_relaxed if relaxed else _feed_simple)(view, list(sinks.values()))
            hashes.update({form: BodyHash(sink.digest(), size) for form, sink in sinks.items()})
    return hashes


class HashedBody:
    """A body that remembers its hashes: DKIM and ARC ask for the same ones. It lives no longer than the body does.

    `whole` is False where body or header are only the beginning of a longer message: nothing verifies or refutes that.
    """

    def __init__(self, body: Body, *, whole: bool = True) -> None:
        """Hash nothing yet."""
        self.whole = whole
        self._body = body
        self._known: dict[BodyForm, BodyHash] = {}

    def hashes(self, forms: Collection[BodyForm]) -> Mapping[BodyForm, BodyHash]:
        """Those asked for, and what was asked for before."""
        self._known.update(body_hashes(self._body, [form for form in forms if form not in self._known]))
        return self._known


def _feed_relaxed(view: memoryview, sinks: Collection[_Hash]) -> int:
    canonical = RelaxedBody(sinks)
    for start in range(0, len(view), CHUNK):
        canonical.update(bytes(view[start : start + CHUNK]))
    canonical.finish()
    return canonical.size


def _feed_simple(view: memoryview, sinks: Collection[_Hash]) -> int:
    end = len(view)
    while end:
        block = bytes(view[max(0, end - CHUNK) : end])
        count = trailing_line_ends(block)
        end -= 2 * count
        if 2 * count < len(block):
            break
    for sink in sinks:
        sink.update(view[:end])
        sink.update(_CRLF)  # RFC 6376, section 3.4.3: an empty body too is one CRLF
    return end + 2
