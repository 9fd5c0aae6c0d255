"""Compound files ([MS-CFB]): their directory, and their streams one by one, each byte read a bounded number of times.

Files lie here in sectors that form chains. Chains of hostile files run in circles or into each other: every chain is
followed only as far as its stream is long, and all reading of one file has a share to draw on.
"""

import struct
from array import array
from dataclasses import dataclass, field
from typing import Final

from filterd.unpack.types import Data

MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_ENTRIES: Final = 20_000  # of the directory; workbooks with hundreds of embedded objects have some thousands
MAX_PATH: Final = 16  # storages around a stream that its path names
_SHARE: Final = 4  # times a file's own length that is read of it
_LEAST_SHARE: Final = 4_000_000  # bytes that may always be read
_HEADER: Final = 512
_ENTRY: Final = 128  # bytes of a directory entry (2.6.1)
_LAST: Final = 0xFFFFFFFA  # numbers from here on are no sectors (2.1)
_IN_HEADER: Final = 109  # sectors of the FAT that the header names
_STORAGE: Final = 1
_STREAM: Final = 2
_ROOT: Final = 5
_SHIFTS: Final = (9, 12)  # sectors of 512 and of 4,096 bytes
_CUTOFF: Final = 4_096  # bytes from which a stream lies in sectors of its own


@dataclass(frozen=True, slots=True)
class Entry:
    """A stream or storage: `path` from the root without it, `clsid` as it lies there."""

    path: tuple[str, ...]
    stream: bool
    start: int
    size: int
    clsid: bytes

    @property
    def name(self) -> str:
        """The last component."""
        return self.path[-1] if self.path else ""


@dataclass(slots=True)
class Compound:
    """An opened file. `broken` says what could not be read of it, empty where all could."""

    data: Data
    entries: tuple[Entry, ...] = ()
    broken: str = ""
    _size: int = 512
    _cutoff: int = 4_096
    _fat: "array[int]" = field(default_factory=lambda: array("I"))
    _minifat: "array[int]" = field(default_factory=lambda: array("I"))
    _mini: bytes = b""
    _left: int = 0

    def read(self, entry: Entry, most: int | None = None) -> bytes:
        """The stream's content or its first bytes; less of it, and `broken` set, where its chain ends early."""
        size = entry.size if most is None else min(entry.size, most)
        if size > len(self.data):
            self.fail("a stream longer than the file")
            size = len(self.data)
        if entry.size < self._cutoff:
            found = self._chain(self._mini, self._minifat, entry.start, size, 64, 0)
        else:
            found = self._chain(self.data, self._fat, entry.start, size, self._size, self._size)
        if len(found) < size:
            self.fail("a stream that ends early")
        return found

    def fail(self, reason: str) -> None:
        """Keep the first thing that was wrong."""
        self.broken = self.broken or reason

    def _chain(self, data: Data, table: "array[int]", start: int, size: int, sector: int, base: int) -> bytes:
        """The bytes of a chain, neighbours in one slice. Linear in `size`, whatever the table says."""
        self._left -= size
        if self._left < 0:
            self.fail("streams that share their bytes")
            return b""
        out: list[Data] = []
        left = size
        here = start
        while left > 0 and here < len(table):
            first = here
            count = 1
            here = table[here]
            while here == first + count and here < len(table) and count * sector < left:
                here = table[here]
                count += 1
            begin = base + first * sector
            piece = data[begin : begin + min(count * sector, left)]
            if not len(piece):
                break
            out.append(piece)
            left -= len(piece)
            if len(piece) < count * sector:
                break  # the file's end, or the stream's
        return b"".join(out)

    def load(self) -> None:
        """Read the tables and the directory."""
        header = bytes(self.data[:_HEADER])
        if len(header) < _HEADER:
            self.fail("cut short")
            return
        shift = int.from_bytes(header[30:32], "little")
        self._size = 1 << shift if shift in _SHIFTS else 512
        self._left = max(_LEAST_SHARE, _SHARE * len(self.data))
        values = struct.unpack_from("<LLLLLLLL", header, 44)
        _, directory, _, self._cutoff, mini_start, mini_count, more, _ = values
        if self._cutoff != _CUTOFF or shift not in _SHIFTS:
            # 2.2: no other values are allowed, and readers part about them.
            self.fail("sizes that no writer uses")
        self._fat = self._table(self._fat_sectors(header, more))
        self.entries, root = self._directory(directory)
        sectors = self._chain(
            self.data, self._fat, mini_start, self._bounded(mini_count * self._size), self._size, self._size
        )
        self._minifat = _numbers(sectors)
        if root is not None and root.size:
            size = self._bounded(root.size)
            self._mini = self._chain(self.data, self._fat, root.start, size, self._size, self._size)

    def _bounded(self, size: int) -> int:
        """A size that the file can hold."""
        return min(size, len(self.data))

    def _fat_sectors(self, header: bytes, more: int) -> list[int]:
        """The sectors that hold the FAT (2.5): as many as a file of this length can need, each once."""
        sectors = [number for number in struct.unpack_from(f"<{_IN_HEADER}L", header, 76) if number < _LAST]
        most = len(self.data) // (self._size * (self._size // 4)) + 2
        seen: set[int] = set()
        while more < _LAST and more not in seen and len(sectors) < most:
            seen.add(more)
            begin = self._size + more * self._size
            numbers = _numbers(bytes(self.data[begin : begin + self._size]))
            if len(numbers) < self._size // 4:
                break
            sectors += [number for number in numbers[:-1] if number < _LAST]
            more = numbers[-1]
        return list(dict.fromkeys(sectors))[:most]

    def _table(self, sectors: list[int]) -> "array[int]":
        """The FAT."""
        out: list[bytes] = []
        for number in sectors:
            begin = self._size + number * self._size
            piece = bytes(self.data[begin : begin + self._size])
            # A missing piece must not move those behind it.
            out.append(piece.ljust(self._size, b"\xff"))
        return _numbers(b"".join(out))

    def _directory(self, start: int) -> tuple[tuple[Entry, ...], Entry | None]:
        """All entries, also those that no tree reaches, and the root's own."""
        # The directory's length stands nowhere in files with small sectors: its chain ends it.
        raw = self._chain(self.data, self._fat, start, self._bounded(MAX_ENTRIES * _ENTRY), self._size, self._size)
        if len(raw) < _ENTRY:
            self.fail("no directory")
            return (), None
        if len(raw) >= MAX_ENTRIES * _ENTRY:
            self.fail("too many entries")
        rows = [raw[place : place + _ENTRY] for place in range(0, len(raw) - _ENTRY + 1, _ENTRY)]
        parents = _parents(rows)
        root: Entry | None = None
        entries: list[Entry] = []
        for number, row in enumerate(rows):
            kind = row[66]
            size = int.from_bytes(row[120:128], "little")
            start_sector = int.from_bytes(row[116:120], "little")
            # 2.6.1: writers of version 3 leave rubbish in the upper half of the size.
            size = size & 0xFFFFFFFF if self._size == 512 else size  # noqa: PLR2004  # the sector size of version 3
            if kind == _ROOT and root is None:
                root = Entry((), False, start_sector, size, row[80:96])
                entries.append(root)
            elif kind in (_STORAGE, _STREAM):
                path = _path(number, rows, parents)
                entries.append(Entry(path, kind == _STREAM, start_sector, size, row[80:96]))
        return tuple(entries), root


