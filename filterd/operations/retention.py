"""What of held mail has waited for too long, or is too much, by class: the oldest first.

A class is made of the reasons that messages are held for. It has bounds of its own; what it leaves out, and all mail of
no class, has those for all. Bounds of everything together count last.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from filterd.quarantine import Quarantine
from filterd.quarantine.changes import Waiting
from filterd.quarantine.custodian import SWEPT

DAY: Final = 86_400.0  # seconds
ALL: Final = ""  # stands for everything where the name of a class would


@dataclass(frozen=True, slots=True)
class Bound:
    """Seconds that a message waits; messages and bytes at most, 0 for any."""

    keep: float
    most_messages: int = 0
    most_bytes: int = 0

    def exceeded(self, messages: int, size: int) -> bool:
        """Whether so many waiting messages of so many bytes are too many."""
        return 0 < self.most_messages < messages or 0 < self.most_bytes < size

    def why(self, messages: int) -> str:
        """Which of them is exceeded, in words."""
        if 0 < self.most_messages < messages:
            return f"more than {self.most_messages} messages"
        return f"more than {self.most_bytes} bytes"


@dataclass(frozen=True, slots=True)
class Class:
    """What is held for reasons that fit a pattern (`*` at its end stands for anything)."""

    name: str
    reasons: tuple[str, ...]
    bound: Bound


@dataclass(frozen=True, slots=True)
class Due:
    """An entry that is to expire, and why; `name` is of its class, empty where it is of none."""

    entry: Waiting
    name: str
    why: str


def class_of(code: str, classes: Iterable[Class]) -> str:
    """The class of a reason: of several patterns that fit the longest counts; empty where none does."""
    found = [
        (not pattern.endswith("*"), len(pattern), one.name)
        for one in classes
        for pattern in one.reasons
        if fits(code, pattern)
    ]
    return max(found, default=(False, 0, ALL))[2]


def fits(code: str, pattern: str) -> bool:
    """Whether a reason is meant."""
    return code.startswith(pattern[:-1]) if pattern.endswith("*") else code == pattern


def exceeded(totals: Mapping[str, tuple[int, int]], everything: Bound, classes: Sequence[Class]) -> tuple[str, ...]:
    """The names of classes of which too much waits; ALL where that is so of everything together."""
    names = {code: class_of(code, classes) for code in totals}
    found = [
        one.name
        for one in classes
        if one.bound.exceeded(*_sums([totals[code] for code, name in names.items() if name == one.name]))
    ]
    return (*([ALL] if everything.exceeded(*_sums(totals.values())) else []), *found)


def due(quarantine: Quarantine, everything: Bound, classes: Sequence[Class], now: float) -> Iterator[Due]:
    """What is to expire, each once; what is looked at may expire meanwhile. CustodyError."""
    plan = _Plan(quarantine, now)
    members: dict[str, list[str]] = {name: [] for name in (ALL, *[one.name for one in classes])}
    for code in plan.left:
        members[class_of(code, classes)].append(code)
    for one in classes:
        yield from plan.aged(members[one.name], one.bound, one.name)
        yield from plan.beyond(members[one.name], one.bound, one.name)
    yield from plan.aged(members[ALL], everything, ALL)
    for found in plan.beyond(list(plan.left), everything, ALL):
        yield Due(found.entry, class_of(found.entry.code, classes), found.why)


class _Plan:
    """What would be left, as more and more expires."""

    def __init__(self, quarantine: Quarantine, now: float) -> None:
        self._quarantine = quarantine
        self._now = now
        self._seen: set[str] = set()
        self.left = quarantine.totals()

    def aged(self, codes: Collection[str], bound: Bound, name: str) -> Iterator[Due]:
        """What has waited for too long."""
        why = f"older than {bound.keep / DAY:g} days"
        for entry in self._oldest(codes, self._now - bound.keep):
            self._take(entry)
            yield Due(entry, name, why)

    def beyond(self, codes: Collection[str], bound: Bound, name: str) -> Iterator[Due]:
        """The oldest, for as long as there is too much."""
        messages, size = _sums([self.left[code] for code in codes if code in self.left])
        if not bound.exceeded(messages, size):
            return
        for entry in self._oldest(codes, self._now):
            if not bound.exceeded(messages, size):
                return
            self._take(entry)
            yield Due(entry, name, bound.why(messages))
            messages, size = messages - 1, size - entry.size

    def _oldest(self, codes: Collection[str], before: float) -> Iterator[Waiting]:
        after = 0.0, ""
        while page := self._quarantine.oldest(codes, before, after):
            yield from [entry for entry in page if entry.id not in self._seen]
            if len(page) < SWEPT:
                return
            after = page[-1].changed, page[-1].id

    def _take(self, entry: Waiting) -> None:
        self._seen.add(entry.id)
        messages, size = self.left.get(entry.code, (0, 0))
        self.left[entry.code] = messages - 1, size - entry.size


def _sums(pairs: Iterable[tuple[int, int]]) -> tuple[int, int]:
    found = list(pairs)
    return sum([messages for messages, _ in found]), sum([size for _, size in found])
