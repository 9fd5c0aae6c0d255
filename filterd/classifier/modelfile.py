"""The model as a file that all inspectors map for reading and one writer at a time changes.

Two halves: one is read, the other made ready. A writer says which generation it prepares, fills the idle half, writes
that half's page of facts, has both on the disk, and only then makes it the current one. So a writer that is killed
leaves what was there, and a reader that finds its half untouched after it has read from it (`preparing` no more than
one ahead) has read one generation and no mixture. The file is changed in place and never replaced while its format
stays: who has mapped it sees every later generation without opening anything.

Page 0 holds what the file is and which generation counts, pages 1 and 2 the facts about each half, then come the
halves: the weights of the model, and behind them the layer that all domains share. All numbers are little-endian.
"""

import hashlib
import mmap
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from filterd.classifier.features import FORMAT as FEATURES
from filterd.classifier.layer import LAYER, MAX_DOMAINS
from filterd.classifier.weights import SIZE, Weights
from filterd.classifier.writing import like_folder

T = TypeVar("T")

NAME: Final = "model.bin"
FORMAT: Final = 1  # of this file
MAGIC: Final = b"filterd\x02"
PAGE: Final = 4096  # bytes
ATTEMPTS: Final = 3  # to read from a half that is not being written; a writer takes its time between two generations
DIGEST: Final = 16  # bytes of a half's hash
_HEADER: Final = struct.Struct("<8sIIII")  # magic, format, the features' format, weights, layer
_COUNTERS: Final = 32  # where page 0 says the current generation, and behind it the one being prepared
_FACTS: Final = struct.Struct(f"<QQQQQ{DIGEST}sI")
_DOMAIN: Final = struct.Struct("<8sII")
_CRC: Final = struct.Struct("<I")
_HALF: Final = -(-4 * (SIZE + LAYER) // PAGE) * PAGE
BYTES: Final = 3 * PAGE + 2 * _HALF  # of the whole file, whatever was learnt


class ModelFileError(Exception):
    """There is no model that can be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Known:
    """The facts about one generation: how much it has learnt, and which lessons of the memory are in it.

    `applied` is the number of the last lesson, `revision` that of the memory's history (it grows when something is
    forgotten). `domains` has a domain's key and how many spam and ham messages were learnt for it.
    """

    generation: int = 0
    applied: int = 0
    revision: int = 0
    spam: int = 0
    ham: int = 0
    digest: bytes = bytes(DIGEST)
    domains: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Names the generation and what is in it: evidence says which model it was made with."""
        return f"{self.generation}-{self.digest[:6].hex()}"

    def pack(self) -> bytes:
        """The facts as a page."""
        entries = b"".join([_DOMAIN.pack(key, spam, ham) for key, (spam, ham) in sorted(self.domains.items())])
        counts = (self.generation, self.applied, self.revision, self.spam, self.ham)
        page = (_FACTS.pack(*counts, self.digest, len(self.domains)) + entries).ljust(PAGE - _CRC.size, b"\0")
        return page + _CRC.pack(zlib.crc32(page))

    @classmethod
    def unpack(cls, page: bytes) -> "Known":
        """The facts from a page. ModelFileError."""
        if _CRC.unpack_from(page, PAGE - _CRC.size)[0] != zlib.crc32(page[: -_CRC.size]):
            raise ModelFileError("the model's facts are damaged")
        generation, applied, revision, spam, ham, digest, many = _FACTS.unpack_from(page)
        entries = [_DOMAIN.unpack_from(page, _FACTS.size + place * _DOMAIN.size) for place in range(many)]
        domains = {key: (spams, hams) for key, spams, hams in entries}
        return cls(generation, applied, revision, spam, ham, digest, domains)


assert _FACTS.size + MAX_DOMAINS * _DOMAIN.size + _CRC.size <= PAGE  # noqa: S101  # at import: constants that must fit


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """One generation's numbers."""

    weights: Weights
    layer: Weights

    def digest(self) -> bytes:
        """A hash of all of it."""
        found = hashlib.blake2b(self.weights.data, digest_size=DIGEST)
        found.update(self.layer.data)
        return found.digest()


class _Mapped:
    """The file in memory, whichever way it was opened."""

    def __init__(self, fd: int, protection: int) -> None:
        self._map = mmap.mmap(fd, BYTES, flags=mmap.MAP_SHARED, prot=protection)
        self._counters = np.frombuffer(self._map, dtype="<u8", count=2, offset=_COUNTERS)
        halves = []
        for number in (0, 1):
            start = 3 * PAGE + number * _HALF
            weights = np.frombuffer(self._map, dtype=np.float32, count=SIZE, offset=start)
            layer = np.frombuffer(self._map, dtype=np.float32, count=LAYER, offset=start + 4 * SIZE)
            halves.append(Half(weights, layer))
        self._halves = tuple(halves)

    @property
    def current(self) -> int:
        """The generation that counts; its half is the one with the generation's parity."""
        return int(self._counters[0])

    def known(self) -> Known:
        """The facts about the generation that counts. ModelFileError."""
        return self._facts(self.current)

    def _facts(self, generation: int) -> Known:
        start = PAGE * (1 + generation % 2)
        known = Known.unpack(self._map[start : start + PAGE])
        if known.generation != generation:
            raise ModelFileError("the model's facts are about another generation")
        return known


