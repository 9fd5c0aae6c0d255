"""Counting what may have any number of names, in bounded memory: the most frequent ones, and how long things took."""

import math
from dataclasses import dataclass
from typing import Final

KEPT: Final = 20_000  # names counted at the same time, some 5 MB; twice as many for a moment
STEP: Final = 1.05  # from one class of durations to the next: a percentile is right to that part
_LOG: Final = math.log(STEP)
_LEAST: Final = 0.1  # ms; as the journal rounds


@dataclass(frozen=True, slots=True)
class Top:
    """A frequent name: how many messages it had, and how many of them did not go through."""

    name: str
    messages: int
    stopped: int


class Tops:
    """The most frequent of any number of names (Misra and Gries).

    Where there are more names than are kept, all counts are lowered by as much as the rarer half had: a count is then
    too low by `missing` at most, and what was seen more often than that is never lost.
    """

    def __init__(self, kept: int = KEPT) -> None:
        """Nothing yet."""
        self._kept = kept
        self._counts: dict[str, list[int]] = {}
        self.missing = 0

    def add(self, name: str, *, stopped: bool) -> None:
        """One message more of this name."""
        found = self._counts.get(name)
        if found is not None:
            found[0] += 1
            found[1] += stopped
            return
        self._counts[name] = [1, int(stopped)]
        if len(self._counts) >= 2 * self._kept:
            self._lower()

    def _lower(self) -> None:
        cut = sorted([count for count, _ in self._counts.values()], reverse=True)[self._kept]
        self.missing += cut
        left = [(name, count - cut, bad) for name, (count, bad) in self._counts.items() if count > cut]
        self._counts = {name: [count, min(bad, count)] for name, count, bad in left}

    def top(self, most: int) -> tuple[Top, ...]:
        """The most frequent ones, then by name."""
        ordered = sorted(self._counts.items(), key=lambda item: (-item[1][0], item[0]))
        return tuple([Top(name, count, bad) for name, (count, bad) in ordered[:most]])


@dataclass(frozen=True, slots=True)
class Durations:
    """How long things took, in ms; percentiles are right to five percent."""

    count: int
    mean: float
    median: float
    p95: float
    p99: float
    longest: float
    classes: tuple[tuple[float, int], ...]  # up to how long, how many


class Stopwatch:
    """Durations by classes that grow by STEP: a few hundred for anything from 0.1 ms to days."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._classes: dict[int, int] = {}
        self._count = 0
        self._sum = 0.0
        self._longest = 0.0

    def add(self, ms: float) -> None:
        """One more."""
        at = math.ceil(math.log(max(ms, _LEAST)) / _LOG)
        self._classes[at] = self._classes.get(at, 0) + 1
        self._count += 1
        self._sum += ms
        self._longest = max(self._longest, ms)

    def read(self) -> Durations:
        """What it says."""
        classes = tuple([(STEP**at, count) for at, count in sorted(self._classes.items())])
        if not self._count:
            return Durations(0, 0.0, 0.0, 0.0, 0.0, 0.0, ())
        middle, most, nearly = [self._quantile(classes, part) for part in (0.5, 0.95, 0.99)]
        return Durations(self._count, self._sum / self._count, middle, most, nearly, self._longest, classes)

    def _quantile(self, classes: tuple[tuple[float, int], ...], part: float) -> float:
        left = part * self._count
        for upto, count in classes:
            left -= count
            if left <= 0:
                return min(upto, self._longest)
        return self._longest
