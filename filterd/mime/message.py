"""The parsed message: a flat list of leaf parts over one buffer."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from filterd.mime.decode import Data, readings
from filterd.mime.header import unfold
from filterd.model.message import HeaderField
from filterd.model.report import Finding


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf: something with content of its own.

    `path` numbers it as IMAP does ("1", "1.2"). `raw` is its encoded content and `offset` where that begins in the
    buffer it came from (the body, or an encoded message's decoded content). `types` and `encodings` hold every
    reading, likeliest first; `filenames` every name a client may show. `kind` is "body" for a regular part, or says
    where a client is not supposed to look: "preamble", "epilogue", "stray" (a part header where none belongs), "rest"
    (behind a limit), "whole" (a multipart that another reading takes for text).
    """

    path: str
    depth: int
    offset: int
    raw: memoryview
    types: tuple[str, ...] = ("text/plain",)
    charset: str = ""
    encodings: tuple[str, ...] = ()
    disposition: str = ""
    filenames: tuple[str, ...] = ()
    fields: tuple[HeaderField, ...] = ()
    kind: str = "body"

    @property
    def content_type(self) -> str:
        """The likeliest declared type, lower case."""
        return self.types[0]

    def contents(self) -> Sequence[Data]:
        """The decoded content under each reading of its transfer encoding, likeliest first."""
        return readings(self.raw, self.encodings)


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message: `parts` in order of appearance, `containers` (path, type) of multiparts and inner messages.

    `decoded` is how many bytes inner messages take that had to be decoded.
    """

    fields: tuple[HeaderField, ...]
    body: memoryview
    parts: tuple[Part, ...] = ()
    containers: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    index: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    decoded: int = 0

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """Raw values of all fields of that lower-case name, in order."""
        return self.index.get(name, ())

    def first(self, name: bytes) -> bytes:
        """The first field of that lower-case name, unfolded; empty where there is none."""
        found = self.index.get(name)
        return unfold(found[0]) if found else b""


def index_fields(fields: tuple[HeaderField, ...]) -> dict[bytes, tuple[bytes, ...]]:
    """Lower-case names to the raw values in order."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        key = name.lower()
        if key in found:
            found[key].append(value)
        else:
            found[key] = [value]
    return {key: tuple(values) for key, values in found.items()}
