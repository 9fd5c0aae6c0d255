"""Public messages as seeds: whole, or the values of one header field, or the bodies of one type."""

import email
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

from filterd.mime.header import split, unfold
from tests.fuzz.engine import factor

LARGEST: Final = 40_000  # bytes of a message or attachment that is mutated: larger ones only make inputs slow
SOME: Final = 150  # messages of the large archive that the small budget reads; it is read from its beginning


def messages(shared: Path) -> tuple[bytes, ...]:
    """Legacy, malformed and evasive messages, and some thousands of ordinary ones where the budget is large."""
    data = shared / "data"
    paths = sorted((*(data / "mime" / "stalwart").rglob("*.eml"), *(data / "mime" / "hide-filename" / "cur").iterdir()))
    found = [path.read_bytes() for path in paths]
    found += _first(data / "mail" / "dev-mail.tar.xz", SOME * factor())
    return tuple([raw for raw in found if len(raw) <= LARGEST])


def attachments(shared: Path) -> tuple[bytes, ...]:
    """Archives of all kinds, good and broken, and office documents."""
    folder = shared / "data" / "attachments"
    found = _first(folder / "libarchive.tar.xz", 400)
    found += [path.read_bytes() for path in sorted((folder / "oletools" / "test-data").rglob("*")) if path.is_file()]
    return tuple([raw for raw in found if len(raw) <= LARGEST])


def values(mail: Sequence[bytes], *names: bytes) -> tuple[bytes, ...]:
    """The distinct values of these fields, unfolded, of messages and of their parts."""
    found: dict[bytes, None] = {}
    for raw in mail:
        for name, value in split(raw)[0]:
            if name.lower() in names:
                found[unfold(value)] = None
    return tuple(found)


def bodies(mail: Sequence[bytes], kind: str) -> tuple[bytes, ...]:
    """The decoded parts of this type, as the standard library finds them."""
    found: dict[bytes, None] = {}
    for raw in mail:
        for part in email.message_from_bytes(raw).walk():
            content = part.get_payload(decode=True) if part.get_content_type() == kind else None
            if isinstance(content, bytes) and content:
                found[content] = None
    return tuple(found)


def encoded(mail: Sequence[bytes]) -> tuple[bytes, ...]:
    """The parts under base64 and quoted-printable as they were sent."""
    found: dict[bytes, None] = {}
    for raw in mail:
        for part in email.message_from_bytes(raw).walk():
            if not part.is_multipart() and str(part.get("content-transfer-encoding", "")).lower()[:1] in "bq":
                found[str(part.get_payload()).encode("latin-1", "replace")] = None
    return tuple([content for content in found if content])


def _first(archive: Path, most: int) -> list[bytes]:
    return list(_members(archive, most))


def _members(archive: Path, most: int) -> Iterator[bytes]:
    """The first files of an archive, in its order: what lies behind them is not even decompressed."""
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() and member.name != "./index.tsv" else None
            if content is not None:
                yield content.read()
                most -= 1
                if not most:
                    return


def make_zip(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members, always the same bytes."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, method)
    return buffer.getvalue()
