"""Who may write the model: one process at a time, for a batch."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

NAME: Final = "writer.lock"
SECONDS: Final = 60.0  # to wait for another writer; each holds the lock for a batch, or for making the base
PAUSE: Final = 0.02  # seconds between two attempts


def like_folder(fd: int, folder: Path) -> None:
    """Give a file that root makes to whoever owns the folder: the daemon must be able to write to it."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(fd, owner.st_uid, owner.st_gid)


def make_folder(folder: Path) -> None:
    """Make a private folder where there is none, and give it to its parent's owner. OSError."""
    if folder.is_dir():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        like_folder(fd, folder.parent)
    finally:
        os.close(fd)


class WriterBusyError(Exception):
    """Another process has been writing the model all the time."""


@contextmanager
def writing(folder: Path, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Hold the writers' lock. The kernel gives it back where the process is killed. WriterBusyError; OSError."""
    fd = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        like_folder(fd, folder)
        _take(fd, clock() + seconds, clock)
        yield
    finally:
        os.close(fd)


def _take(fd: int, until: float, clock: Callable[[], float]) -> None:
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock() > until:
                raise WriterBusyError("another process is writing the model: try again") from None
            time.sleep(PAUSE)
        else:
            return
