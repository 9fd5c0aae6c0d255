"""What compiling gave, on disk: a start with 6,000 rules takes a fraction of a second, and good rules are not lost.

A compiled set is code: libyara runs what it loads, and bytes that were flipped make it crash. So only files that we
wrote, in a directory that nobody else can write to, whose SHA-256 is the one noted beside them, are ever loaded.

Beside the sets stand the texts of each rules directory as they last compiled: a file that is broken today is replaced
by what it was.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

MAX_CACHED: Final = 512_000_000  # bytes of one compiled set
KEPT: Final = 4  # sets in the directory: the running one, and what a team goes back and forth between
KEPT_TEXTS: Final = 8  # rules directories whose texts are kept
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_DIGEST: Final = 32  # bytes of a SHA-256


class Kept(msgspec.Struct, frozen=True):
    """A compiled set: all files as one, each by itself, and what was left out when it was made.

    `replaced` maps the files that were broken to the digest of the text used in their place, empty where there was
    none: the set is valid only as long as that is still what they last were.
    """

    joint: bytes
    alone: dict[str, bytes]
    problems: tuple[str, ...] = ()
    replaced: dict[str, str] = {}


def load(directory: Path, key: str) -> Kept | None:
    """The set of that key; None where there is none that can be trusted."""
    data = _read(directory, f"{key}.rules")
    try:
        return msgspec.msgpack.decode(data, type=Kept) if data is not None else None
    except msgspec.DecodeError:
        return None


def store(directory: Path, key: str, kept: Kept) -> None:
    """Keep a set; where that fails the next start compiles again, and nothing else is lost."""
    _store(directory, f"{key}.rules", msgspec.msgpack.encode(kept), KEPT)


def last_texts(directory: Path, rules: Path) -> dict[str, str]:
    """The files of a rules directory as they last compiled, by namespace."""
    data = _read(directory, _texts_name(rules))
    try:
        return msgspec.msgpack.decode(data, type=dict[str, str]) if data is not None else {}
    except msgspec.DecodeError:
        return {}


def keep_texts(directory: Path, rules: Path, texts: Mapping[str, str]) -> None:
    """Remember what compiled."""
    _store(directory, _texts_name(rules), msgspec.msgpack.encode(dict(texts)), KEPT_TEXTS)


def digest_of(text: str) -> str:
    """Names a text in `Kept.replaced`."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _texts_name(rules: Path) -> str:
    return hashlib.sha256(os.fsencode(rules)).hexdigest()[:16] + ".texts"


def _ours(directory: Path) -> bool:
    """True where only this user or root can put files."""
    status = directory.stat()
    return status.st_uid in {0, os.geteuid()} and not status.st_mode & _WRITABLE_BY_OTHERS


def _read(directory: Path, name: str) -> bytes | None:
    """A file's content behind its digest, None where it is not what was written."""
    try:
        path = directory / name
        if not _ours(directory) or path.stat().st_size > MAX_CACHED:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    content = data[_DIGEST:]
    return content if hashlib.sha256(content).digest() == data[:_DIGEST] else None


def _store(directory: Path, name: str, content: bytes, most: int) -> None:
    """Replace a file whole, and remove all but the newest of its kind."""
    with contextlib.suppress(OSError):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _ours(directory):
            return
        path = directory / name
        fd, draft = tempfile.mkstemp(dir=directory, prefix=".new-")
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(hashlib.sha256(content).digest() + content)
            Path(draft).replace(path)
        except OSError:
            Path(draft).unlink(missing_ok=True)
            raise
        kept = sorted(directory.glob(f"*{path.suffix}"), key=lambda one: one.stat().st_mtime, reverse=True)
        for old in kept[most:]:
            old.unlink(missing_ok=True)
