"""Raw messages in a directory, named by the SHA-256 of their bytes: header block and body, as received."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from filterd.model.custody import CustodyError
from filterd.model.message import RawMessage
from filterd.quarantine.coding import HEAD, SUFFIX, Coding, content_size, packed, unpacked
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
    """blobs/ab/abcd...: 256 folders, so that none grows too long to list. abcd....zst is a blob in a frame."""

    def __init__(self, root: Path, drafts: Path, fsync: Fsync, coding: Coding = Coding.NONE) -> None:
        """`drafts` is a folder on the same file system for files under way; `coding` is of what comes from now on."""
        self._root = root
        self._drafts = drafts
        self._fsync = fsync
        self._coding = coding

    def path(self, sha256: str) -> Path:
        """Where that blob will be; CustodyError for anything but 64 hexadecimal digits."""
        plain, frame = self.paths(sha256)
        return frame if self._coding is Coding.ZSTD else plain

    def paths(self, sha256: str) -> tuple[Path, Path]:
        """Where it may be, as it is and in a frame."""
        if SHA256.fullmatch(sha256) is None:
            raise CustodyError("no SHA-256")
        plain = self._root / sha256[:2] / sha256
        return plain, plain.with_name(sha256 + SUFFIX)

    def folder(self, sha256: str) -> Path:
        """The folder of that blob, made where it is missing: locked shared by holds and exclusively by removals."""
        folder = self.path(sha256).parent
        if not folder.exists():
            private_directory(folder, self._fsync)
        return folder

    def exists(self, sha256: str) -> bool:
        """Whether there is one, sound or not."""
        return any(path.exists() for path in self.paths(sha256))

    def _sound(self, sha256: str, size: int) -> Path | None:
        """The file that has this blob, by what its size or its frame's header says."""
        return next((path for path in self.paths(sha256) if _size_of(path) == size), None)

    def draft(self, message: RawMessage, sha256: str, size: int) -> Draft | None:
        """The message as a draft, or None where its blob is there already, of the right size.

        CustodyError where its bytes are not those of `sha256` and `size`; OSError where they cannot be written.
        """
        if self._sound(sha256, size) is not None:
            return None

        def chunks() -> Iterable[bytes]:
            whole = checked_chunks(message, sha256, size)
            return packed(whole, size) if self._coding is Coding.ZSTD else whole

        return write_draft(self._drafts, chunks, self._fsync)

    def files(self) -> Iterator[tuple[str, Path]]:
        """All of them, with the digests that are their names."""
        for folder in sorted(self._root.glob("[0-9a-f][0-9a-f]")):
            for path in sorted(folder.iterdir()):
                name = path.name.removesuffix(SUFFIX)
                if SHA256.fullmatch(name):
                    yield name, path

    def open(self, sha256: str, size: int) -> BinaryIO:
        """The raw bytes; FileNotFoundError where there are none. DamagedError, here or when it is read."""
        found = self._sound(sha256, size) or next((path for path in self.paths(sha256) if path.exists()), None)
        if found is None:
            raise FileNotFoundError(sha256)
        return opened(found.open("rb"), found.name, size)

    def remove(self, sha256: str) -> None:
        """Remove the blob durably; no error where there is none."""
        for path in self.paths(sha256):
            with suppress(FileNotFoundError):
                path.unlink()
                sync_directory(path.parent, self._fsync)


def checked_chunks(message: RawMessage, sha256: str, size: int) -> Iterator[bytes]:
    """The raw bytes; CustodyError where they are not those of `sha256` and `size`, at the latest at the end."""
    digest = hashlib.sha256()
    written = 0
    for chunk in raw_chunks(message):
        digest.update(chunk)
        written += len(chunk)
        if written > size:
            break
        yield chunk
    if (digest.hexdigest(), written) != (sha256, size):
        raise CustodyError("the message is not the one that the evidence describes")


def opened(source: BinaryIO, name: str, size: int) -> BinaryIO:
    """A file or object with the raw bytes: as it is, or what its name says is a frame of so many. DamagedError."""
    return unpacked(source, size) if name.endswith(SUFFIX) else source


def _size_of(path: Path) -> int | None:
    """Of the raw bytes, as far as can be seen; None where there is no file, or one that cannot be read."""
    with suppress(FileNotFoundError):
        if path.suffix != SUFFIX:
            return path.stat().st_size
        with path.open("rb") as file:
            return content_size(file.read(HEAD))
    return None
