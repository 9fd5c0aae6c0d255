"""Tricks with types and with what names the boundary (MIME-03)."""

import random
from typing import Final

from tests.mime.hiding.kit import (
    FROM,
    TEXT,
    Attachment,
    attached,
    honest,
    joined,
    message,
    trick,
)

CTE: Final = b"Content-Transfer-Encoding: base64\r\n"
TYPE: Final = b"Content-Type: "


@trick("MIME-03")
def two_types(item: Attachment, rng: random.Random) -> bytes:
    """Thunderbird takes the last Content-Type, Outlook and Go the first."""
    values = [
        b"multipart/mixed; boundary=b",
        rng.choice((b"text/plain", b"text/html", b"multipart/mixed; boundary=c", b"x")),
    ]
    rng.shuffle(values)
    return message(values[0], joined(TEXT, honest(item), boundary=b"b"), TYPE + values[1] + b"\r\n")


@trick("MIME-03")
def two_types_of_a_part(item: Attachment, rng: random.Random) -> bytes:
    """The same one level further in."""
    values = [b"multipart/mixed; boundary=b", rng.choice((b"text/plain", b"image/png", b"multipart/mixed; boundary=c"))]
    rng.shuffle(values)
    fields = b"".join([TYPE + value + b"\r\n" for value in values])
    return attached(fields, joined(honest(item), boundary=b"b"))


@trick("MIME-03")
def two_boundaries(item: Attachment, rng: random.Random) -> bytes:
    """The first counts for Outlook, the last for Python 2, Ruby and PHP."""
    values = [b"boundary=b", rng.choice((b"boundary=c", b'boundary="c"', b"boundary*=us-ascii''c", b"BOUNDARY=c"))]
    rng.shuffle(values)
    decoy = joined(TEXT, boundary=b"c")
    real = joined(TEXT, honest(item), boundary=b"b")
    body = rng.choice((decoy + real, real + decoy, decoy[:-2] + b"\r\n" + real))
    return message(b"multipart/mixed; " + b"; ".join(values), body)


BOUNDARIES: Final = (
    b"boundary*=us-ascii''b",
    b"boundary*0=b",
    b"boundary*0*=us-ascii'en'%62",
    b"boundary*=%62",
    b'boundary = "b"',
    b'boundary="b',
    b"boundary=b;",
    b"boundary=(x)b",
    b"boundary=b(x)",
    b"boundary=(x)b(y)",
    b'boundary="b"x',
    b'boundary="\\b"',
    b'boundary="b "',
    b"boundary='b'",
    b"boundary=\r\n\t b",
    b";;boundary=b",
    b'charset="x;boundary=c";boundary=b',
    b'charset="x\\";boundary=c";boundary=b',
    b'charset="x;boundary=b',
    b"boundary==?us-ascii?q?b?=",
    b'boundary="=?us-ascii?b?Yg==?="',
    b"boundary=b\0c",
    b"boundary=b\rc",
    b"x=y boundary=b",
    b"x=y, boundary=b",
    b"boundary:b",
    b"boundary=c; boundary*0=b",
    b"boundary*0=b; boundary=c",
    b"boundary =\tb",
    b"BoUnDaRy=b",
)


def _spelt(item: Attachment, rng: random.Random) -> bytes:
    spelling = rng.choice(BOUNDARIES)
    kind = rng.choice((b"multipart/mixed", b"multipart/mixed", b"multipart/related", b"multipart/x-other"))
    return message(kind + b"; " + spelling, joined(TEXT, honest(item), boundary=b"b"))


@trick("MIME-03")
def spelt_boundary(item: Attachment, rng: random.Random) -> bytes:
    """Each of these is b to some reader: comments, quotes, escapes, RFC 2231, encoded words, an early end."""
    return _spelt(item, rng)


@trick("MIME-03")
def spelt_boundary_too(item: Attachment, rng: random.Random) -> bytes:
    """The same, for the number of the spellings."""
    return _spelt(item, rng)


@trick("MIME-03")
def spelt_boundary_again(item: Attachment, rng: random.Random) -> bytes:
    """The same."""
    return _spelt(item, rng)


