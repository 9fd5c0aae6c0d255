"""What all tricks are made of: attachments, their honest encodings, and messages around them.

A trick is a function of an attachment and a random generator to a whole message; its docstring says which reader shows
the attachment all the same. TRICKS holds them all with the row of the threat table they belong to.
"""

import base64
import quopri
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from tests.fuzz.corpus import make_zip

# In two pieces, so that scanners of source code leave this file alone.
EICAR: Final = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
# A DOS header, its offset of the PE header, and that header's mark: what a loader looks at first.
PROGRAM: Final = (
    b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0\xb8"
    + bytes(43)
    + b"\x80\0\0\0"
    + bytes(range(64))
    + b"PE\0\0L\1"
    + bytes(90)
)


@dataclass(frozen=True)
class Attachment:
    """What is hidden; `part` is how, where that is a trick of its own."""

    name: str
    data: bytes
    part: bytes = b""


CONTENTS: Final = (
    Attachment("notes.dat", EICAR),
    Attachment("photos.zip", make_zip(("photo.dat", EICAR + b" " * 40))),
    Attachment("update.dat", PROGRAM),
)
NAMES: Final = (
    Attachment("setup.exe", b"nothing"),
    Attachment("invoice.pdf.js", b"nothing"),
    Attachment("a.scr", b"x"),
)

Trick: TypeAlias = Callable[[Attachment, random.Random], bytes]
TRICKS: list[tuple[str, Trick]] = []  # row of the threat table, trick; filled by the modules beside this one


def trick(row: str) -> Callable[[Trick], Trick]:
    """Register a trick."""

    def keep(function: Trick) -> Trick:
        TRICKS.append((row, function))
        return function

    return keep


def b64(data: bytes, width: int = 76) -> bytes:
    """Base64 in lines of that width."""
    plain = base64.b64encode(data)
    return b"".join([plain[start : start + width] + b"\r\n" for start in range(0, len(plain), width)])


def qp(data: bytes) -> bytes:
    """Quoted-printable with every byte escaped."""
    lines = [data[start : start + 20] for start in range(0, len(data), 20)]
    return b"=\r\n".join([b"".join([b"=%02X" % byte for byte in line]) for line in lines]) + b"\r\n"


def honest_qp(data: bytes) -> bytes:
    """Quoted-printable as the standard library writes it."""
    return quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")


def typed(item: Attachment, kind: str = "application/octet-stream") -> bytes:
    """Content-Type and Content-Disposition with the name."""
    return (
        f'Content-Type: {kind}; name="{item.name}"\r\nContent-Disposition: attachment; filename="{item.name}"\r\n'
    ).encode()


def honest(item: Attachment) -> bytes:
    """The part as everybody would write it, or with the trick it came with."""
    return item.part or typed(item) + b"Content-Transfer-Encoding: base64\r\n\r\n" + b64(item.data)


TEXT: Final = b"Content-Type: text/plain; charset=utf-8\r\n\r\nPlease see the attachment.\r\n"
FROM: Final = b"From: Alice <alice@example.org>\r\nTo: bob@example.net\r\nSubject: photos\r\nMIME-Version: 1.0\r\n"


def message(content_type: bytes, body: bytes, more: bytes = b"") -> bytes:
    """A message with this Content-Type value."""
    return FROM + b"Content-Type: " + content_type + b"\r\n" + more + b"\r\n" + body


def multipart(*parts: bytes, boundary: bytes = b"=_frontier", kind: bytes = b"mixed") -> bytes:
    """A message of these parts."""
    return message(b'multipart/%s; boundary="%s"' % (kind, boundary), joined(*parts, boundary=boundary))


def joined(*parts: bytes, boundary: bytes = b"=_frontier") -> bytes:
    """The body of a multipart."""
    return b"".join([b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts]) + b"--" + boundary + b"--\r\n"


def attached(fields: bytes, body: bytes) -> bytes:
    """A message of a text and one part with these fields."""
    return multipart(TEXT, fields + b"\r\n" + body)
