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
from filterd.classifier.features import BITS, SLOTS, VIEWS, Features, Slots

__all__ = ["SIZE", "Change", "Weights", "empty", "learn", "margin", "probability", "undo", "views"]

Weights: TypeAlias = NDArray[np.float32]

SIZE: Final = 2 * SLOTS  # floats of a model
RATE: Final = np.float32(1.0)  # of a weight's first step, which is so long whatever the gradient
FIRST: Final = np.float32(1e-5)  # squared gradient that every weight is taken to have seen
SCALE: Final = 0.12  # of the views' margins to the logarithm of the odds; see docs/classifier.md
_EDGES: Final = np.arange(1, VIEWS, dtype=np.uint32) << np.uint32(BITS)


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
    return SCALE * sum(_margin(weights, slots) for slots in views(features))


def learn(weights: Weights, features: Features, *, spam: bool) -> Change:
    """Learn one message in place."""
    at = np.concatenate([features.slots, features.slots + np.uint32(SLOTS)])
    before = weights[at]
    for slots in views(features):
        if len(slots):
            _learn(weights, slots, spam=spam)
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


def _margin(weights: Weights, slots: Slots) -> float:
    """One view's margin: all its features count the same, and long messages no more than short ones."""
    return float(weights[slots].sum()) / math.sqrt(len(slots)) if len(slots) else 0.0


def _learn(weights: Weights, slots: Slots, *, spam: bool) -> None:
    """One step of one view."""
    wrong = probability(_margin(weights, slots)) - spam
    gradient = np.float32(wrong / math.sqrt(len(slots)))
    seen = weights[slots + np.uint32(SLOTS)]
    seen += gradient * gradient
    weights[slots + np.uint32(SLOTS)] = seen
    seen += FIRST
    weights[slots] -= RATE * gradient / np.sqrt(seen)
