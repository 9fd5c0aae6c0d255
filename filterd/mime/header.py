"""Header blocks: where they end, and their fields in order as raw bytes (RFC 5322, section 2.2)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Final, TypeAlias

from filterd.mime.limits import MAX_HEADER_BLOCK
from filterd.model.message import HeaderField

Buffer: TypeAlias = bytes | bytearray | memoryview

_END: Final = re.compile(rb"\n\r?\n")
_LENIENT_END: Final = re.compile(rb"\n\r*+\n")
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")
# RFC 5322 3.6.8: a name is printable ASCII without colon. Blanks before the colon are the obsolete form (4.5).
_NAME: Final = re.compile(rb"[!-9;-~]+[ \t]*\Z")
# A field as nearly all are. A line is tried once: those that continue a field begin with what no name holds.
_PLAIN: Final = re.compile(rb"^([!-9;-~]++):((?:[^\r\n\0]++|\r\n[ \t])*+)\r\n", re.MULTILINE)
# What a reader that forgives much takes for a field that decides, in a line that is none.
_NEARLY: Final = re.compile(
    rb"(content-(?:type|transfer-encoding|disposition))[^A-Za-z]*(.*)", re.IGNORECASE | re.DOTALL
)
# A carriage return alone ends a line to some; what follows is a field to them.
_LONE: Final = re.compile(rb"\r(?!\n)[ \t]*[!-9;-~]+[ \t]*:")
_AROUND: Final = 3  # bytes of such a field that are neither name nor value
_MBOX: Final = re.compile(rb">*From ")  # Postfix' smtpd takes it so, before it looks for a colon


@dataclass(frozen=True, slots=True)
class HeaderBlock:
    """Fields in order, the offset of what follows the header, and lines that are no fields.

    `garbage` holds lines without a usable name; `loose` says that a blank stood before a colon or a field behind a bare
    carriage return, `nul` that a value held a NUL byte. `odd` is the offset of the first line that some take for the
    end of the header though it is not empty, -1 where there is none.
    """

    fields: tuple[HeaderField, ...]
    end: int
    garbage: tuple[bytes, ...] = ()
    loose: bool = False
    nul: bool = False
    odd: int = -1


def split(raw: Buffer) -> tuple[tuple[HeaderField, ...], int]:
    """A whole message: its header fields and the offset of the body, as Postfix would part them.

    Values keep the blank behind the colon; folds become CRLF; a NUL cuts its value. A line without a usable name ends
    the header and begins the body. mbox lines at the very top become X-Mailbox-Line, and cannot be folded.
    """
    block = split_block(memoryview(raw), 0, MAX_HEADER_BLOCK, strict=True)
    return block.fields, block.end


def split_block(view: memoryview, start: int, limit: int, *, strict: bool) -> HeaderBlock:
    """The header that begins at `start`, at most `limit` bytes of it.

    With `strict` a line that is no field ends the header, as in an MTA; without it such lines are left out, and what
    forgiving readers make of them is added.
    """
    empty = line_end(view, start)
    if empty > start:
        return HeaderBlock((), empty)
    stop = min(len(view), start + limit)
    blank = (_END if strict else _LENIENT_END).search(view, start, stop)
    text = bytes(view[start : blank.start() + 1 if blank else stop])
    plain = _PLAIN.findall(text)
    if blank and sum(map(len, chain.from_iterable(plain))) + _AROUND * len(plain) == len(text):
        return HeaderBlock(tuple(plain), blank.end())
    block = _Block()
    body = block.read(text, strict=strict)
    end = start + body if body >= 0 else (blank.end() if blank else stop)
    odd = start + block.odd if block.odd >= 0 else -1
    return HeaderBlock(tuple(block.fields), end, tuple(block.garbage), block.loose, b"\0" in text, odd)


@dataclass(slots=True)
class _Block:
    """The lines of one header block, read one by one."""

    fields: list[HeaderField] = field(default_factory=list)
    garbage: list[bytes] = field(default_factory=list)
    loose: bool = False
    odd: int = -1

    def read(self, text: bytes, *, strict: bool) -> int:
        """Fill the lists; the offset at which a strict reading ends early, or -1."""
        offset = 0
        blank = -1
        name = b""
        lines: list[bytes] = []
        top = True
        for line in text.split(b"\n"):
            bare = line[:-1] if line.endswith(b"\r") else line
            mbox = top and _MBOX.match(bare) is not None
            if mbox:
                self._flush(name, lines, strict=strict)
                name, lines = b"X-Mailbox-Line", [b" " + bare]
            elif bare[:1] in (b" ", b"\t") and name and not top:
                lines.append(bare)
                if blank < 0 and not bare.strip():
                    blank = offset
            else:
                head, colon, value = bare.partition(b":")
                if colon and (head.isalnum() or _NAME.match(head)):
                    self._flush(name, lines, strict=strict)
                    name, lines = head.rstrip(b" \t"), [value]
                    self.loose = self.loose or len(name) < len(head)
                elif not (bare if strict else bare.strip(b"\r")):
                    pass
                elif strict:
                    self._flush(name, lines, strict=strict)
                    return offset
                else:
                    self.garbage.append(bare[:200])
                    # A line of blanks before it ends the header for some, and this one for others.
                    self.odd = self.odd if self.odd >= 0 else offset if blank < 0 else blank
                    self._guess(bare)
            top = mbox
            offset += len(line) + 1
        self._flush(name, lines, strict=strict)
        if not strict:
            self._other_readings()
        return -1

    def _guess(self, line: bytes) -> None:
        """A line that is nearly a Content field, NUL and other characters left out."""
        match = _NEARLY.search(line.replace(b"\0", b""))
        if match is not None:
            self.fields.append((match[1], match[2]))

    def _other_readings(self) -> None:
        """Fields that stand behind a bare carriage return."""
        behind = lone_fields(self.fields)
        self.loose = self.loose or bool(behind)
        self.fields += behind

    def _flush(self, name: bytes, lines: list[bytes], *, strict: bool) -> None:
        """Keep the field collected so far."""
        if not name:
            return
        value = lines[0] if len(lines) == 1 else b"\r\n".join(lines)
        if b"\0" in value:
            if not strict:
                self.fields.append((name, value.replace(b"\0", b"")))  # NUL is skipped by some, and ends it for others
            value = value[: value.index(b"\0")]
        self.fields.append((name, value))


def lone_fields(fields: Iterable[HeaderField]) -> list[HeaderField]:
    """Fields that begin behind a bare carriage return inside of others: line ends to some readers."""
    found: list[HeaderField] = []
    for _, value in fields:
        if b"\r" in value and value.count(b"\r") != value.count(b"\r\n") and _LONE.search(value):
            for line in value.replace(b"\r\n", b" ").split(b"\r")[1:]:
                name, colon, rest = line.partition(b":")
                if colon and _NAME.match(name.lstrip(b" \t")):
                    found.append((name.strip(b" \t"), rest))
    return found


def line_end(view: memoryview, offset: int) -> int:
    """The offset behind the CRLF or LF that stands at `offset`, or `offset` itself where none does."""
    ends = bytes(view[offset : offset + 2])
    if ends[:1] == b"\n":
        return offset + 1
    return offset + 2 if ends == b"\r\n" else offset


def header_end(view: memoryview, start: int, limit: int) -> int:
    """The offset behind the empty line that ends the header at `start`, or behind `limit` bytes where there is none."""
    if line_end(view, start) > start:
        return start
    stop = min(len(view), start + limit)
    blank = _LENIENT_END.search(view, start, stop)
    return blank.end() if blank else stop


def unfold(value: bytes) -> bytes:
    """A value on one line, each fold a single blank, outer blanks gone (RFC 5322, section 2.2.3)."""
    if b"\n" in value:
        value = _FOLD.sub(b" ", value).replace(b"\n", b" ")
    return value.strip(b" \t\r")


def first(fields: tuple[HeaderField, ...], name: bytes) -> bytes | None:
    """The first field of that lower-case name, unfolded; None where there is none."""
    for key, value in fields:
        if key.lower() == name:
            return unfold(value)
    return None
