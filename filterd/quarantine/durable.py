"""Files that are there after a power cut: written aside, fsynced, renamed, their directory fsynced."""

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import Final

from filterd.model.custody import CustodyError

Fsync = Callable[[int], None]

LOCK_POLL: Final = 0.005  # seconds between two looks at a lock that is taken
ATTEMPTS: Final = 2  # whole writes: after a failed fsync the kernel may have dropped the pages and call them clean


class Draft:
    """A complete, fsynced file that nobody sees yet. Publish it or discard it."""

    def __init__(self, path: Path) -> None:
        """`path` lies on the file system where it will be published."""
        self._path = path

    def publish(self, target: Path) -> None:
        """Give it its name, replacing what has it. Durable once `sync_directory(target.parent)` is done."""
        self._path.rename(target)

    def discard(self) -> None:
        """Remove it; no error where it is gone or published."""
        with suppress(OSError):
            self._path.unlink()


def write_draft(folder: Path, chunks: Callable[[], Iterable[bytes]], fsync: Fsync) -> Draft:
    """Write `chunks()` to a file of mode 0600 in `folder` and fsync it; OSError where that fails twice.

    After a failed fsync the file is written anew: fsyncing it again would report success without the data.
    """
    for attempt in range(1, ATTEMPTS + 1):
        path = folder / secrets.token_hex(12)
        draft = Draft(path)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                at = 0
                for chunk in chunks():
                    write_all(descriptor, chunk, at)
                    at += len(chunk)
                synced = _synced(descriptor, fsync, last=attempt == ATTEMPTS)
            finally:
                os.close(descriptor)
        except BaseException:
            draft.discard()
            raise
        if synced:
            return draft
        draft.discard()
    raise AssertionError("the last attempt returns or raises")


def _synced(descriptor: int, fsync: Fsync, *, last: bool) -> bool:
    try:
        fsync(descriptor)
    except OSError:
        if last:
            raise
        return False
    return True


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of it there; OSError."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written


def sync_directory(folder: Path, fsync: Fsync) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fsync(descriptor)
    finally:
        os.close(descriptor)


class Lock(IntEnum):
    """How a folder is locked."""

    SHARED = fcntl.LOCK_SH
    EXCLUSIVE = fcntl.LOCK_EX


def try_lock(descriptor: int, kind: Lock) -> bool:
    """Take a flock on an open file, which ends when it is closed; False where another has it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked(folder: Path, kind: Lock, seconds: float) -> Iterator[None]:
    """Hold a flock on the folder itself; CustodyError where it is not to be had within so many seconds.

    It binds threads and processes alike, and ends with the process.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + seconds
        while not try_lock(descriptor, kind):
            if time.monotonic() >= deadline:
                raise CustodyError("quarantine: locked by another process")
            time.sleep(LOCK_POLL)
        yield
    finally:
        os.close(descriptor)


def private_directory(folder: Path, fsync: Fsync) -> None:
    """Make `folder` (mode 0700) with its name durable; CustodyError where an existing one is open to others."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        sync_directory(folder.parent, fsync)
    require_private(folder)


def require_private(path: Path) -> None:
    """CustodyError where group or others may touch it: held mail is nobody else's to read."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise CustodyError(f"{path} has mode {mode:04o}; held mail must be private: chmod go= {path}")
