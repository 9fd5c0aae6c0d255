"""Compiled sets on disk, so that a start with 6,000 rules takes a fraction of a second.

A compiled set is code: libyara runs what it loads, and bytes that were flipped make it crash. So only files that we
wrote, in a directory that nobody else can write to, whose SHA-256 is the one noted beside them, are ever loaded.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

import msgspec

MAX_CACHED: Final = 512_000_000  # bytes of one compiled set
KEPT: Final = 4  # sets in the directory: the running one, and what a team goes back and forth between
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


class _Note(msgspec.Struct):
    """What stands beside a set: its digest, and the files that were left out when it was made."""

    sha256: str
    problems: tuple[str, ...]


def load(directory: Path, key: str) -> tuple[bytes, tuple[str, ...]] | None:
    """The set of that key and the problems it was made with; None where there is none that can be trusted."""
    try:
        if not _ours(directory):
            return None
        note = msgspec.json.decode((directory / f"{key}.json").read_bytes(), type=_Note)
        path = directory / f"{key}.yarc"
        if path.stat().st_size > MAX_CACHED:
            return None
        data = path.read_bytes()
    except (OSError, msgspec.DecodeError):
        return None
    return (data, note.problems) if hashlib.sha256(data).hexdigest() == note.sha256 else None


def store(directory: Path, key: str, data: bytes, problems: tuple[str, ...]) -> None:
    """Keep a set; where that fails the next start compiles again, and nothing else is lost."""
    with contextlib.suppress(OSError):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _ours(directory):
            _write(directory / f"{key}.yarc", data)
            _write(directory / f"{key}.json", msgspec.json.encode(_Note(hashlib.sha256(data).hexdigest(), problems)))
            _tidy(directory)


def _ours(directory: Path) -> bool:
    """True where only this user or root can put files."""
    status = directory.stat()
    return status.st_uid in {0, os.geteuid()} and not status.st_mode & _WRITABLE_BY_OTHERS


def _write(path: Path, data: bytes) -> None:
    """Replace a file whole."""
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _tidy(directory: Path) -> None:
    """Remove all but the newest sets."""
    notes = sorted(directory.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for note in notes[KEPT:]:
        note.unlink(missing_ok=True)
        note.with_suffix(".yarc").unlink(missing_ok=True)
