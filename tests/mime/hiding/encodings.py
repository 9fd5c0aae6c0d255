"""Tricks with the transfer encoding and with what is encoded (MIME-04, 05, 06, 08).

Readers meant below: Thunderbird's libmime, Outlook, Apple Mail, mutt, Gnus, the standard libraries of Go, Java, Perl
and Python that web mailers are built on.
"""

import base64
import binascii
import gzip
import random
from typing import Final

from tests.mime.hiding.kit import Attachment, attached, b64, honest_qp, message, multipart, qp, trick, typed

CTE: Final = b"Content-Transfer-Encoding: "
STANDARD: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
BINHEX: Final = b"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"


def _based(item: Attachment, field: bytes) -> bytes:
    """The attachment in base64 under this spelling of the field."""
    return attached(typed(item) + field + b"\r\n", b64(item.data))


SPELLINGS: Final = (
    b"Content-Transfer-Encoding:base64",
    b"CONTENT-TRANSFER-ENCODING: BaSe64",
    b"Content-Transfer-Encoding:\r\n base64",
    b"Content-Transfer-Encoding:\r\n\t\r\n base64",
    b"Content-Transfer-Encoding: (7bit) base64",
    b"Content-Transfer-Encoding: base64 (really (not) 7bit)",
    b'Content-Transfer-Encoding: "base64"',
    b"Content-Transfer-Encoding: base64;",
    b"Content-Transfer-Encoding: base64; charset=us-ascii",
    b"Content-Transfer-Encoding: base64, 7bit",
    b"Content-Transfer-Encoding: x-base64",
    b"Content-Transfer-Encoding: base64 trailing",
    b"Content-Transfer-Encoding: base64\x0b",
    b"Content-Transfer-Encoding: base64\0",
    b"Content-Transfer-Encoding: \0base64",
    b"Content-Transfer-Encoding: base64\xa0",
    b"Content-Transfer-Encoding: =?us-ascii?q?base64?=",
    b"Content-Transfer-Encoding: =?us-ascii?b?YmFzZTY0?=",
    b"Content-Transfer-Encoding: 'base64'",
    b"Content-Transfer-Encoding: b\\ase64",
    b'Content-Transfer-Encoding: "ba\\se64"',
    b"Content-Transfer-Encoding: ba(x)se64",
    b"Content-Transfer-Encoding : base64",
    b"Content-Transfer-Encoding\t: base64",
    b" Content-Transfer-Encoding: base64",
    b"X-Other: y\rContent-Transfer-Encoding: base64",
    b"X-Other: y\n\rContent-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding:: base64",
    b"Content-Transfer-Encoding= base64",
    b"Content-Transfer-Encoding base64",
    b"Content_Transfer_Encoding: base64\r\nContent-Transfer-Encoding: base64",
    b"garbage without a colon\r\nContent-Transfer-Encoding: base64",
    b"Content-Encoding: base64",
    b"\xef\xbb\xbfContent-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: Base-64",
    b"X-Long: " + b"x" * 70_000 + b"\r\nContent-Transfer-Encoding: base64",
)


@trick("MIME-04")
def spelt(item: Attachment, rng: random.Random) -> bytes:
    """Most readers look for the word in the value; some skip comments, take a NUL or CR for an end, or trim it all."""
    return _based(item, rng.choice(SPELLINGS))


@trick("MIME-04")
def spelt_too(item: Attachment, rng: random.Random) -> bytes:
    """The same, for the number of the spellings."""
    return _based(item, rng.choice(SPELLINGS))


@trick("MIME-04")
def spelt_again(item: Attachment, rng: random.Random) -> bytes:
    """The same."""
    return _based(item, rng.choice(SPELLINGS))


@trick("MIME-04")
def two_encodings(item: Attachment, rng: random.Random) -> bytes:
    """Thunderbird takes the last field, Python and Go the first."""
    fields = [b"base64", rng.choice((b"7bit", b"quoted-printable", b"8bit", b"x-unknown", b"binary"))]
    rng.shuffle(fields)
    return _based(item, b"\r\n".join([CTE + value for value in fields]))


@trick("MIME-04")
def two_encodings_of_quoted(item: Attachment, rng: random.Random) -> bytes:
    """The same with quoted-printable as what counts."""
    fields = [b"quoted-printable", rng.choice((b"7bit", b"base64", b"8bit"))]
    rng.shuffle(fields)
    head = b"\r\n".join([CTE + value for value in fields])
    return attached(typed(item) + head + b"\r\n", qp(item.data))


