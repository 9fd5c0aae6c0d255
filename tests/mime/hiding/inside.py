"""Tricks with messages inside, pieces of messages, limits and charsets (MIME-10, 11, 12, 15)."""

import random
from typing import Final

from tests.mime.hiding.kit import (
    FROM,
    TEXT,
    Attachment,
    attached,
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


@trick("MIME-10")
def message_inside(item: Attachment, rng: random.Random) -> bytes:
    """Messages in messages, under their many names, as all readers open them."""
    raw = multipart(TEXT, honest(item), boundary=b"deep")
    for level in range(rng.randint(1, 20)):
        kind = rng.choice((b"message/rfc822", b"message/global", b"message/news", b"Message/RFC822; charset=x"))
        raw = multipart(TYPE + kind + b"\r\n\r\n" + raw, boundary=b"level%d" % level)
    return raw


@trick("MIME-10")
def digest(item: Attachment, rng: random.Random) -> bytes:
    """RFC 2046, 5.1.5: without a type a part of a digest is a message."""
    inner = rng.choice((multipart(TEXT, honest(item), boundary=b"in"), b"Subject: in\r\n" + honest(item)))
    return message(b"multipart/digest; boundary=b", joined(b"\r\n" + inner, boundary=b"b"))


@trick("MIME-10")
def message_under_another_type(item: Attachment, rng: random.Random) -> bytes:
    """An .eml is opened by its name, whatever its type says."""
    inner = multipart(TEXT, honest(item), boundary=b"in")
    kind = rng.choice((b"application/octet-stream", b"text/rfc822-headers", b"message/x-other", b"application/eml"))
    fields = TYPE + kind + b'; name="x.eml"\r\n'
    return rng.choice((attached(fields, inner), attached(fields + CTE, b64(inner))))


@trick("MIME-11")
def in_pieces(item: Attachment, rng: random.Random) -> bytes:
    """Outlook Express, Outlook and mutt's helpers put message/partial together; external bodies are fetched."""
    raw = multipart(TEXT, honest(item), boundary=b"in")
    kinds = (
        b"message/partial; id=a@b; number=1; total=2",
        b"Message/Partial ; number=2; id=a@b",
        b'message/external-body; access-type=URL; URL="http://x.test/a.exe"',
        b"message/external-body; access-type=anon-ftp; site=x.test; name=a.exe",
        b"message/partial (x); number=1",
    )
    kind = rng.choice(kinds)
    return message(kind, raw[: len(raw) // 2]) if rng.random() < 0.5 else attached(TYPE + kind + b"\r\n", raw[:-20])


@trick("MIME-12")
def many(item: Attachment, rng: random.Random) -> bytes:
    """Behind a thousand parts, fields, parameters, levels or a long header there is one more."""
    style = rng.randrange(6)
    if style == 0:
        return multipart(*[b"\r\nx"] * 1_100, honest(item))
    if style == 1:
        return attached(b"X: y\r\n" * 2_000 + typed(item) + CTE, b64(item.data))
    if style == 2:
        return message(b"multipart/mixed; " + b"x=y; " * 150 + b"boundary=b", joined(TEXT, honest(item), boundary=b"b"))
    if style == 3:
        return message(b"multipart/mixed; boundary=b", b"x\r\n" * 30_000 + joined(TEXT, honest(item), boundary=b"b"))
    if style == 4:
        return attached(TYPE + b"text/plain;" + b" " * 70_000 + b"charset=x\r\n" + CTE, b64(item.data))
    raw = multipart(TEXT, honest(item), boundary=b"deep")
    for level in range(40):
        raw = TYPE + b"multipart/mixed; boundary=l%d\r\n\r\n--l%d\r\n" % (level, level) + raw
    return FROM + raw


@trick("MIME-15")
def other_charset(item: Attachment, rng: random.Random) -> bytes:
    """A text in UTF-16 or UTF-7 is shown, and saved, as what it says: here a multipart's worth of it."""
    codec = rng.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp037"))
    text = ("look:\r\n\r\n" + b64(item.data).decode()).encode(codec)
    return attached(f"Content-Type: text/plain; charset={codec}\r\n".encode() + CTE, b64(text))


@trick("MIME-15")
def header_in_another_charset(item: Attachment, rng: random.Random) -> bytes:
    """Part headers in UTF-16, or behind a byte order mark, as sloppy web mailers read them."""
    fields = typed(item) + CTE
    head = rng.choice((fields.decode().encode("utf-16"), b"\xef\xbb\xbf" + fields, b"\xff\xfe" + fields))
    return attached(head, b64(item.data))
