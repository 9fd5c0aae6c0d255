"""Good and bad outcomes, counted so that they decay by themselves.

A store can only add to a counter, atomically and from many processes. So an outcome is not counted as 1 but as 2 to the
number of half-lives since its *generation* began, and a sum is divided by the same power of the time it is read at:
exact exponential decay, with nothing to rewrite. A generation is SPAN half-lives long; its counter and the one before
are read. Good and bad outcomes share one integer of 64 bits, so that they are read and added together.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

UNIT: Final = 8  # what one outcome adds at the beginning of a generation; rounding errs by 6 % at most
SPAN: Final = 4  # half-lives in a generation: what falls out at its end weighed a sixteenth at most
SHIFT: Final = 32  # bits of each sum: 33 million outcomes of one kind in a generation, even at its end
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

    @property
    def length(self) -> float:
        """Seconds in a generation."""
        return SPAN * self.half_life

    @property
    def lifetime(self) -> int:
        """Seconds for which a counter is of use after it was added to."""
        return int(2 * self.length)

    def generation(self, now: float) -> int:
        """The generation at `now` (epoch seconds)."""
        return int(now // self.length)


# A week: lists of spam sources let an address go after one or two, so a network that was cleaned is rid of its past
# about as fast here, and who writes once a fortnight is still remembered by a quarter of it.
SLOW: Final = Scale("s", 7 * 86_400.0)
# A quarter of a day: long enough that a handful of messages are a sample, so short that yesterday's good mail does not
# outvote what a taken-over account sends this morning.
FAST: Final = Scale("f", 6 * 3_600.0)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many good and bad outcomes there are at a moment, decayed to it."""

    good: float = 0.0
    bad: float = 0.0


@dataclass(frozen=True, slots=True)
class Sums:
    """The counters of one scale: of `generation` and of the one before it, as the store holds them."""

    generation: int
    current: int = 0
    previous: int = 0

    def added(self, scale: Scale, outcome: Outcome, now: float) -> "Sums":
        """The counters after one more outcome."""
        generation = scale.generation(now)
        if generation == self.generation:
            return replace(self, current=self.current + amount(scale, outcome, now))
        before = self.current if generation == self.generation + 1 else 0
        return Sums(generation, amount(scale, outcome, now), before)


@dataclass(frozen=True, slots=True)
class Record:
    """All that is known of one subject."""

    slow: Sums
    fast: Sums

    @classmethod
    def of(cls, values: tuple[bytes | None, ...], now: float) -> "Record":
        """From the values of `counters`, read at `now`. What is no counter of ours counts as none."""
        numbers = [_number(value) for value in values]
        return cls(
            Sums(SLOW.generation(now), numbers[0], numbers[1]), Sums(FAST.generation(now), numbers[2], numbers[3])
        )

    def added(self, outcome: Outcome, now: float) -> "Record":
        """The record after one more outcome."""
        return Record(self.slow.added(SLOW, outcome, now), self.fast.added(FAST, outcome, now))


def counters(subject: str, now: float) -> tuple[str, str, str, str]:
    """The keys that hold a subject's record at `now`."""
    slow, fast = SLOW.generation(now), FAST.generation(now)
    return f"{subject}:s{slow}", f"{subject}:s{slow - 1}", f"{subject}:f{fast}", f"{subject}:f{fast - 1}"


def amount(scale: Scale, outcome: Outcome, now: float) -> int:
    """What one outcome at `now` adds to the counter of its generation."""
    weight = round(UNIT * math.exp2(_age(scale, scale.generation(now), now)))
    return weight << SHIFT if outcome is Outcome.BAD else weight


def decayed(scale: Scale, sums: Sums, now: float) -> Counts:
    """What the counters say at `now`."""
    good = bad = 0.0
    for packed, generation in ((sums.current, sums.generation), (sums.previous, sums.generation - 1)):
        if packed:
            share = 1.0 / (UNIT * math.exp2(_age(scale, generation, now)))
            good += (packed & _MASK) * share
            bad += (packed >> SHIFT) * share
    return Counts(good, bad)


def _age(scale: Scale, generation: int, now: float) -> float:
    """Half-lives since a generation began; bounded, for a clock that jumps must not make numbers of any size."""
    return min(max((now - generation * scale.length) / scale.half_life, 0.0), 64.0)


def _number(value: bytes | None) -> int:
    if value is None or len(value) > _MAX_DIGITS or not value.isdigit():
        return 0
    return min(int(value), _LARGEST)
