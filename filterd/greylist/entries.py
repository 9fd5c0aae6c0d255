"""What is remembered of an attempt, and what it means at a later time. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_MAX_DIGITS: Final = 12  # of epoch seconds
_NUMBERS: Final = 3


class State(IntEnum):
    """How an attempt stands, the least known first."""

    NEW = 0  # never seen, or so long ago that it does not count
    EARLY = 1  # seen, and come again too soon
    RETURNED = 2  # come again in time
    KNOWN = 3  # came again in time earlier


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds: before `delay` a retry is too early, after `window` too late; who returned is known for `lifetime`."""

    delay: int
    window: int
    lifetime: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Epoch seconds: of the first attempt, of the one that came back in time, and of the last one; 0 for none yet."""

    first: int
    returned: int = 0
    last: int = 0

    def __bytes__(self) -> bytes:
        """As the store holds it."""
        return b"%d %d %d" % (self.first, self.returned, self.last)

    @classmethod
    def read(cls, value: bytes | None) -> "Entry | None":
        """From the store; None for what is none of ours."""
        words = (value or b"").split(b" ")
        if len(words) != _NUMBERS or not all(word.isdigit() and len(word) <= _MAX_DIGITS for word in words):
            return None
        return cls(*[int(word) for word in words])

    def passed(self, now: int) -> "Entry":
        """After an attempt at `now` that may pass."""
        return Entry(self.first, self.returned or now, now)


def state(entry: Entry | None, now: int, times: Times) -> State:
    """How an attempt at `now` stands that is remembered so."""
    if entry is None:
        return State.NEW
    if entry.returned:
        return State.KNOWN if now - entry.last <= times.lifetime else State.NEW
    age = now - entry.first
    # A first attempt in the future is that of a clock which was wrong then or is now.
    if age < -times.delay or age > times.window:
        return State.NEW
    return State.EARLY if age < times.delay else State.RETURNED


def best(entries: Sequence[Entry | None], now: int, times: Times) -> tuple[State, Entry | None]:
    """Of one recipient's entries the one that is worth most, the oldest of several."""
    found: tuple[State, Entry | None] = State.NEW, None
    for entry in entries:
        how = state(entry, now, times)
        older = found[1] is None or (entry is not None and entry.first < found[1].first)
        if how > found[0] or (how == found[0] and how is not State.NEW and older):
            found = how, entry
    return found
