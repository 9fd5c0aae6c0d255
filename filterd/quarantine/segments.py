"""Small messages and evidence, one behind the other in files that only grow: one fsync for all that came at once.

A segment is written by the process that made it, which holds a lock on it (flock, exclusive) for as long as it does;
all may read it, and take records out of it. The first block begins with MARK and a random token. Each record begins at
a block's beginning: a header, then its bytes, then nothing up to the next block. So no write touches a block that holds
what was answered for, and taking a record out leaves its neighbours alone.

    mark, token, kind, coding, name, SHA-256, length, CRC-32 of these      _HEADER, then `length` bytes

Zeros are written ahead, so that the next records go into blocks that the file has already: to make those durable the
file system's journal has nothing to write, which takes most of the time of an append. So a record that was being
written when the host stopped may have zeros where its bytes should be (`torn`); nobody was told that it is kept.

The token keeps bytes of a message from looking like a record. A record that was taken out is a hole, read as zeros;
whole blocks go back to the file system. The index of records is in the ledger, and can be made again from them.
"""

import ctypes
import errno
import os
import re
import secrets
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final, Self

from filterd.quarantine.durable import Fsync, Lock, sync_directory, try_lock, write_all

BLOCK: Final = 4096  # bytes; what disks write whole, and file systems give back
SECTOR: Final = 512  # bytes; what a disk at least writes whole
SEGMENT: Final = 64 << 20  # bytes after which another one is begun
AHEAD: Final = 1 << 20  # bytes of zeros written at once: of some forty messages of 20 KB
CHUNK: Final = 1 << 20  # bytes read at once
ATTEMPTS: Final = 2  # whole writes: after a failed fsync the kernel may have dropped the pages and call them clean

_ZEROS: Final = bytes(16 * BLOCK)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_MARK: Final = b"filterd segment 1\n"
_TOKEN: Final = 16  # bytes
_HEADER: Final = struct.Struct("<8s16sBB26s32sQI")
_RECORD: Final = b"filterdR"
_NAME: Final = re.compile(r"[0-9a-f]{11}-[0-9a-f]{8}")
_PUNCH: Final = 0x02 | 0x01  # FALLOC_FL_PUNCH_HOLE, FALLOC_FL_KEEP_SIZE
_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class Kind(IntEnum):
    """What a record holds."""

    MESSAGE = 1  # raw bytes; the digest is theirs
    EVIDENCE = 2  # as evidence.py writes it; the name is the entry's id


