"""Token buckets in a file of fixed size that all fronts of a host read and write under one lock.

A draw costs a few short reads and writes of the page cache, where a transaction of SQLite's costs twice as much and
now and then waits for a disk (decision 030). The file is a table of sets of WAYS slots; a key has its set, and where
that has no free slot, the bucket in it that is nearest to full gives way: somebody may then send a little more than he
should. Nothing is lost with the file but what was drawn; remove it while the daemon is stopped.

It is read and written, not mapped: a full disk is an error then and no signal that ends the process.
"""

import fcntl
import hashlib
import os
import struct
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from filterd.model.store import StoreError
from filterd.store.buckets import MAX_LISTED, Bucket, Draw, draw
from filterd.store.embedded import create_private
from filterd.store.encoding import encoded

SETS: Final = 4_096
WAYS: Final = 8
PATIENCE: Final = 0.05  # seconds a draw waits for the others; each holds the lock for some 50 us
AT_ONCE: Final = 0.001  # the same where a loop waits meanwhile
PAUSE: Final = 0.0002  # seconds between two looks at the lock
DIGEST: Final = 16  # bytes
KEY: Final = 94  # bytes of a key that are kept, for listings; the digest is of all of it
CUT: Final = "…"  # behind a key that was longer
_SLOT: Final = struct.Struct(f"<{DIGEST}sQQH{KEY}s")  # digest, full at, span, length of the key, the key
SIZE: Final = SETS * WAYS * _SLOT.size  # 4 MB: 32,768 buckets that are not full
_SET: Final = WAYS * _SLOT.size
_PLACES: Final = range(0, _SET, _SLOT.size)
_MAX_LENGTH: Final = (1 << 16) - 1
_EMPTY: Final = bytes(_SLOT.size)


class _BusyError(StoreError):
    """Others hold the lock. Nothing was drawn."""


class TableBuckets:
    """See Buckets. Opened at the first call, in the process that makes it."""

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        """`path` is made where it is not there, its folder too."""
        self.pushed_out = 0  # buckets that were not full and had to give way
        self._path = path
        self._patience = patience
        self._lock = threading.Lock()
        self._file = -1
        self._pid = 0

    def draw(self, buckets: Sequence[Bucket], now: int) -> Draw:
        """As Buckets."""
        return self._draw(buckets, now, self._patience)

    def try_draw(self, buckets: Sequence[Bucket], now: int) -> Draw | None:
        """As Buckets. The first draw of a process makes the file and opens it: that may take a disk's time."""
        if self._file < 0 or self._pid != os.getpid():
            return None
        try:
            return self._draw(buckets, now, AT_ONCE)
        except _BusyError:
            return None

    def _draw(self, buckets: Sequence[Bucket], now: int, patience: float) -> Draw:
        digests = [_digest(bucket.key) for bucket in buckets]
        with self._locked(patience) as file:
            places = [_find(file, digest) for digest in digests]
            found, after = draw(buckets, [full for _, full in places], now)
            used = [place for place, _ in places if place >= 0]
            for bucket, digest, (known, old), full in zip(buckets, digests, places, after, strict=True):
                if full == old:
                    continue
                place = known
                if place < 0:
                    place = self._room(file, digest, now, used)
                    used.append(place)
                key = encoded(bucket.key)
                slot = _SLOT.pack(digest, full, bucket.span, min(len(key), _MAX_LENGTH), key[:KEY])
                os.pwrite(file, slot, place)
        return found

    def listed(self, now: int) -> Iterator[tuple[str, int]]:
        """As Buckets. A key that is longer than KEY ends with CUT."""
        with self._locked(self._patience) as file:
            data = os.pread(file, SIZE, 0)
        count = 0
        for _, full, _, length, key in _SLOT.iter_unpack(data[: len(data) // _SLOT.size * _SLOT.size]):
            if full > now and count < MAX_LISTED:
                count += 1
                yield _text(key, length), full

    def full_at(self, key: str) -> int:
        """As Buckets."""
        with self._locked(self._patience) as file:
            return _find(file, _digest(key))[1]

    def fill(self, key: str) -> None:
        """As Buckets."""
        with self._locked(self._patience) as file:
            place, _ = _find(file, _digest(key))
            if place >= 0:
                os.pwrite(file, _EMPTY, place)

    def fill_all(self, prefix: str) -> int:
        """As Buckets; a prefix is KEY bytes at most."""
        wanted, count = encoded(prefix)[:KEY], 0
        with self._locked(self._patience) as file:
            data = os.pread(file, SIZE, 0)
            for at in range(0, len(data) - _SLOT.size + 1, _SLOT.size):
                _, full, _, _, key = _SLOT.unpack_from(data, at)
                if full and key.startswith(wanted):
                    os.pwrite(file, _EMPTY, at)
                    count += 1
        return count

    def close(self) -> None:
        """As Buckets."""
        with self._lock:
            self._forget()

    def _room(self, file: int, digest: bytes, now: int, used: Collection[int]) -> int:
        """A slot of the key's set that is free, else the one whose bucket is nearest to full; none of this draw's."""
        start = _start(digest)
        block = os.pread(file, _SET, start)
        best, least = start, float("inf")
        for at in _PLACES:
            if start + at in used:
                continue
            _, full, span, _, _ = _SLOT.unpack_from(block, at)
            drawn = (full - now) / (span or 1)
            if drawn <= 0.0:
                return start + at
            if drawn < least:
                best, least = start + at, drawn
        self.pushed_out += 1
        return best

    @contextmanager
    def _locked(self, patience: float) -> Iterator[int]:
        """The open file, locked against threads and processes. A process that dies gives its lock back."""
        until = time.monotonic() + patience
        if not self._lock.acquire(timeout=patience):
            raise _BusyError("the table of buckets is busy")
        try:
            file = self._opened()
            _take(file, until)
            try:
                yield file
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)
        except (OSError, struct.error) as error:
            self._forget()
            raise StoreError(f"the table of buckets: {error}") from error
        finally:
            self._lock.release()

    def _opened(self) -> int:
        """This process's own descriptor: an inherited one would share the parent's lock."""
        if self._file >= 0 and self._pid == os.getpid():
            return self._file
        self._forget()
        create_private(self._path)
        file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._file, self._pid = file, os.getpid()
        if os.fstat(file).st_size < SIZE:
            os.posix_fallocate(file, 0, SIZE)
        return file

    def _forget(self) -> None:
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1


def _digest(key: str) -> bytes:
    return hashlib.blake2b(encoded(key), digest_size=DIGEST).digest()


def _start(digest: bytes) -> int:
    """Where the set of a key begins."""
    return int.from_bytes(digest[:4], "little") % SETS * _SET


def _find(file: int, digest: bytes) -> tuple[int, int]:
    """Where the key's slot is and when its bucket is full; -1 and 0 where it has none."""
    start = _start(digest)
    block = os.pread(file, _SET, start)
    at = block.find(digest)
    while at >= 0:
        if at % _SLOT.size == 0:  # else it is a part of some key
            return start + at, int(_SLOT.unpack_from(block, at)[1])
        at = block.find(digest, at + 1)
    return -1, 0


def _take(file: int, until: float) -> None:
    """Lock the file. StoreError where others have not let go of it by then (monotonic seconds)."""
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise _BusyError("the table of buckets is locked by another process") from None
            time.sleep(PAUSE)
        else:
            return


def _text(key: bytes, length: int) -> str:
    if length <= KEY:
        return key[:length].decode("utf-8", "replace")
    return key.decode("utf-8", "ignore") + CUT