def open_compound(data: Data) -> Compound:
    """Read tables and directory. Never raises."""
    compound = Compound(data)
    compound.load()
    return compound


def _numbers(raw: bytes) -> "array[int]":
    """Little-endian numbers of four bytes."""
    found = array("I", raw[: len(raw) // 4 * 4])
    if array("H", [1]).tobytes() == b"\0\1":
        found.byteswap()
    return found


def _parents(rows: list[bytes]) -> dict[int, int]:
    """Entry to the storage it lies in: each storage's tree is walked, nothing twice."""
    parents: dict[int, int] = {}
    for number, row in enumerate(rows):
        if row[66] not in (_STORAGE, _ROOT):
            continue
        waiting = [int.from_bytes(row[76:80], "little")]
        while waiting:
            child = waiting.pop()
            if child < len(rows) and child not in parents and rows[child][66]:
                parents[child] = number
                waiting.append(int.from_bytes(rows[child][68:72], "little"))
                waiting.append(int.from_bytes(rows[child][72:76], "little"))
    return parents


def _path(number: int, rows: list[bytes], parents: dict[int, int]) -> tuple[str, ...]:
    """The names from the root down to an entry."""
    names: list[str] = []
    here: int | None = number
    while here is not None and rows[here][66] != _ROOT and len(names) < MAX_PATH:
        names.append(_name(rows[here]))
        here = parents.get(here)
    return tuple(reversed(names))


def _name(row: bytes) -> str:
    """An entry's name; its length counts the zero behind it."""
    size = min(64, int.from_bytes(row[64:66], "little"))
    return row[: max(0, size - 2)].decode("utf-16-le", "replace")