@trick("MIME-04")
def encoded_multipart(item: Attachment, rng: random.Random) -> bytes:
    """RFC 2045, 6.4 forbids it; Outlook and Apple Mail decode a multipart all the same."""
    inner = b"--in\r\n" + typed(item) + CTE + b"base64\r\n\r\n" + b64(item.data) + b"--in--\r\n"
    encode = rng.choice((b64, qp))
    name = b"base64" if encode is b64 else b"quoted-printable"
    return message(b"multipart/mixed; boundary=in", encode(inner), CTE + name + b"\r\n")


@trick("MIME-04")
def encoded_message(item: Attachment, rng: random.Random) -> bytes:
    """The same for a message inside: many web mailers open it."""
    inner = b"Subject: in\r\n" + typed(item) + CTE + b"base64\r\n\r\n" + b64(item.data)
    encode = rng.choice((b64, honest_qp))
    name = b"base64" if encode is b64 else b"quoted-printable"
    return attached(b"Content-Type: message/rfc822\r\n" + CTE + name + b"\r\n", encode(inner))


def _odd(item: Attachment, body: bytes) -> bytes:
    return attached(typed(item) + CTE + b"base64\r\n", body)


@trick("MIME-05")
def junk(item: Attachment, rng: random.Random) -> bytes:
    """RFC 2045, 6.8: characters outside the alphabet must be ignored."""
    plain = base64.b64encode(item.data)
    signs = [b"!", b"*", b" ", b"\t", b"\0", b"\xff", b"\r", b"\r\n\r\n", b"<", b"\x80", b"%", b"."]
    out = b"".join(
        [plain[place : place + 1] + (rng.choice(signs) if rng.random() < 0.2 else b"") for place in range(len(plain))]
    )
    return _odd(item, out + b"\r\n")


@trick("MIME-05")
def narrow(item: Attachment, rng: random.Random) -> bytes:
    """Line lengths mean nothing to a decoder that works on a stream."""
    return _odd(item, b64(item.data, rng.choice((1, 2, 3, 5, 7, 61, 998, 100_000))))


@trick("MIME-05")
def unpadded(item: Attachment, rng: random.Random) -> bytes:
    """Browsers' and most mailers' decoders do without padding, or take too much of it."""
    plain = b64(item.data).rstrip(b"\r\n=")
    return _odd(item, plain + rng.choice((b"", b"\r\n", b"====\r\n", b"=\r\n", b"A\r\n", b"=junk behind it\r\n")))


@trick("MIME-05")
def padding_inside(item: Attachment, rng: random.Random) -> bytes:
    """Each piece is padded by itself; Thunderbird and Perl go on behind the padding."""
    cut = rng.randrange(1, len(item.data) - 1)
    return _odd(item, b64(item.data[:cut]) + b64(item.data[cut:]))


