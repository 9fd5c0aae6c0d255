"""What one message's archives may cost in all, and what comes out of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Final, TypeAlias

from filterd.mime import symbols
from filterd.mime.symbols import finding
from filterd.model.report import Finding
from filterd.unpack.types import Data

MAX_DEPTH: Final = 8  # archives inside each other
MAX_FILES: Final = 1_000  # members of all archives of one message
MAX_BYTES: Final = 200_000_000  # unpacked bytes of one message
MAX_RATIO: Final = 200  # unpacked to packed; text reaches 20, deflate's own limit is 1,032
RATIO_FROM: Final = 1_000_000  # unpacked bytes below which the ratio proves nothing
MAX_MEMBER: Final = 50_000_000  # bytes of one member held in memory, as much as of a message
# Bytes of content that are held at once: of a part, of what is unpacked from it, and so on down to what is read now.
# With them an inspector stays under 200 MB; only what is packed into each other several times at this size gets here.
MAX_HELD: Final = 110_000_000
MAX_PICTURES: Final = 20  # pictures of one message in which codes are looked for
MAX_PIXELS: Final = 8_000_000  # pixels of them all, as decoded; ten to forty milliseconds a million
MAX_LINKS: Final = 10_240  # of all documents of one message
MAX_LINK: Final = 2_000  # characters of one
MAX_GUESSES: Final = 100  # passwords tried in one message; each costs a millisecond of key derivation
_MOST_FINDINGS: Final = 100

Password: TypeAlias = bytes  # as an archive takes it


@dataclass(frozen=True, slots=True)
class Member:
    """Something unpacked: `path` begins with the archive's own ("1.2/inner.zip/a.exe").

    `data` is empty where it is encrypted. `names` are all names it goes by; `types` what its content is; `depth`
    counts archives around it.
    """

    path: str
    names: tuple[str, ...]
    data: Data
    types: tuple[str, ...]
    depth: int
    encrypted: bool = False


@dataclass(slots=True)
class Budget:
    """Shared by all archives of one message; also gathers their findings.

    `until` is when, by `clock`, unpacking ends. `links` are addresses that documents lead to, `codes` the texts of
    two-dimensional codes with the picture's path. `words` gives what may be passwords, `keys` are those that opened
    something. `held` is how many bytes are held now by those who read. `forgiven` counts limits that the decoding
    of documents' pictures has met: those hide nothing.
    """

    depth: int = MAX_DEPTH
    files: int = MAX_FILES
    bytes: int = MAX_BYTES
    held: int = 0
    ratio: int = MAX_RATIO
    pictures: int = MAX_PICTURES
    pixels: int = MAX_PIXELS
    forgiven: int = 0
    findings: list[Finding] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    codes: list[tuple[str, str]] = field(default_factory=list)
    stopped: bool = False
    words: Callable[[], tuple[str, ...]] = tuple
    guesses: int = MAX_GUESSES
    keys: list[Password] = field(default_factory=list)
    until: float = inf
    clock: Callable[[], float] = monotonic

    def note(self, symbol: str, *evidence: str) -> None:
        """Keep a finding, once; many of one kind push no other out."""
        found = finding(symbol, *evidence)
        room = len(self.findings) < _MOST_FINDINGS or symbol not in [one.symbol for one in self.findings]
        if room and found not in self.findings[-8:]:
            self.findings.append(found)

    def link(self, target: str) -> None:
        """Keep an address that a document leads to; one more than are looked at is kept, and said by who looks."""
        if target and len(self.links) <= MAX_LINKS:
            self.links.append(target[:MAX_LINK])

    def stop(self, reason: str, path: str) -> None:
        """Nothing more is unpacked from this message."""
        self.stopped = True
        self.note(symbols.UNSCANNABLE_BOMB, reason, path)

    def late(self, path: str) -> bool:
        """Whether the time is over; then nothing more is unpacked."""
        if not self.stopped and self.clock() > self.until:
            self.stop("too much time", path)
        return self.stopped

    def take_file(self, path: str) -> bool:
        """Count a member; False where that is one too many, or one too late."""
        if self.late(path):
            return False
        self.files -= 1
        if self.files < 0:
            self.stop("too many files", path)
            return False
        return True

    def allowance(self, packed: int) -> int:
        """How many bytes `packed` ones may become now; reaching it exactly is allowed."""
        return max(0, min(self.bytes, MAX_MEMBER, self.room, max(RATIO_FROM, packed * self.ratio)))

    @property
    def room(self) -> int:
        """How many bytes more may be held."""
        return max(0, MAX_HELD - self.held)

    def holding(self, size: int) -> "_Holding":
        """Count bytes that are held meanwhile."""
        return _Holding(self, size)

    def spend(self, size: int) -> None:
        """Count unpacked bytes."""
        self.bytes -= size

    def overdrawn(self, packed: int, path: str) -> None:
        """A stream gave more than its allowance: say which limit it was."""
        if self.bytes <= self.allowance(packed):
            self.stop("too many bytes", path)
        elif self.room <= self.allowance(packed) < MAX_MEMBER:
            self.note(symbols.UNSCANNABLE_SIZE, "member too large beside what it lies in", path)
        elif packed * self.ratio < MAX_MEMBER:
            self.stop("compression ratio", path)
        else:
            self.note(symbols.UNSCANNABLE_SIZE, "member too large", path)


class _Holding:
    """What `Budget.holding` promises; a class, for a generator costs four times as much and a part has two."""

    __slots__ = ("_budget", "_size")

    def __init__(self, budget: Budget, size: int) -> None:
        self._budget = budget
        self._size = size

    def __enter__(self) -> None:
        self._budget.held += self._size

    def __exit__(self, *_: object) -> None:
        self._budget.held -= self._size
