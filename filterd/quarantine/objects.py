"""Where shared files lie: objects with names, of which one that was put is there for good, or not at all."""

import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from filterd.quarantine.coding import SUFFIX, Coding
from filterd.quarantine.durable import Fsync, private_directory, sync_directory, write_draft

STALE: Final = 86_400.0  # seconds after which a draft is nobody's any more: other nodes may be writing theirs


def message_name(sha256: str, coding: Coding = Coding.NONE) -> str:
    """A name for an object that will hold this message in this coding; none is made twice."""
    return f"blobs/{sha256[:2]}/{sha256}-{secrets.token_hex(8)}{SUFFIX if coding is Coding.ZSTD else ''}"


class ObjectStore(Protocol):
    """Thread-safe. Names are our own, never a message's. OSError for whatever goes wrong."""

    def prepare(self) -> None:
        """Make what is missing; CustodyError where what is there cannot be used."""

    def put(self, name: str, chunks: Callable[[], Iterable[bytes]], *, new: bool = False) -> None:
        """Store durably and visible only as a whole; with `new` FileExistsError where the name is taken."""

    def open(self, name: str) -> BinaryIO:
        """Its bytes; FileNotFoundError."""

    def holds(self, name: str, size: int | None) -> bool:
        """Whether it is there, of that size, None for any; True where we may not know."""

    def delete(self, name: str) -> None:
        """Remove it durably; no error where it is not there."""

    def names(self, prefix: str) -> Iterator[tuple[str, float]]:
        """All whose names begin with the folder `prefix`, and when they were stored (epoch seconds)."""


class DirectoryObjects:
    """A directory, which may be one of a file server that several nodes have mounted: no lock is needed in it."""

    def __init__(self, root: Path, fsync: Fsync = os.fsync) -> None:
        """`root` is private to us, on every node."""
        self._root = root
        self._drafts = root / "drafts"
        self._fsync = fsync

    def prepare(self) -> None:
        """As above; drafts that are a day old go."""
        self._root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self._root, self._drafts):
            private_directory(folder, self._fsync)
        for draft in self._drafts.iterdir():
            with suppress(FileNotFoundError):
                if draft.stat().st_mtime < time.time() - STALE:
                    draft.unlink()

    def put(self, name: str, chunks: Callable[[], Iterable[bytes]], *, new: bool = False) -> None:
        """As above."""
        path = self._root / name
        if new and path.exists():
            raise FileExistsError(name)
        self._make(path.parent)
        draft = write_draft(self._drafts, chunks, self._fsync)
        try:
            draft.publish(path)
        finally:
            draft.discard()
        sync_directory(path.parent, self._fsync)

    def _make(self, folder: Path) -> None:
        """With those above it, each with its name durable."""
        if not folder.is_dir():
            if folder != self._root:
                self._make(folder.parent)
            private_directory(folder, self._fsync)

    def open(self, name: str) -> BinaryIO:
        """As above."""
        return (self._root / name).open("rb")

    def holds(self, name: str, size: int | None) -> bool:
        """As above."""
        try:
            return size in {None, (self._root / name).stat().st_size}
        except FileNotFoundError:
            return False

    def delete(self, name: str) -> None:
        """As above."""
        path = self._root / name
        with suppress(FileNotFoundError):
            path.unlink()
            sync_directory(path.parent, self._fsync)

    def names(self, prefix: str) -> Iterator[tuple[str, float]]:
        """As above."""
        for path in sorted((self._root / prefix).rglob("*")):
            if path.is_file():
                yield str(path.relative_to(self._root)), path.stat().st_mtime