@trick("MIME-05")
def padding_as_junk(item: Attachment, rng: random.Random) -> bytes:
    """A "=" between groups is junk to the decoders of Outlook and of PHP."""
    plain = base64.b64encode(item.data)
    place = 4 * rng.randrange(1, len(plain) // 4 - 1)
    return _odd(item, plain[:place] + rng.choice((b"=", b"==", b"====")) + plain[place:] + b"\r\n")


@trick("MIME-05")
def stream_behind_a_decoy(item: Attachment, rng: random.Random) -> bytes:
    """A short stream with padding first: what follows is content to whoever does not stop there."""
    return _odd(item, rng.choice((b"QQ==\r\n", b"AA==", b"=\r\n", b"IA==\r\n\r\n")) + b64(item.data))


@trick("MIME-05")
def url_safe(item: Attachment, _: random.Random) -> bytes:
    """Java's MIME decoder and JavaScript libraries take both alphabets."""
    return _odd(item, base64.urlsafe_b64encode(item.data) + b"\r\n")


@trick("MIME-05")
def truncated(item: Attachment, rng: random.Random) -> bytes:
    """A symbol or two missing at the end cost the last byte, of which a program has no need."""
    plain = base64.b64encode(item.data + b"    ")
    return _odd(item, plain[: -rng.randint(1, 5)] + b"\r\n")


@trick("MIME-05")
def text_before(item: Attachment, rng: random.Random) -> bytes:
    """Decoders that look for a first line of base64 (uudeview, old Outlook) skip a text in front."""
    return _odd(item, rng.choice((b"Here it is:\r\n\r\n", b"...\r\n", b"----\r\n")) + b64(item.data))


@trick("MIME-05")
def encoded_twice(item: Attachment, rng: random.Random) -> bytes:
    """Outlook decodes an inner message's part again where a gateway encoded it once more."""
    inner = b"Content-Type: application/octet-stream\r\n" + CTE + b"base64\r\n\r\n" + b64(item.data)
    return attached(b"Content-Type: message/rfc822\r\n" + CTE + b"base64\r\n", b64(inner, rng.choice((76, 60))))


@trick("MIME-06")
def odd_quoted(item: Attachment, rng: random.Random) -> bytes:
    """Lower-case digits, blanks behind a soft break, and lines too long are read by all of them."""
    out = qp(item.data)
    style = rng.randrange(5)
    if style == 0:
        out = out.lower()
    elif style == 1:
        out = out.replace(b"=\r\n", b"= \t\r\n")
    elif style == 2:
        out = out.replace(b"=\r\n", b"")
    elif style == 3:
        out = out.replace(b"\r\n", b"\n")
    else:
        out = out.rstrip(b"\r\n") + b"="
    return attached(typed(item) + CTE + b"quoted-printable\r\n", out)


@trick("MIME-06")
def quoted_under_odd_names(item: Attachment, rng: random.Random) -> bytes:
    """The word is looked for in the value, as with base64."""
    name = rng.choice(
        (
            b"Quoted-Printable",
            b'"quoted-printable"',
            b"quoted-printable (x)",
            b"quoted-printable;",
            b"x-quoted-printable",
        )
    )
    return attached(typed(item) + CTE + name + b"\r\n", qp(item.data))


def uuencode(item: Attachment, mode: str = "644") -> bytes:
    """As the program writes it."""
    lines = [binascii.b2a_uu(item.data[start : start + 45]) for start in range(0, len(item.data), 45)]
    return f"begin {mode} {item.name}\n".encode() + b"".join(lines) + b"`\nend\n"


@trick("MIME-08")
def uuencoded_text(item: Attachment, rng: random.Random) -> bytes:
    """Outlook, Thunderbird and Gnus make an attachment of it, wherever in a text it stands."""
    body = uuencode(item, rng.choice(("644", "0644", "600", "777")))
    if rng.random() < 0.5:
        body = body.replace(b"\n", b"\r\n")
    if rng.random() < 0.3:
        body = (
            body.replace(b" ", b"`")
            .replace(b"begin`", b"begin ")
            .replace(b"`" + item.name.encode(), b" " + item.name.encode())
        )
    before = rng.choice((b"", b"Hello,\r\n", b"Hello,\r\n\r\n" * 50))
    kind = rng.choice(
        (b"text/plain", b"text/plain; format=flowed", b"text/html", b"application/octet-stream", b"text/x-other")
    )
    return rng.choice((message(kind, before + body), multipart(b"Content-Type: " + kind + b"\r\n\r\n" + before + body)))


@trick("MIME-08")
def uuencoded_part(item: Attachment, rng: random.Random) -> bytes:
    """As a transfer encoding of its own: Thunderbird, mutt and Outlook know the names."""
    name = rng.choice((b"x-uuencode", b"uuencode", b"x-uue", b"X-UUENCODED", b"uue"))
    return attached(typed(item) + CTE + name + b"\r\n", uuencode(item))


@trick("MIME-08")
def uuencoded_without_an_end(item: Attachment, rng: random.Random) -> bytes:
    """A missing end, or none of the modes, is forgiven."""
    body = uuencode(item).replace(b"`\nend\n", b"")
    return message(b"text/plain", body.replace(b"begin 644", rng.choice((b"begin 644", b"begin 6", b"begin 100644"))))


@trick("MIME-08")
def base64_begin(item: Attachment, _: random.Random) -> bytes:
    """POSIX uuencode -m in a text: Gnus, mutt's helpers and uudeview decode it."""
    return message(b"text/plain", b"begin-base64 644 " + item.name.encode() + b"\n" + b64(item.data) + b"====\n")


def yenc(item: Attachment, *, parts: bool = False) -> bytes:
    """Content under yEnc 1.3."""
    out = bytearray()
    for byte in item.data:
        coded = (byte + 42) % 256
        out += bytes([61, (coded + 64) % 256]) if coded in (0, 10, 13, 61) else bytes([coded])
    lines = [bytes(out[start : start + 128]) for start in range(0, len(out), 128)]
    for number in range(len(lines) - 1):
        if lines[number].endswith(b"=") and not lines[number].endswith(b"=="):
            lines[number], lines[number + 1] = lines[number][:-1], b"=" + lines[number + 1]
    size = len(item.data)
    first = "=ybegin part=1 line=128" if parts else "=ybegin line=128"
    middle = f"=ypart begin=1 end={size}\r\n" if parts else ""
    head = f"{first} size={size} name={item.name}\r\n{middle}".encode()
    return head + b"\r\n".join(lines) + f"\r\n=yend size={size}\r\n".encode()


@trick("MIME-08")
def yenc_text(item: Attachment, rng: random.Random) -> bytes:
    """Thunderbird decodes yEnc in texts, news readers all do."""
    body = rng.choice((b"", b"look:\r\n")) + yenc(item, parts=rng.random() < 0.5)
    kind = rng.choice((b"text/plain; charset=iso-8859-1", b"text/plain", b"application/octet-stream"))
    return rng.choice((message(kind, body), multipart(b"Content-Type: " + kind + b"\r\n\r\n" + body)))


@trick("MIME-08")
def yenc_part(item: Attachment, rng: random.Random) -> bytes:
    """As a transfer encoding: x-yenc is what Thunderbird looks for."""
    return attached(typed(item) + CTE + rng.choice((b"x-yenc", b"yenc", b"binary")) + b"\r\n", yenc(item))


def binhex(item: Attachment, stream: bytes = b"") -> bytes:
    """BinHex 4.0 (RFC 1741), without runs where the stream is not given."""
    name = item.name.encode()
    head = bytes([len(name)]) + name + b"\0BINAhDmp\0\0" + len(item.data).to_bytes(4, "big") + bytes(4)
    forks = b"".join([piece + binascii.crc_hqx(piece, 0).to_bytes(2, "big") for piece in (head, item.data, b"")])
    plain = binascii.b2a_base64(stream or forks.replace(b"\x90", b"\x90\0"), newline=False).rstrip(b"=")
    body = b":" + plain.translate(bytes.maketrans(STANDARD, BINHEX)) + b":"
    lines = b"\r\n".join([body[start : start + 64] for start in range(0, len(body), 64)])
    return b"(This file must be converted with BinHex 4.0)\r\n\r\n" + lines + b"\r\n"


@trick("MIME-08")
def binhex_text(item: Attachment, rng: random.Random) -> bytes:
    """Eudora, Apple Mail and Gnus turn it into the file."""
    kind = rng.choice((b"application/mac-binhex40", b"text/plain", b"application/octet-stream"))
    body = rng.choice((b"", b"look:\r\n\r\n")) + binhex(item)
    return multipart(b"Content-Type: " + kind + b'; name="' + item.name.encode() + b'"\r\n\r\n' + body)


@trick("MIME-08")
def binhex_part(item: Attachment, rng: random.Random) -> bytes:
    """As a transfer encoding, as old Eudora wrote it."""
    return attached(typed(item) + CTE + rng.choice((b"binhex", b"mac-binhex40", b"x-binhex40")) + b"\r\n", binhex(item))


@trick("MIME-08")
def gzip64(item: Attachment, rng: random.Random) -> bytes:
    """x-gzip64 is metamail's, and exmh's."""
    name = rng.choice((b"x-gzip64", b"gzip64", b"base64"))
    return attached(typed(item) + CTE + name + b"\r\n", b64(gzip.compress(item.data, mtime=0)))


def apple_single(item: Attachment, gap: int = 0) -> bytes:
    """RFC 1740: a table of entries, the name and the data fork among them."""
    entries = ((3, item.name.encode()), (1, item.data))
    head = b"\0\x05\x16\0\0\x02\0\0" + bytes(16) + len(entries).to_bytes(2, "big")
    offset = len(head) + 12 * len(entries) + gap
    table, content = b"", bytes(gap)
    for number, data in entries:
        table += b"".join([value.to_bytes(4, "big") for value in (number, offset, len(data))])
        content += data
        offset += len(data)
    return head + table + content


def macbinary(item: Attachment) -> bytes:
    """A header of 128 bytes with the name and the length, then the data fork."""
    name = item.name.encode()
    head = b"\0" + bytes([len(name)]) + name.ljust(63, b"\0") + b"BINAhDmp" + bytes(10)
    head += len(item.data).to_bytes(4, "big") + bytes(4)
    head = head.ljust(122, b"\0") + b"\x81\x81"
    checked = head + binascii.crc_hqx(head, 0).to_bytes(2, "big") + bytes(2)
    return checked + item.data + bytes(-len(item.data) % 128)


@trick("MIME-08")
def macintosh_file(item: Attachment, rng: random.Random) -> bytes:
    """Apple Mail unpacks AppleSingle and MacBinary to the data fork."""
    if rng.random() < 0.5:
        data, kind = apple_single(item, 300 * (rng.random() < 0.5)), "application/applefile"
    else:
        data, kind = macbinary(item), "application/macbinary"
    return attached(f"Content-Type: {kind}\r\n".encode() + CTE + b"base64\r\n", b64(data))


@trick("MIME-08")
def written_twice(item: Attachment, rng: random.Random) -> bytes:
    """A file in a text in a file in a text: whoever decodes the first by hand decodes the second."""
    inner = Attachment("x.txt", b"look:\n\n" + rng.choice((uuencode(item), yenc(item), b64(item.data))))
    return message(b"text/plain", rng.choice((uuencode(inner), yenc(inner), b64(inner.data))))