class Model(_Mapped):
    """A model for reading: made once, before the walls stand, and good for every later generation."""

    def __init__(self, path: Path) -> None:
        """Map the file and see whether its current generation is whole. ModelFileError."""
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                check_header(fd)
                super().__init__(fd, mmap.PROT_READ)
            finally:
                os.close(fd)
        except OSError as error:
            raise ModelFileError(f"the model cannot be read: {error.strerror}") from error
        self._last = Known(generation=-1)
        if not self.read(lambda half, known: half.digest() == known.digest):
            raise ModelFileError("the model is damaged: its numbers are not those that were written")

    def read(self, use: Callable[[Half, Known], T]) -> T | None:
        """What `use` makes of one generation; None where a writer was always faster, or the facts are damaged."""
        for _ in range(ATTEMPTS):
            generation = self.current
            try:
                if self._last.generation != generation:
                    self._last = self._facts(generation)
                found = use(self._halves[generation % 2], self._last)
            except ModelFileError:
                continue  # a page that is being written, or one that stays broken: the last attempt tells
            if int(self._counters[1]) <= generation + 1:
                return found
        return None


class ModelWriter(_Mapped):
    """The model for who holds the writers' lock (`memory.writing`). Makes the file where there is none that fits."""

    def __init__(self, path: Path) -> None:
        """Map it. OSError. `replaced` says why a file that was there was of no use, empty where there was none."""
        self.replaced = ""
        self._path = path
        fd = self._open()
        try:
            super().__init__(fd, mmap.PROT_READ | mmap.PROT_WRITE)
        finally:
            os.close(fd)

    def _open(self) -> int:
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return self._create()
        try:
            check_header(fd)
        except ModelFileError as error:
            os.close(fd)
            self.replaced = str(error)
            return self._create()
        return fd

    def _create(self) -> int:
        """A file of zeros, put in its place when it is complete."""
        draft = self._path.with_suffix(f".{os.getpid()}")
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.ftruncate(fd, BYTES)
            half = Half(np.zeros(SIZE, dtype=np.float32), np.zeros(LAYER, dtype=np.float32))
            os.pwrite(fd, _HEADER.pack(MAGIC, FORMAT, FEATURES, SIZE, LAYER), 0)
            os.pwrite(fd, Known(digest=half.digest()).pack(), PAGE)
            like_folder(fd, self._path.parent)
            os.fsync(fd)
            draft.replace(self._path)
        except BaseException:
            os.close(fd)
            draft.unlink(missing_ok=True)
            raise
        return fd

    def whole(self) -> bool:
        """Whether the current generation is what was written."""
        try:
            known = self.known()
        except ModelFileError:
            return False
        return self.half.digest() == known.digest

    @property
    def half(self) -> Half:
        """The numbers that count: for reading."""
        return self._halves[self.current % 2]

    def prepare(self) -> Half:
        """The idle half as a copy of the current one, to be changed. Nothing counts before `commit`."""
        generation = self.current
        self._counters[1] = generation + 1
        idle, current = self._halves[(generation + 1) % 2], self._halves[generation % 2]
        np.copyto(idle.weights, current.weights)
        np.copyto(idle.layer, current.layer)
        return idle

    def commit(self, known: Known) -> Known:
        """Make the prepared half the current one; the facts as written."""
        generation = self.current + 1
        known = replace(known, generation=generation, digest=self._halves[generation % 2].digest())
        start = PAGE * (1 + generation % 2)
        self._map[start : start + PAGE] = known.pack()
        self._map.flush()
        self._counters[0] = generation
        self._map.flush(0, PAGE)
        return known


def check_header(fd: int) -> None:
    """Whether the file is one that this release reads. ModelFileError."""
    size, head = os.fstat(fd).st_size, os.pread(fd, _HEADER.size, 0)
    if len(head) == _HEADER.size:
        magic, *versions = _HEADER.unpack(head)
        if magic != MAGIC:
            raise ModelFileError("the file is no model")
        if tuple(versions) != (FORMAT, FEATURES, SIZE, LAYER):
            raise ModelFileError("the model was made by another release: it is made anew from what is remembered")
    if size != BYTES:
        raise ModelFileError(f"the model has {size} bytes where {BYTES} are expected")
