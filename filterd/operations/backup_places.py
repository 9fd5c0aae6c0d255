"""Where a backup goes: a folder, a tar file, or a stream. It has its name only when all of it is on the disk.

Until then a folder or file is called NAME.incomplete, and an incomplete one that nobody works on is made anew. What is
not finished has no manifest, which is written last: so a stream that breaks off is no backup either.
"""

import ctypes
import io
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from filterd.quarantine.durable import Lock, sync_directory, try_lock, write_all

INCOMPLETE: Final = ".incomplete"
SCRATCH: Final = "scratch"  # what is under way, in an incomplete folder
STREAM: Final = "-"
TAR: Final = ".tar"
_libc: Final = ctypes.CDLL(None, use_errno=True)


class BackupError(Exception):
    """There is no backup; the text says why."""


class Place(Protocol):
    """A backup in the making. Whatever raises is BackupError or OSError."""

    scratch: Path  # a private folder for files that are still worked on

    def add(self, name: str, size: int, chunks: Iterable[bytes]) -> None:
        """Put a file of so many bytes into it."""

    def finish(self) -> None:
        """Have it on the disk, and give it its name."""

    def abandon(self) -> None:
        """Leave nothing of it."""


def place_of(target: str) -> Place:
    """A folder; a tar file where the name ends in .tar; - is standard output. BackupError."""
    if target == STREAM:
        if sys.stdout.isatty():
            raise BackupError("a backup is not for a terminal: name a folder or a .tar file, or redirect the output")
        return Archive(None, sys.stdout.buffer)
    path = Path(target)
    if path.suffix == TAR:
        return Archive(path)
    return Folder(path)


class Folder:
    """A folder of files. Runs of zeros take no space in it."""

    def __init__(self, target: Path) -> None:
        """Begin; `target` is not there yet, or an empty folder."""
        if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
            raise BackupError(f"{target} is there: expected the name of a folder or .tar file that is not, or is empty")
        self._target = target
        self._partial = target.with_name(target.name + INCOMPLETE)
        self._made: set[Path] = set()
        self._lock = _begun(self._partial)
        self.scratch = self._partial / SCRATCH
        self.scratch.mkdir(mode=0o700)

    def add(self, name: str, size: int, chunks: Iterable[bytes]) -> None:
        """As Place.add."""
        path = self._partial / name
        if path.parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)  # the folder above all is private
            self._made.add(path.parent)
        write_sparse(path, size, chunks)

    def finish(self) -> None:
        """As Place.finish."""
        shutil.rmtree(self.scratch)
        sync_file_system(self._partial)
        with suppress(FileNotFoundError):
            self._target.rmdir()
        self._partial.rename(self._target)
        sync_directory(self._target.parent, os.fsync)
        os.close(self._lock)

    def abandon(self) -> None:
        """As Place.abandon."""
        shutil.rmtree(self._partial, ignore_errors=True)
        with suppress(OSError):
            os.close(self._lock)


class Archive:
    """A tar file, or a stream of one."""

    def __init__(self, target: Path | None, stream: BinaryIO | None = None) -> None:
        """Begin; `target` is not there yet."""
        self._target = target
        self._partial: Path | None = None
        if target is not None:
            if target.is_symlink() or target.exists():
                raise BackupError(f"{target} is there: expected the name of a file that is not")
            self._partial = target.with_name(target.name + INCOMPLETE)
            with suppress(FileNotFoundError):
                _require_idle(self._partial)
                self._partial.unlink()
            descriptor = os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try_lock(descriptor, Lock.EXCLUSIVE)
            stream = os.fdopen(descriptor, "wb")
        if stream is None:
            raise ValueError("a file or a stream")
        self._stream = stream
        self._tar = tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115  # closed by finish
        self.scratch = self._scratch()

    def _scratch(self) -> Path:
        """Beside the file, in the place of one that was left behind; of a stream, where temporary files are."""
        if self._partial is None:
            return Path(tempfile.mkdtemp(prefix="filterd-backup-"))
        folder = self._partial.with_name(f"{self._partial.name}.{SCRATCH}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    def add(self, name: str, size: int, chunks: Iterable[bytes]) -> None:
        """As Place.add."""
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        self._tar.addfile(member, _Exactly(chunks, size))

    def finish(self) -> None:
        """As Place.finish."""
        shutil.rmtree(self.scratch)
        self._tar.close()
        self._stream.flush()
        if self._target is None or self._partial is None:
            return
        os.fsync(self._stream.fileno())
        self._partial.rename(self._target)
        sync_directory(self._target.parent, os.fsync)
        self._stream.close()

    def abandon(self) -> None:
        """As Place.abandon."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        if self._partial is not None:
            self._partial.unlink(missing_ok=True)
            with suppress(OSError):
                self._stream.close()


class _Exactly(io.RawIOBase):
    """Chunks as a file of so many bytes. OSError where they are others."""

    def __init__(self, chunks: Iterable[bytes], size: int) -> None:
        self._chunks = counted(chunks, size)
        self._rest = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """So many bytes: what a tar file takes is known before."""
        pieces = []
        while size > 0:
            if not self._rest:
                self._rest = memoryview(next(self._chunks, b""))
                if not self._rest:
                    break
            pieces.append(self._rest[:size])
            size -= len(pieces[-1])
            self._rest = self._rest[len(pieces[-1]) :]
        return b"".join(pieces)


def counted(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same; OSError as soon as they are seen not to be of that size."""
    done = 0
    for chunk in chunks:
        done += len(chunk)
        if done > size:
            break
        if chunk:
            yield chunk
    if done != size:
        raise OSError(f"a file of {size} bytes has changed while it was read")


def write_sparse(path: Path, size: int, chunks: Iterable[bytes]) -> None:
    """Write a new private file; chunks that are all zeros become a hole. OSError, where the size is another too."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        at = 0
        for chunk in counted(chunks, size):
            if chunk.count(0) != len(chunk):
                write_all(descriptor, chunk, at)
            at += len(chunk)
        os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)


def sync_file_system(folder: Path) -> None:
    """Have all of that file system on the disk: one wait, where a hundred thousand files would be as many. OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)


def _begun(partial: Path) -> int:
    """Make the incomplete folder, locked for as long as the descriptor is open; one that was left behind goes first."""
    with suppress(FileNotFoundError):
        _require_idle(partial)
        if not partial.is_dir() or not (partial / SCRATCH).is_dir():
            raise BackupError(f"{partial} is in the way, and no backup that was interrupted: move it")
        shutil.rmtree(partial)
    partial.mkdir(mode=0o700)
    descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try_lock(descriptor, Lock.EXCLUSIVE)
    return descriptor


def _require_idle(partial: Path) -> None:
    """BackupError where another process works on it; FileNotFoundError."""
    descriptor = os.open(partial, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if not try_lock(descriptor, Lock.EXCLUSIVE):
            raise BackupError(f"another backup is being made there: {partial}")
    finally:
        os.close(descriptor)
