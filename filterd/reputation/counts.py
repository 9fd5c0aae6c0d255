"""Good and bad outcomes, counted so that they decay by themselves.

A store can only add to a counter, atomically and from many processes. So an outcome is not counted as 1 but as 2 to the
number of half-lives since its *generation* began, and a sum is divided by the same power of the time it is read at:
exact exponential decay, with nothing to rewrite. A generation is SPAN half-lives long; its counter and the one before
are read. Good and bad outcomes share one integer of 64 bits, so that they are read and added together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

UNIT: Final = 8  # what one outcome adds at the beginning of a generation; rounding errs by 6 % at most
SPAN: Final = 4  # half-lives in a generation: what falls out at its end weighed a sixteenth at most
SHIFT: Final = 32  # bits of each sum: 33 million outcomes of one kind in a generation, even at its end
MAX_AGE: Final = 64.0  # half-lives; what is older is nothing
_MASK: Final = (1 << SHIFT) - 1
_LARGEST: Final = (1 << 63) - 1  # what Redis and SQLite can count
_MAX_DIGITS: Final = 19  # of that number


class Outcome(StrEnum):
    """What became of a message, judged without what reputation said."""

    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Scale:
    """A pace of forgetting: `half_life` in seconds."""

    letter: str
    half_life: float
    length: float  # seconds in a generation

    @property
    def lifetime(self) -> int:
        """Seconds for which a counter is of use after it was added to."""
        return int(2 * self.length)

    def key(self, subject: str, generation: int) -> str:
        """Where the store counts a subject's outcomes of a generation."""
        return f"{subject}:{self.letter}{generation}"

    def generation(self, now: float) -> int:
        """The generation at `now` (epoch seconds)."""
        return int(now // self.length)


WEEK: Final = 7 * 86_400.0  # seconds
HOURS: Final = 6 * 3_600.0  # seconds
# A week: lists of spam sources let an address go after one or two, so a network that was cleaned is rid of its past
# about as fast here, and who writes once a fortnight is still remembered by a quarter of it.
SLOW: Final = Scale("s", WEEK, SPAN * WEEK)
# A quarter of a day: long enough that a handful of messages are a sample, so short that yesterday's good mail does not
# outvote what a taken-over account sends this morning.
FAST: Final = Scale("f", HOURS, SPAN * HOURS)


class Counts(NamedTuple):
    """How many good and bad outcomes there are at a moment, decayed to it."""

    good: float = 0.0
    bad: float = 0.0

    @property
    def total(self) -> float:
        """All of them."""
        return self.good + self.bad


class Addition(NamedTuple):
    """What one outcome adds to the counters of the generations it falls into."""

    slow_generation: int
    slow: int
    fast_generation: int
    fast: int


class Record(NamedTuple):
    """All that is known of one subject: the counters of both scales, of a generation and of the one before it."""

    slow_generation: int = 0
    slow: int = 0
    slow_before: int = 0
    fast_generation: int = 0
    fast: int = 0
    fast_before: int = 0

    @classmethod
    def of(cls, values: Sequence[bytes | None], now: float) -> "Record":
        """From the values of `counters`, read at `now`. What is no counter of ours counts as none."""
        slow, slow_before, fast, fast_before = [0 if value is None else _number(value) for value in values]
        return cls(SLOW.generation(now), slow, slow_before, FAST.generation(now), fast, fast_before)

    def added(self, new: Addition) -> "Record":
        """The record after one more outcome."""
        slow = _moved(self.slow_generation, self.slow, self.slow_before, new.slow_generation)
        fast = _moved(self.fast_generation, self.fast, self.fast_before, new.fast_generation)
        return Record(
            new.slow_generation, slow[0] + new.slow, slow[1], new.fast_generation, fast[0] + new.fast, fast[1]
        )

    def weeks(self, now: float) -> Counts:
        """What counts at `now`, forgotten by the half in a week."""
        return _decayed(SLOW, self.slow_generation, self.slow, self.slow_before, now)

    def hours(self, now: float) -> Counts:
        """What counts at `now`, forgotten by the half in six hours."""
        return _decayed(FAST, self.fast_generation, self.fast, self.fast_before, now)


def counters(subject: str, now: float) -> tuple[str, str, str, str]:
    """The keys that hold a subject's record at `now`."""
    slow, fast = SLOW.generation(now), FAST.generation(now)
    return SLOW.key(subject, slow), SLOW.key(subject, slow - 1), FAST.key(subject, fast), FAST.key(subject, fast - 1)


def addition(outcome: Outcome, now: float) -> Addition:
    """What an outcome at `now` adds."""
    shift = SHIFT if outcome is Outcome.BAD else 0
    slow, fast = SLOW.generation(now), FAST.generation(now)
    return Addition(slow, _weight(SLOW, slow, now) << shift, fast, _weight(FAST, fast, now) << shift)


def _weight(scale: Scale, generation: int, now: float) -> int:
    return round(UNIT * math.exp2(_age(scale, generation, now)))


def _moved(generation: int, current: int, before: int, to: int) -> tuple[int, int]:
    """The counters of a generation and the one before it, seen from another generation."""
    if generation == to:
        return current, before
    return 0, current if generation == to - 1 else 0


def _decayed(scale: Scale, generation: int, current: int, before: int, now: float) -> Counts:
    share = 1.0 / (UNIT * math.exp2(_age(scale, generation, now)))
    good, bad = (current & _MASK) * share, (current >> SHIFT) * share
    if before:
        share = 1.0 / (UNIT * math.exp2(_age(scale, generation - 1, now)))
        good += (before & _MASK) * share
        bad += (before >> SHIFT) * share
    return Counts(good, bad)


def _age(scale: Scale, generation: int, now: float) -> float:
    """Half-lives since a generation began; bounded, for a clock that jumps must not make numbers of any size."""
    return min(max((now - generation * scale.length) / scale.half_life, 0.0), MAX_AGE)


def _number(value: bytes) -> int:
    if len(value) > _MAX_DIGITS or not value.isdigit():
        return 0
    return min(int(value), _LARGEST)
