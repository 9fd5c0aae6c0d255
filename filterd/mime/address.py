"""Who wrote the message: the From field(s), read so that every doubt shows (RFC 5322, sections 3.4 and 3.6.2).

Display names deceive people and DMARC judges the domain, so an address that a mail client could read differently is
`ambiguous`, with the reason in words, and never silently one of its readings.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from filterd.domains import normalise
from filterd.mime.header import unfold
from filterd.mime.limits import MAX_ADDRESSES
from filterd.mime.words import decode_words
from filterd.model.inspection import Author, Mailbox

_TOKEN: Final = re.compile(rb"\"(?:[^\"\\]|\\.)*+\"?|\\.|[<>,:;()]|[^\"<>,:;()\\\s]++|\s++|\\", re.DOTALL)
_QUOTED: Final = re.compile(rb"\"(?:[^\"\\]|\\.)*+\"", re.DOTALL)
_IN_COMMENT: Final = re.compile(rb"\\.|[()]", re.DOTALL)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_SIMPLE: Final = re.compile(
    rb"(?:\"([^\"\\@<>]*+)\"[ \t]*+|([^\"\\@<>(),:;\[\]\x00-\x1f]*+))"
    rb"<([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]++)@([A-Za-z0-9.-]++)>\Z"
)
_ADDRESS: Final = re.compile(rb"[^\s\"<>,;:()@]+@[^\s\"<>,;:()@]+")


def read_author(values: tuple[bytes, ...]) -> Author:
    """The author(s) from the raw values of all From fields in order. Linear; never raises."""
    if not values:
        return Author(ambiguous="no From field")
    if len(values) == 1:
        # What nearly all mail looks like.
        match = _SIMPLE.match(unfold(values[0]))
        if match is not None:
            domain = normalise(match[4])
            if domain is not None and b"=?" not in match[3]:
                display = decode_words((match[1] or match[2] or b"").strip())
                return Author((Mailbox(match[3].decode("ascii"), domain, display),))
    scan = _Scan()
    for value in values[:MAX_ADDRESSES]:
        scan.read(unfold(value))
    if len(values) > 1:
        scan.doubt("several From fields")
    elif not scan.mailboxes:
        scan.doubt("no address")
    elif len({mailbox.domain for mailbox in scan.mailboxes}) > 1:
        scan.doubt("several author domains")
    return Author(tuple(scan.mailboxes), scan.ambiguous)


def read_mailboxes(value: bytes) -> tuple[Mailbox, ...]:
    """The mailboxes of a field such as Reply-To or Sender; what is doubtful is left out."""
    return read_author((value,)).mailboxes if value else ()


@dataclass(slots=True)
class _Pending:
    """One mailbox while it is read: phrase before, address in angle brackets, text after, comments.

    `addressed` is true behind an @ outside brackets, `closed` behind a comment that follows it.
    """

    before: list[bytes] = field(default_factory=list)
    angle: list[bytes] | None = None
    after: list[bytes] = field(default_factory=list)
    comments: list[bytes] = field(default_factory=list)
    addressed: bool = False
    closed: bool = False


@dataclass(slots=True)
class _Scan:
    """The mailboxes and the first doubt so far."""

    mailboxes: list[Mailbox] = field(default_factory=list)
    ambiguous: str = ""

    def doubt(self, reason: str) -> None:
        """Keep the first reason why there are two readings."""
        self.ambiguous = self.ambiguous or reason

    def read(self, value: bytes) -> None:
        """Read one field's address list."""
        if _CONTROL.search(value):
            self.doubt("control characters")
        inside = False
        one = _Pending()
        position = 0
        while (match := _TOKEN.match(value, position)) is not None:
            token = match[0]
            position = match.end()
            if token[:1] == b'"' and _QUOTED.fullmatch(token) is None:
                self.doubt("an unclosed quote")
            if inside:
                inside = token != b">"
                if inside and one.angle is not None:
                    one.angle.append(token)
            elif token == b"(":
                text, position = self.comment(value, match.start())
                one.comments.append(text)
                one.closed = one.addressed
            elif token == b"<":
                if one.angle is not None:
                    self.doubt("two addresses in brackets")
                    one.after += one.angle
                one.angle = []
                inside = True
            else:
                one = self.outside(one, token)
        if inside:
            self.doubt("an unclosed bracket")
        self.finish(one)

    def comment(self, value: bytes, start: int) -> tuple[bytes, int]:
        """The text of the comment that begins at `start`, and where to go on. They nest; quotes mean nothing there."""
        depth = 0
        for match in _IN_COMMENT.finditer(value, start):
            depth += (match[0] == b"(") - (match[0] == b")")
            if not depth:
                text = value[start + 1 : match.start()]
                if text.count(b'"') % 2:
                    # A reader that looks for quoted strings first finds another end.
                    self.doubt("a quote in a comment")
                return text, match.end()
        self.doubt("an unclosed bracket")
        return value[start + 1 :], len(value)

    def outside(self, one: _Pending, token: bytes) -> _Pending:
        """A token outside brackets and comments; the mailbox to go on with."""
        if token in (b",", b";"):
            self.finish(one)
            return _Pending()
        if token == b":":
            # RFC 5322 3.4: a group; clients show its name as the author.
            self.doubt("a group")
            return _Pending()
        if one.closed and not token.isspace():
            # RFC 5322 4.4: obsolete domains hold comments. They go on behind them, or ended before, as readers like it.
            self.doubt("a comment inside the address")
        if token in (b")", b">"):
            self.doubt("an unopened bracket")
        one.addressed = one.addressed or b"@" in token
        (one.before if one.angle is None else one.after).append(token)
        return one

    def finish(self, one: _Pending) -> None:
        """Make a mailbox of what stands between two commas."""
        before = b"".join(one.before).strip()
        if one.angle is None and not before:
            return
        if len(self.mailboxes) == MAX_ADDRESSES:
            self.doubt("too many addresses")
            return
        if one.angle is None:
            display = b"".join(one.comments)
            address = self.bare(before)
        else:
            display = before or b"".join(one.comments)
            address = self.routed(b"".join(one.angle).strip())
            self.beside(one, address)
        self.address(address, display)

    def bare(self, text: bytes) -> bytes:
        """An address without brackets; text beside it makes it doubtful."""
        if b"=?" in text:
            self.doubt("an encoded address")
        if not any(blank in text for blank in (b" ", b"\t")) or text[:1] == b'"':
            return text
        found = _ADDRESS.findall(text)
        self.doubt("text beside the address")
        return found[-1] if found else text

    def routed(self, text: bytes) -> bytes:
        """An address in brackets, without the obsolete route (RFC 5322, section 4.4)."""
        if text[:1] == b"@" and b":" in text:
            self.doubt("a route")
            return text.rpartition(b":")[2]
        return text

    def beside(self, one: _Pending, address: bytes) -> None:
        """An unquoted second address beside the bracketed one is what some clients and parsers take instead."""
        for text in (*one.before, *one.after):
            if text[:1] != b'"' and b"@" in text and text.strip(b"<>").lower() != address.lower():
                self.doubt("two addresses")
        if b"".join(one.after).strip():
            self.doubt("text behind the address")

    def address(self, text: bytes, display: bytes) -> None:
        """Split at the @ and keep the mailbox; the domain is empty where it is none."""
        local, at, host = text.rpartition(b"@")
        quoted = _QUOTED.fullmatch(local) is not None
        if not at or not local:
            self.doubt("no address")
            return
        if b"@" in local and not quoted:
            self.doubt("several @ signs")
        if b"=?" in text:
            self.doubt("an encoded address")
        if any(blank in text for blank in (b" ", b"\t")) and not quoted:
            self.doubt("blanks in the address")
        domain = normalise(host.strip())
        if domain is None:
            self.doubt("the domain is no name")
        self.mailboxes.append(Mailbox(local.decode("utf-8", "replace"), domain or "", _display(display)))


def _display(raw: bytes) -> str:
    """A display name as shown: quotes and escapes removed, encoded words decoded."""
    text = raw.strip()
    if len(text) > 1 and text[:1] == b'"' and text[-1:] == b'"':
        text = re.sub(rb"\\(.)", rb"\1", text[1:-1])
    return decode_words(text)
