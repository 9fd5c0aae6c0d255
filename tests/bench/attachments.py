"""Attachments of the kinds that mail carries, of a wanted size: their outside is genuine, their inside is noise."""

import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Final, TypeAlias

from tests.bench.words import Writer

Attachment: TypeAlias = tuple[str, str, bytes]  # file name, media type, content
MEMBER: Final = 60_000  # characters of one text inside an archive
SMALLEST: Final = 20_000  # bytes
LARGEST: Final = 1_000_000  # bytes, before base64 adds a third
WORDS_SHARE: Final = 8  # one part in so many of an archive is text, the rest does not compress: pictures


def picture(rng: random.Random, size: int) -> bytes:
    """A PNG with one chunk of noise."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    side = max(1, int((size / 3) ** 0.5))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = b"".join([b"\0" + rng.randbytes(3 * side) for _ in range(side)])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def _png(rng: random.Random, _writer: Writer, size: int) -> Attachment:
    return "photo.png", "image/png", picture(rng, size)


def _pdf(rng: random.Random, writer: Writer, size: int) -> Attachment:
    text = " ".join(writer.paragraphs(4_000)).encode("ascii", "replace")
    page = zlib.compress(b"BT /F1 11 Tf 72 720 Td (" + text.replace(b"(", b"").replace(b")", b"") + b") Tj ET")
    image = rng.randbytes(max(0, size - len(page) - 600))
    streams = (b"/Filter /FlateDecode", page), (b"/Type /XObject /Subtype /Image /Width 100 /Height 100", image)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>",
    ] + [b"<< %s /Length %d >>\nstream\n%s\nendstream" % (keys, len(data), data) for keys, data in streams]
    out, offsets = b"%PDF-1.5\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join([b"%010d 00000 n \n" % offset for offset in offsets])
    end = b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    return "minutes.pdf", "application/pdf", out + end % (table, len(out))


def _archive(members: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _text(writer: Writer, size: int) -> bytes:
    return "\n".join(writer.paragraphs(min(size, MEMBER))).encode()


def _zip(rng: random.Random, writer: Writer, size: int) -> Attachment:
    members = {"notes/readme.txt": _text(writer, size // WORDS_SHARE), "notes/plan.png": picture(rng, size)}
    return "notes.zip", "application/zip", _archive(members)


def _document(rng: random.Random, writer: Writer, size: int) -> Attachment:
    xml = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    paragraphs = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in writer.paragraphs(20_000))
    members = {
        "[Content_Types].xml": f'{xml}<Types><Default Extension="xml" ContentType="application/xml"/></Types>'.encode(),
        "_rels/.rels": f"{xml}<Relationships/>".encode(),
        "word/document.xml": f"{xml}<w:document><w:body>{paragraphs}</w:body></w:document>".encode(),
        "word/media/image1.png": picture(rng, size),
    }
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    return "offer.docx", kind, _archive(members)


def _table(rng: random.Random, writer: Writer, size: int) -> Attachment:
    names = writer.words(200)
    rows = [f"{number};{rng.choice(names)};{rng.randint(1, 9999)};{rng.random():.3f}" for number in range(size // 24)]
    return "figures.csv", "text/csv", "\r\n".join(rows).encode()


KINDS: Final[tuple[Callable[[random.Random, Writer, int], Attachment], ...]] = (
    _pdf,
    _png,
    _document,
    _zip,
    _pdf,
    _table,
)


def sizes(rng: random.Random, count: int) -> list[int]:
    """Sizes in bytes, even on a logarithmic scale from the smallest to the largest, in random order."""
    found = [int(SMALLEST * (LARGEST / SMALLEST) ** ((rank + 0.5) / count)) for rank in range(count)]
    rng.shuffle(found)
    return found


def attachment(rng: random.Random, writer: Writer, number: int, size: int) -> Attachment:
    """The number-th attachment, of about `size` bytes: the kinds come in turn."""
    return KINDS[number % len(KINDS)](rng, writer, size)
