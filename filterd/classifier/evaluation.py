"""How good a filter was: pure functions over what it said of messages and what they were.

All of them count rank alone: recall where so many of the ham are above, and the area under the curve of recall over
false positives (ROC; 1 minus it is the share of pairs of a spam and a ham message that stand in the wrong order).
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from filterd.classifier.features import Features
from filterd.classifier.weights import empty, learn, margin

POINTS: Final = 20  # of a learning curve
FEW: Final = 0.001  # false positives at which recall is told
SOME: Final = 0.01


@dataclass(frozen=True, slots=True)
class Measures:
    """What a run comes to, in percent; NaN where there was no ham or no spam."""

    messages: int
    spam: int
    ham: int
    one_minus_auc_percent: float
    recall_at_fpr_0_1_percent: float
    recall_at_fpr_1_percent: float


@dataclass(frozen=True, slots=True)
class Point:
    """A learning curve's point: `messages` judged so far, and of those since the last point the errors, in percent.

    Errors are ham above 0 and spam below or at it; `one_minus_auc_percent` is of all so far.
    """

    messages: int
    ham_errors_percent: float
    spam_errors_percent: float
    one_minus_auc_percent: float


class Online:
    """A model that judges messages in their order and is told later what they were."""

    def __init__(self, delay: int | None) -> None:
        """`delay` messages pass between a judgement and its lesson; without one nothing is learnt."""
        self._weights = empty()
        self._delay = delay
        self._waiting: deque[tuple[Features, bool]] = deque()

    def teach(self, features: Features, *, spam: bool) -> None:
        """Learn a message that is not judged."""
        learn(self._weights, features, spam=spam)

    def judge(self, features: Features) -> float:
        """The message's margin."""
        return margin(self._weights, features)

    def told(self, features: Features, *, spam: bool) -> None:
        """What the message just judged was."""
        if self._delay is None:
            return
        self._waiting.append((features, spam))
        if len(self._waiting) > self._delay:
            due, label = self._waiting.popleft()
            learn(self._weights, due, spam=label)


def measures(scores: Sequence[float], spam: Sequence[bool]) -> Measures:
    """What scores, high for spam, come to. Equal ones count half."""
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(spam, dtype=np.bool_)
    bad, good = values[truth], np.sort(values[~truth])
    if not len(bad) or not len(good):
        return Measures(len(values), len(bad), len(good), float("nan"), float("nan"), float("nan"))
    below, upto = np.searchsorted(good, bad, side="left"), np.searchsorted(good, bad, side="right")
    wrong = 1 - (below + upto).sum() / (2 * len(bad) * len(good))
    few, some = (_recall(bad, good, share) for share in (FEW, SOME))
    return Measures(len(values), len(bad), len(good), round(100 * float(wrong), 5), few, some)


def _recall(bad: NDArray[np.float64], good: NDArray[np.float64], share: float) -> float:
    """Percent of the spam above a threshold that no more than that share of the ham is above."""
    allowed = int(share * len(good))
    return round(100 * float(np.mean(bad > good[len(good) - 1 - allowed])), 3)


def errors(scores: Sequence[float], spam: Sequence[bool], threshold: float) -> tuple[float, float]:
    """Percent of the ham that reaches a threshold, and of the spam that does not."""
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(spam, dtype=np.bool_)
    reached = values >= threshold
    return _percent(reached[~truth]), _percent(~reached[truth])


def curve(scores: Sequence[float], spam: Sequence[bool], points: int = POINTS) -> Iterator[Point]:
    """How it got better: points at equal distances."""
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(spam, dtype=np.bool_)
    start = 0
    for number in range(1, points + 1):
        end = len(values) * number // points
        if end == start:
            continue
        part, kind = values[start:end], truth[start:end]
        known = measures(values[:end].tolist(), truth[:end].tolist())
        yield Point(end, _percent(part[~kind] > 0), _percent(part[kind] <= 0), known.one_minus_auc_percent)
        start = end


def _percent(found: NDArray[np.bool_]) -> float:
    """How many of these are true; 0 of none."""
    return round(100 * float(np.mean(found)), 3) if len(found) else 0.0
