"""Raw messages in a directory, named by the SHA-256 of their bytes: header block and body, as received."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from filterd.model.custody import CustodyError
from filterd.model.message import RawMessage
from filterd.quarantine.durable import Draft, Fsync, private_directory, sync_directory, write_draft

CHUNK: Final = 256 * 1024  # bytes copied at once: what one held message costs in memory, whatever its size

SHA256: Final = re.compile(r"[0-9a-f]{64}")


def raw_chunks(message: RawMessage) -> Iterator[bytes]:
    """The raw bytes in order; CustodyError where the body ends early. Moves no file offset."""
    yield message.header_block()
    offset = 0
    while offset < message.body_size:
        chunk = os.pread(message.body_fd, min(CHUNK, message.body_size - offset), offset)
        if not chunk:
            raise CustodyError(f"the body ends at {offset} of {message.body_size} bytes")
        offset += len(chunk)
        yield chunk


def raw_digest(message: RawMessage) -> tuple[str, int]:
    """SHA-256 in hexadecimal and size of the raw bytes: what Evidence and JournalRow want."""
    digest = hashlib.sha256()
    size = 0
    for chunk in raw_chunks(message):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


class BlobDirectory:
    """blobs/ab/abcd...: 256 folders, so that none grows too long to list."""

    def __init__(self, root: Path, drafts: Path, fsync: Fsync) -> None:
        """`drafts` is a folder on the same file system for files under way."""
        self._root = root
        self._drafts = drafts
        self._fsync = fsync

    def path(self, sha256: str) -> Path:
        """Where that blob is or would be; CustodyError for anything but 64 hexadecimal digits."""
        if SHA256.fullmatch(sha256) is None:
            raise CustodyError("no SHA-256")
        return self._root / sha256[:2] / sha256

    def folder(self, sha256: str) -> Path:
        """The folder of that blob, made where it is missing: locked shared by holds and exclusively by removals."""
        folder = self.path(sha256).parent
        if not folder.exists():
            private_directory(folder, self._fsync)
        return folder

    def draft(self, message: RawMessage, sha256: str, size: int) -> Draft | None:
        """The message as a draft, or None where its blob is there already, of the right size.

        CustodyError where its bytes are not those of `sha256` and `size`; OSError where they cannot be written.
        """
        path = self.path(sha256)
        with suppress(FileNotFoundError):
            if path.stat().st_size == size:
                return None
        digest = hashlib.sha256()
        written = 0

        def chunks() -> Iterator[bytes]:
            nonlocal digest, written
            digest, written = hashlib.sha256(), 0
            for chunk in raw_chunks(message):
                digest.update(chunk)
                written += len(chunk)
                yield chunk

        draft = write_draft(self._drafts, chunks, self._fsync)
        if (digest.hexdigest(), written) != (sha256, size):
            draft.discard()
            raise CustodyError("the message is not the one that the evidence describes")
        return draft

    def files(self) -> Iterator[Path]:
        """All of them."""
        for folder in sorted(self._root.glob("[0-9a-f][0-9a-f]")):
            yield from sorted([path for path in folder.iterdir() if SHA256.fullmatch(path.name)])

    def open(self, sha256: str) -> BinaryIO:
        """The raw bytes; FileNotFoundError where there are none."""
        return self.path(sha256).open("rb")

    def remove(self, sha256: str) -> None:
        """Remove the blob durably; no error where there is none."""
        path = self.path(sha256)
        with suppress(FileNotFoundError):
            path.unlink()
            sync_directory(path.parent, self._fsync)
