"""Tricks with delimiters, line ends and the order of things (MIME-07)."""

import random
from typing import Final

from tests.mime.hiding.kit import (
    FROM,
    TEXT,
    Attachment,
    b64,
    honest,
    joined,
    message,
    multipart,
    trick,
    typed,
)

CTE: Final = b"Content-Transfer-Encoding: base64\r\n"
TYPE: Final = b"Content-Type: "


@trick("MIME-07")
def preamble(item: Attachment, _: random.Random) -> bytes:
    """Readers that take the header's end for the first delimiter, and those without MIME."""
    return message(b"multipart/mixed; boundary=b", honest(item) + joined(TEXT, boundary=b"b"))


@trick("MIME-07")
def preamble_without_a_header(item: Attachment, rng: random.Random) -> bytes:
    """The bare encoding: uudeview and old Outlook find it."""
    before = rng.choice((b"", b"This is a multi-part message.\r\n\r\n"))
    return message(b"multipart/mixed; boundary=b", before + b64(item.data) + b"\r\n" + joined(TEXT, boundary=b"b"))


@trick("MIME-07")
def epilogue(item: Attachment, rng: random.Random) -> bytes:
    """Behind the closing delimiter; Thunderbird shows another part behind it, and so did Outlook Express."""
    body = joined(TEXT, boundary=b"b")
    between = rng.choice((b"", b"\r\n", b"--b\r\n", b"--\r\n", b"--b--\r\n--b\r\n"))
    return message(b"multipart/mixed; boundary=b", body + between + honest(item))


@trick("MIME-07")
def epilogue_without_a_header(item: Attachment, rng: random.Random) -> bytes:
    """The bare encoding again."""
    return message(
        b"multipart/mixed; boundary=b", joined(TEXT, boundary=b"b") + rng.choice((b"", b"\r\n")) + b64(item.data)
    )


@trick("MIME-07")
def unterminated(item: Attachment, rng: random.Random) -> bytes:
    """RFC 2046 wants a closing delimiter, no reader does."""
    body = joined(TEXT, honest(item), boundary=b"b")
    end = body.rindex(b"\r\n--b--")
    return message(b"multipart/mixed; boundary=b", body[: end + rng.randint(0, 5)])


@trick("MIME-07")
def prefix(item: Attachment, rng: random.Random) -> bytes:
    """One boundary is the beginning of the other: readers that compare only its length mix them up."""
    outer, inner = rng.choice(((b"b", b"bb"), (b"bb", b"b"), (b"b", b"b--"), (b"b", b"b-"), (b"b", b"b c")))
    nested = TYPE + b'multipart/mixed; boundary="' + inner + b'"\r\n\r\n' + joined(TEXT, honest(item), boundary=inner)
    return message(b'multipart/mixed; boundary="' + outer + b'"', joined(TEXT, nested, boundary=outer))


@trick("MIME-07")
def longer_delimiter(item: Attachment, rng: random.Random) -> bytes:
    """Outlook Express and old Thunderbird compare only as far as the boundary goes."""
    line = b"--b" + rng.choice((b"x", b" x", b"-", b"---", b"\0", b"\xa0", b"\x0b", b"\x0c", b";", b"--x"))
    body = b"--b\r\n" + TEXT + line + b"\r\n" + honest(item) + rng.choice((b"--b--\r\n", line + b"--\r\n", b""))
    return message(b"multipart/mixed; boundary=b", body)


@trick("MIME-07")
def delimiter_with_blanks(item: Attachment, rng: random.Random) -> bytes:
    """RFC 2046, 5.1.1: transport padding must be ignored."""
    body = joined(TEXT, honest(item), boundary=b"b")
    return message(
        b"multipart/mixed; boundary=b",
        body.replace(b"--b\r\n", b"--b" + rng.choice((b" ", b"\t", b" " * 900)) + b"\r\n"),
    )


@trick("MIME-07")
def same_boundary(item: Attachment, rng: random.Random) -> bytes:
    """The inner multipart has the outer's boundary; each reader has an opinion."""
    nested = TYPE + b"multipart/mixed; boundary=b\r\n\r\n" + joined(honest(item), boundary=b"b")
    return message(b"multipart/mixed; boundary=b", joined(*rng.choice(((TEXT, nested), (nested, TEXT))), boundary=b"b"))