@trick("MIME-03")
def boundary_by_encoded_word(item: Attachment, rng: random.Random) -> bytes:
    """The other way round: the delimiter lines hold the value as it is written, or as it is meant."""
    value, line = rng.choice(
        (
            (b'"=?us-ascii?q?b?="', b"=?us-ascii?q?b?="),
            (b"b\\c", b"b\\c"),
            (b'"b\\c"', b"bc"),
            (b'"b\\c"', b"b\\c"),
            (b"b(c)", b"b(c)"),
            (b"'b'", b"'b'"),
            (b'"b c"', b"b c"),
            (b"b c", b"b"),
            (b"b c", b"b c"),
            (b'"b', b'"b'),
            (b"b=c", b"b=c"),
            (b"b=c", b"b"),
            (b"b,c", b"b"),
            (b"b/c", b"b/c"),
            (b"\xe4b", b"\xe4b"),
            (b"%62", b"%62"),
        )
    )
    return message(b"multipart/mixed; boundary=" + value, joined(TEXT, honest(item), boundary=line))


TYPES: Final = (
    b"multipart/mixed (comment)",
    b"(comment) multipart/mixed",
    b"multipart (comment)/mixed",
    b"multipart/ mixed",
    b"multipart /mixed",
    b'"multipart/mixed"',
    b"MULTIPART/MIXED",
    b"multipart/mixed trailing",
    b"multipart/mixed, text/plain",
    b"text/plain, multipart/mixed",
    b"multipart",
    b"multipart/",
    b"multipart/mixed;;",
    b"multipart/mixed/x",
    b"\0multipart/mixed",
    b"=?us-ascii?q?multipart/mixed?=",
    b"multipart\\/mixed",
    b"multi(x)part/mixed",
    b"multipart/mi(x)xed",
    b";multipart/mixed",
    b"multipart/mixed:",
    b"multipart/rfc822",
    b"multipart/appledouble",
    b"multipart/signed; protocol=x",
    b"multipart/encrypted",
    b"multipart/report; report-type=x",
    b"multipart/byteranges",
    b"multipart/parallel",
    b"multipart/digest",
)


@trick("MIME-03")
def spelt_type(item: Attachment, rng: random.Random) -> bytes:
    """What begins with multipart, in whatever letters, is one to mutt, Thunderbird and most libraries."""
    return message(rng.choice(TYPES) + b"; boundary=b", joined(TEXT, honest(item), boundary=b"b"))


@trick("MIME-03")
def spelt_type_too(item: Attachment, rng: random.Random) -> bytes:
    """The same, for the number of the spellings."""
    return message(rng.choice(TYPES) + b"; boundary=b", joined(TEXT, honest(item), boundary=b"b"))


FIELDS: Final = (
    b"Content-Type : ",
    b"Content-Type:",
    b"content-type:\t",
    b"Content-Type:\r\n ",
    b"X-A: y\rContent-Type: ",
    b"Content-type:\r\n\t\r\n ",
    b"Content-Type:: ",
    b"\0Content-Type: ",
    b"Content-Type\0: ",
    b"X: y\0\r\nContent-Type: ",
)


@trick("MIME-03")
def spelt_field(item: Attachment, rng: random.Random) -> bytes:
    """A part whose field is odd; each spelling is one to lenient readers."""
    fields = rng.choice(FIELDS) + b"multipart/mixed; boundary=b\r\n"
    return attached(fields, joined(honest(item), boundary=b"b"))


@trick("MIME-03")
def no_type_at_all(item: Attachment, rng: random.Random) -> bytes:
    """Outlook looks at a text that begins with a delimiter, uudeview at any text."""
    body = rng.choice((b"", b"This is a multi-part message in MIME format.\r\n")) + joined(
        TEXT, honest(item), boundary=b"b"
    )
    return rng.choice((FROM + b"\r\n" + body, message(b"text/plain", body), message(b"", body)))


@trick("MIME-03")
def other_structure(item: Attachment, rng: random.Random) -> bytes:
    """A type of another family with the multipart's body or a boundary: readers that go by the parameter."""
    kind = rng.choice(
        (
            b"text/plain; boundary=b",
            b"application/x; boundary=b",
            b"mixed; boundary=b",
            b"x-multipart/mixed; boundary=b",
        )
    )
    return message(kind, joined(TEXT, honest(item), boundary=b"b"))
