"""Weighing features and learning from them: pure functions over one array of float32.

Each view of a message (see `features`) is a logistic regression of its own, with a step for each weight that shrinks
with what it has learnt already (AdaGrad); the margin is the sum of theirs. Averaging views that err in different
places was measured to be worth more than any one of them, or one regression over all.

The array holds the weights, and behind them the squared gradients that they have seen. Who only weighs never touches
the second half.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from filterd.classifier.calibration import probability
from filterd.classifier.features import BITS, SLOTS, TEXTUAL, Features, Slots

__all__ = ["SIZE", "Change", "Weights", "empty", "learn", "margin", "probability", "shares", "undo", "views"]

Weights: TypeAlias = NDArray[np.float32]

SIZE: Final = 2 * SLOTS  # floats of a model
RATE: Final = 1.0  # of a weight's first step, which is so long whatever the gradient
FIRST: Final = np.float32(1e-6)  # squared gradient that every weight is taken to have seen
LEAST: Final = 0.002  # of a view's error, below which it does not learn: it would cost a step and change nothing
SCALE: Final = 0.3  # of the views' margins to the logarithm of the odds; see docs/classifier.md
COUNTS: Final = (1.0, 1.5, 1.0, 1.0)  # of the views' margins in the sum
_EDGES: Final = np.arange(1, TEXTUAL + 1, dtype=np.uint32) << np.uint32(BITS)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What learning one message changed: places in the array, and what stood there before."""

    at: NDArray[np.uint32]
    before: Weights


def empty() -> Weights:
    """A model that has learnt nothing."""
    return np.zeros(SIZE, dtype=np.float32)


def margin(weights: Weights, features: Features) -> float:
    """The logarithm of the odds that the message is spam: above 0 for spam, below for ham."""
    found = [_margin(weights, slots) for slots in views(features)]
    return SCALE * sum([one * counts for one, counts in zip(found, COUNTS, strict=True)])


def learn(weights: Weights, features: Features, *, spam: bool) -> Change:
    """Learn one message in place. A view that is sure of it already learns nothing."""
    changed = []
    for slots in views(features):
        wrong = probability(_margin(weights, slots)) - spam
        if abs(wrong) >= LEAST and len(slots):
            changed.append((slots, wrong))
    if not changed:
        return Change(np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.float32))
    at = np.concatenate([slots for slots, _ in changed])
    at = np.concatenate([at, at + np.uint32(SLOTS)])
    before = weights[at]
    for slots, wrong in changed:
        _step(weights, slots, wrong / math.sqrt(len(slots)))
    return Change(at, before)


def undo(weights: Weights, change: Change) -> None:
    """Take back what `learn` did, exactly, where nothing has been learnt since."""
    weights[change.at] = change.before


def views(features: Features) -> Iterator[Slots]:
    """The features of each view."""
    start = 0
    for end in [*np.searchsorted(features.slots, _EDGES).tolist(), len(features.slots)]:
        yield features.slots[start:end]
        start = end


def shares(features: Features) -> tuple[float, ...]:
    """What a weight of each view adds to the margin."""
    return tuple(
        [SCALE * counts / math.sqrt(max(len(slots), 1)) for counts, slots in zip(COUNTS, views(features), strict=True)]
    )


def _margin(weights: Weights, slots: Slots) -> float:
    """One view's margin: all its features count the same, and long messages no more than short ones."""
    return float(weights.take(slots).sum()) / math.sqrt(len(slots)) if len(slots) else 0.0


def _step(weights: Weights, slots: Slots, gradient: float) -> None:
    """One step of one view."""
    places = slots.astype(np.intp)
    sums = weights[SLOTS:]
    seen = sums[places]
    seen += np.float32(gradient * gradient)
    sums[places] = seen
    seen += FIRST
    weights[places] -= np.float32(RATE * gradient) / np.sqrt(seen)
