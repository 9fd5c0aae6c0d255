"""Growth over time: a straight line through samples by least squares, and what it may come to.

From `LONG` on the limit is the slope that is asked for, one megabyte an hour. A shorter stretch cannot show so little:
a heap that is steady over a day moves by some megabytes in minutes, with the largest message of each. It is allowed
`NOISE` as a whole. A leak of that size in a stretch is found whatever the time: `least_leak` says how much that is for
each message.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

HOUR: Final = 3_600.0  # seconds
SLOPE: Final = 1.0  # megabytes of resident memory an hour
NOISE: Final = 4.0  # megabytes over a stretch, whatever its length
LONG: Final = NOISE / SLOPE * HOUR  # seconds of a stretch from which on SLOPE is the limit: four hours
FLAT: Final = 8.0  # descriptors or threads over a stretch: what a few messages more under way at its end have open
Points = Sequence[tuple[float, float]]  # seconds, value


@dataclass(frozen=True, slots=True)
class Line:
    """A fitted line: its values where the stretch begins and ends, and the seconds between."""

    first: float
    last: float
    seconds: float

    @property
    def growth(self) -> float:
        """How much more at the end than at the beginning."""
        return self.last - self.first

    @property
    def slope(self) -> float:
        """Growth per hour."""
        return self.growth / self.seconds * HOUR if self.seconds else 0.0


def fit(points: Points) -> Line:
    """The line with the least squares of distances. ValueError without points."""
    if not points:
        raise ValueError("expected samples to fit a line to, got none")
    times = [time for time, _ in points]
    middle, level = sum(times) / len(points), sum(value for _, value in points) / len(points)
    spread = sum((time - middle) ** 2 for time in times)
    rise = sum((time - middle) * (value - level) for time, value in points) / spread if spread else 0.0
    first, last = level + rise * (times[0] - middle), level + rise * (times[-1] - middle)
    return Line(first, last, times[-1] - times[0])


def allowed(seconds: float) -> float:
    """Megabytes that a process may grow over a stretch of that length."""
    return max(NOISE, SLOPE * seconds / HOUR)


def least_leak(seconds: float, messages: float) -> float:
    """Bytes lost with every message that are found, for so many messages of one process in that stretch."""
    return allowed(seconds) * 1e6 / messages if messages else float("inf")