@trick("MIME-07")
def empty_boundary(item: Attachment, rng: random.Random) -> bytes:
    """Lines of two dashes delimit, or the boundary is guessed from the first of them (Outlook, Gmail)."""
    kind, line = rng.choice(
        (
            (b'multipart/mixed; boundary=""', b""),
            (b"multipart/mixed; boundary=", b""),
            (b"multipart/mixed", b"guess"),
            (b'multipart/mixed; boundary=" "', b" "),
            (b"multipart/mixed; boundary", b"guess"),
            (b"multipart/mixed; boundary=other", b"guess"),
        )
    )
    return message(kind, joined(TEXT, honest(item), boundary=line))


@trick("MIME-07")
def long_boundary(item: Attachment, rng: random.Random) -> bytes:
    """More than the 70 characters of the RFC are taken by all; some compare only so many."""
    line = b"b" * rng.choice((71, 255, 1_000, 2_047, 2_050, 5_000))
    used = line if rng.random() < 0.7 else line[:70]
    return message(b"multipart/mixed; boundary=" + line, joined(TEXT, honest(item), boundary=used))


@trick("MIME-07")
def no_empty_line(item: Attachment, rng: random.Random) -> bytes:
    """A part's header without an end, a body behind a blank line of blanks, or a line that is no field before it."""
    separator = rng.choice((b" \r\n", b"\t\r\n", b"\r\r\n", b"\0\r\n", b"", b"no field\r\n", b"\x0c\r\n"))
    part = typed(item) + CTE + separator + b64(item.data)
    return message(b"multipart/mixed; boundary=b", joined(TEXT, part, boundary=b"b"))


@trick("MIME-07")
def closed_early(item: Attachment, rng: random.Random) -> bytes:
    """The outer boundary closes inside of the inner multipart; the rest belongs to whoever goes on."""
    nested = TYPE + b"multipart/alternative; boundary=c\r\n\r\n--c\r\n" + TEXT
    rest = b"--b--\r\n--c\r\n" + honest(item) + rng.choice((b"--c--\r\n", b"--b--\r\n", b""))
    return message(b"multipart/mixed; boundary=b", b"--b\r\n" + nested + rest)


@trick("MIME-07")
def lone_carriage_returns(item: Attachment, rng: random.Random) -> bytes:
    """Thunderbird, Apple Mail and Python end lines at a bare CR."""
    body = joined(TEXT, honest(item), boundary=b"b")
    style = rng.randrange(4)
    if style == 0:
        body = body.replace(b"\r\n", b"\r")
    elif style == 1:
        body = body.replace(b"\r\n", b"\r\r\n")
    elif style == 2:
        body = body.replace(b"\r\n--b", b"\r--b")
    else:
        body = body.replace(b"--b\r\n", b"--b\r").replace(b"base64\r\n\r\n", b"base64\r\r")
    return message(b"multipart/mixed; boundary=b", body)


@trick("MIME-07")
def other_line_ends(item: Attachment, rng: random.Random) -> bytes:
    """LF alone, LF CR, and a mixture; bare LF is a line end to every reader."""
    body = joined(TEXT, honest(item), boundary=b"b")
    ends = [rng.choice((b"\n", b"\r\n")) for _ in range(body.count(b"\r\n"))]
    pieces = body.split(b"\r\n")
    mixed = b"".join([piece + end for piece, end in zip(pieces, ends, strict=False)]) + pieces[-1]
    body = rng.choice((mixed, body.replace(b"\r\n", b"\n"), body.replace(b"\r\n", b"\n\r")))
    return message(b"multipart/mixed; boundary=b", body)


@trick("MIME-07")
def header_goes_on_below(item: Attachment, rng: random.Random) -> bytes:
    """A line that is no field ends a header to an MTA and to nobody else."""
    odd = rng.choice((b"no field here", b"Bad Name: x", b": empty", b"=?x?=", b"\xff: y", b">From x"))
    body = joined(TEXT, honest(item), boundary=b"b")
    return FROM + odd + b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + body


@trick("MIME-07")
def apple_double(item: Attachment, rng: random.Random) -> bytes:
    """RFC 1740: the second part is the file; readers that know the first type only show both."""
    fork = b"Content-Type: application/applefile; name=x\r\n" + CTE + b"\r\n" + b64(b"\0\x05\x16\x07" + bytes(22))
    parts = [fork, honest(item)]
    if rng.random() < 0.5:
        parts.reverse()
    return multipart(*parts, kind=b"appledouble")


@trick("MIME-07")
def alternative(item: Attachment, rng: random.Random) -> bytes:
    """Apple Mail shows files in alternatives; a related part is reached by its Content-ID."""
    kind = rng.choice(
        (b"alternative", b"related; start=x", b"signed; protocol=x", b"report", b"form-data", b"x-mixed-replace")
    )
    return multipart(*rng.sample((TEXT, honest(item)), 2), kind=kind)
