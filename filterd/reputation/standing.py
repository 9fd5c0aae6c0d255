"""From counts to a standing: how good or bad, and how sure. Pure."""

from enum import StrEnum
from typing import Final, NamedTuple

from filterd.reputation.counts import Counts, Record

# A bad outcome weighs as much as three good ones: bad mail that got through is counted as good, good mail is rarely
# counted as bad, so the bad count is the better evidence. A sender with 5 % of bad mail keeps a good standing, one with
# 10 % does not.
BAD_WEIGHT: Final = 3.0
# Weighed outcomes at which half of what they say is believed: two bad messages alone give a poor standing and six a bad
# one; a good one takes sixteen messages.
HALF_SURE: Final = 10.0
GOOD_FROM: Final = 0.6  # of the value: score times confidence
POOR_FROM: Final = -0.3
BAD_FROM: Final = -0.6


class Level(StrEnum):
    """A standing in a word."""

    GOOD = "good"
    NEUTRAL = "neutral"
    POOR = "poor"
    BAD = "bad"


class Standing(NamedTuple):
    """`score` from -1 (all bad) to 1 (all good), `confidence` from 0 (nothing known) to 1."""

    score: float
    confidence: float

    @property
    def value(self) -> float:
        """What both together come to, from -1 to 1."""
        return self.score * self.confidence

    @property
    def level(self) -> Level:
        """The standing in a word."""
        value = self.value
        if value >= GOOD_FROM:
            return Level.GOOD
        if value <= BAD_FROM:
            return Level.BAD
        return Level.POOR if value <= POOR_FROM else Level.NEUTRAL


def evaluate(record: Record, now: float) -> Standing:
    """The standing that a record gives at `now`."""
    return combine(record.weeks(now), record.hours(now))


def combine(weeks: Counts, hours: Counts) -> Standing:
    """The standing of weeks; the last hours pull it down as far as they are sure, and never up.

    So a good sender who is taken over stands there as such after a few messages, while one who had a bad past needs the
    time of weeks.
    """
    slow, fast = _alone(weeks), _alone(hours)
    if fast.score >= slow.score:
        return slow
    return Standing(slow.score + (fast.score - slow.score) * fast.confidence, slow.confidence)


def _alone(counts: Counts) -> Standing:
    bad = BAD_WEIGHT * counts.bad
    weighed = counts.good + bad
    if weighed <= 0.0:
        return Standing(0.0, 0.0)
    return Standing((counts.good - bad) / weighed, weighed / (weighed + HALF_SURE))