@dataclass(frozen=True, slots=True)
class Record:
    """What is written or was read; `digest` is the SHA-256 of the bytes, before `coding` was done to them."""

    kind: Kind
    name: str
    digest: bytes
    data: bytes
    coding: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a record is: its header and its bytes."""

    segment: str
    offset: int
    length: int

    def __str__(self) -> str:
        """As the ledger keeps it."""
        return f"{self.segment}:{self.offset}:{self.length}"

    @property
    def end(self) -> int:
        """Where the next record may begin."""
        return self.offset + _whole(self.length)

    @classmethod
    def of(cls, text: str) -> Self:
        """The reverse; ValueError for anything else."""
        segment, offset, length = text.split(":")
        if _NAME.fullmatch(segment) is None:
            raise ValueError("no segment")
        return cls(segment, int(offset), int(length))


class Segments:
    """All segments in a folder. Reading and taking out are thread-safe; `write` is for one at a time."""

    def __init__(self, folder: Path, fsync: Fsync) -> None:
        """Nothing is made before the first write."""
        self._folder = folder
        self._fsync = fsync
        self._descriptor = -1
        self._pid = 0
        self._name = ""
        self._token = b""
        # A file's size and blocks are data too to fdatasync, its times are not.
        self._datasync = os.fdatasync if fsync is os.fsync else fsync
        self._end = 0  # of what is written, and known to be on disk
        self._zeroed = 0  # where the zeros behind it end

    def write(self, records: Sequence[Record]) -> list[Slot]:
        """Write them and give back where, when all are on disk; OSError where that fails twice.

        After a failed fsync they are written anew, into another segment: fsyncing again would report success without
        the data.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._ready()
                slots, data = self._laid_out(records)
                self._write_behind(data)
                self._datasync(self._descriptor)
            except OSError as error:
                self._undo()
                self.leave()
                if attempt == ATTEMPTS or error.errno in _FULL:
                    raise
                continue
            self._end += len(data)
            return slots
        raise AssertionError("the last attempt returns or raises")

    def _laid_out(self, records: Sequence[Record]) -> tuple[list[Slot], bytes]:
        """Where each goes, and the bytes of all from the segment's end on."""
        slots: list[Slot] = []
        pieces: list[bytes] = []
        at = self._end
        for record in records:
            length = _HEADER.size + len(record.data)
            slots.append(Slot(self._name, at, length))
            pieces += (_header(self._token, record), record.data, bytes(-length % BLOCK))
            at += _whole(length)
        return slots, b"".join(pieces)

    def _write_behind(self, data: bytes) -> None:
        """Write them at the segment's end; where the zeros there are used up, with new ones behind them."""
        write_all(self._descriptor, data, self._end)
        end = self._end + len(data)
        if end <= self._zeroed:
            return
        try:
            for start in range(end, end + AHEAD, len(_ZEROS)):
                write_all(self._descriptor, _ZEROS, start)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            os.ftruncate(self._descriptor, end)
        else:
            self._zeroed = end + AHEAD

    def _undo(self) -> None:
        """Take back what was written of this write; where that fails `verify` finds it."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)

    def leave(self) -> None:
        """Begin another segment with the next write."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1

    def _ready(self) -> None:
        """Have a segment of this process, with room, that still has its name: one that was removed swallows mail."""
        if self._descriptor >= 0 and (
            self._pid != os.getpid() or self._end >= SEGMENT or not os.fstat(self._descriptor).st_nlink
        ):
            self.leave()
        if self._descriptor < 0:
            self._begin()

    def _begin(self) -> None:
        name = f"{int(time.time() * 1000):011x}-{secrets.token_hex(4)}"
        path = self._folder / name
        token = secrets.token_bytes(_TOKEN)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _own(descriptor)
            write_all(descriptor, (_MARK + token).ljust(BLOCK, b"\0"), 0)
            self._fsync(descriptor)
            sync_directory(self._folder, self._fsync)
        except BaseException:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        self._descriptor, self._pid, self._name, self._token = descriptor, os.getpid(), name, token
        self._end = self._zeroed = BLOCK

    def read(self, slot: Slot, kind: Kind) -> Record:
        """The record there; FileNotFoundError where there is none of that kind."""
        return self.read_stored(slot, kind)[0]

    def read_stored(self, slot: Slot, kind: Kind) -> tuple[Record, bytes]:
        """The record there and its blocks as they stand in the segment; FileNotFoundError as above."""
        with (self._folder / slot.segment).open("rb", buffering=0) as file:
            token = _token_of(file.fileno())
            data = _read(file.fileno(), slot.length, slot.offset)
        found = _parsed(data, token)
        if found is None or found[0].kind is not kind or not found[1] == slot.length == len(data):
            raise FileNotFoundError(errno.ENOENT, "no such record", str(slot))
        record = Record(found[0].kind, found[0].name, found[0].digest, data[_HEADER.size :], found[0].coding)
        return record, data + bytes(-len(data) % BLOCK)

    def first_block(self, name: str) -> bytes:
        """What a segment begins with; FileNotFoundError where it is gone, or none."""
        with (self._folder / name).open("rb", buffering=0) as file:
            if not _token_of(file.fileno()):
                raise FileNotFoundError(errno.ENOENT, "no segment", name)
            return _read(file.fileno(), BLOCK, 0)

    def erase(self, slot: Slot) -> None:
        """Take a record out, durably; no error where it is not there."""
        with suppress(FileNotFoundError):
            descriptor = os.open(self._folder / slot.segment, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                _punch(descriptor, slot.offset, _whole(slot.length))
                self._fsync(descriptor)
            finally:
                os.close(descriptor)

    def names(self) -> list[str]:
        """Of all segments, oldest first."""
        with suppress(FileNotFoundError):
            return sorted([path.name for path in self._folder.iterdir() if _NAME.fullmatch(path.name)])
        return []

    def scan(self, name: str) -> Iterator[tuple[Slot, Record]]:
        """All records of a segment, without their bytes; OSError. What is no whole record is passed over."""
        with suppress(FileNotFoundError), (self._folder / name).open("rb", buffering=0) as file:
            descriptor = file.fileno()
            token, at = _token_of(descriptor), BLOCK
            while (at := _next_data(descriptor, at)) >= 0:
                found = _parsed(os.pread(descriptor, _HEADER.size, at), token)
                if found is None or at + found[1] > os.fstat(descriptor).st_size:
                    at += BLOCK
                    continue
                yield Slot(name, at, found[1]), found[0]
                at += _whole(found[1])

    def tidy(self) -> None:
        """Of segments that nobody writes remove those that hold nothing any more, and the zeros behind the others.

        OSError.
        """
        for name in self.names():
            with suppress(FileNotFoundError), (self._folder / name).open("r+b", buffering=0) as file:
                if not try_lock(file.fileno(), Lock.EXCLUSIVE):
                    continue
                if _is_empty(file.fileno()):
                    (self._folder / name).unlink()
                    sync_directory(self._folder, self._fsync)
                elif (end := _written(file.fileno())) < os.fstat(file.fileno()).st_size:
                    # A message may end in zeros itself.
                    os.ftruncate(file.fileno(), max([end, *[slot.end for slot, _ in self.scan(name)]]))


def _own(descriptor: int) -> None:
    """Take the lock of a new segment; OSError where another has taken it for one that nobody writes."""
    if not try_lock(descriptor, Lock.EXCLUSIVE) or not os.fstat(descriptor).st_nlink:
        raise OSError(errno.EAGAIN, "taken for a segment that nobody writes")


def _header(token: bytes, record: Record) -> bytes:
    name = record.name.encode("ascii")
    head = _HEADER.pack(_RECORD, token, record.kind, record.coding, name, record.digest, len(record.data), 0)
    return head[:-4] + zlib.crc32(head[:-4]).to_bytes(4, "little")


def _parsed(data: bytes, token: bytes) -> tuple[Record, int] | None:
    """The record that begins here, without its bytes, and its length with its header; None where none does."""
    if len(data) < _HEADER.size or not token:
        return None
    mark, its_token, kind, coding, name, digest, length, check = _HEADER.unpack_from(data)
    if (mark, its_token) != (_RECORD, token) or check != zlib.crc32(data[: _HEADER.size - 4]):
        return None
    if kind not in Kind.__members__.values():
        return None
    return Record(Kind(kind), name.rstrip(b"\0").decode("ascii", "replace"), digest, b"", coding), (
        _HEADER.size + length
    )


def _token_of(descriptor: int) -> bytes:
    """Empty where this is no segment."""
    head = os.pread(descriptor, len(_MARK) + _TOKEN, 0)
    return head[len(_MARK) :] if head.startswith(_MARK) and len(head) == len(_MARK) + _TOKEN else b""


def _read(descriptor: int, length: int, offset: int) -> bytes:
    """So many bytes, or fewer where the file ends."""
    pieces = []
    while length > 0 and (piece := os.pread(descriptor, min(length, CHUNK), offset)):
        pieces.append(piece)
        offset += len(piece)
        length -= len(piece)
    return b"".join(pieces)


def size_on_disk(length: int) -> int:
    """What a record of so many bytes takes."""
    return _whole(_HEADER.size + length)


def _whole(length: int) -> int:
    """Up to the end of the block."""
    return length + -length % BLOCK


def _next_data(descriptor: int, at: int) -> int:
    """The first block from there on that is not in a hole; -1 where there is none."""
    try:
        found = os.lseek(descriptor, at, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return -1
        raise
    return max(at, found // BLOCK * BLOCK)


def _is_empty(descriptor: int) -> bool:
    """Whether there is nothing but holes and zeros behind the first block."""
    at = BLOCK
    while (at := _next_data(descriptor, at)) >= 0:
        data = os.pread(descriptor, CHUNK, at)
        if data.count(0) != len(data):
            return False
        at += max(_whole(len(data)), BLOCK)
    return True


def _written(descriptor: int) -> int:
    """Where the zeros begin that a segment ends with."""
    at = os.fstat(descriptor).st_size
    while at > BLOCK:
        start = max(BLOCK, at - CHUNK)
        if data := os.pread(descriptor, at - start, start).rstrip(b"\0"):
            return _whole(start + len(data))
        at = start
    return BLOCK


def has_gaps(record: Record) -> bool:
    """Whether a part of its bytes that a disk writes by itself is nothing but zeros."""
    starts = range(SECTOR - _HEADER.size, len(record.data), SECTOR)
    return any(not record.data[start : start + SECTOR].strip(b"\0") for start in starts)


def _punch(descriptor: int, offset: int, length: int) -> None:
    """Make a hole; zeros where the file system knows no holes."""
    if _libc.fallocate(descriptor, _PUNCH, offset, length) == 0:
        return
    number = ctypes.get_errno()
    if number not in {errno.EOPNOTSUPP, errno.ENOSYS}:
        raise OSError(number, os.strerror(number))
    length = min(length, max(0, os.fstat(descriptor).st_size - offset))
    while length > 0:
        step = min(length, CHUNK)
        write_all(descriptor, bytes(step), offset)
        offset, length = offset + step, length - step
