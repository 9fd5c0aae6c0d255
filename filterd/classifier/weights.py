"""Weighing features and learning from them: pure functions over one array of float32."""

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from filterd.classifier.features import SLOTS, Features

Weights: TypeAlias = NDArray[np.float32]

SIZE: Final = SLOTS + 1  # floats of a model: one for each slot, and the bias
RATE: Final = 0.5  # how far one message moves a margin that is wrong
_BIAS: Final = SLOTS


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What learning one message changed: places in the array, in order, and what stood there before."""

    at: NDArray[np.uint32]
    before: Weights


def empty() -> Weights:
    """A model that has learnt nothing."""
    return np.zeros(SIZE, dtype=np.float32)


def margin(weights: Weights, features: Features) -> float:
    """How far the message is on the side of spam (above 0) or ham (below)."""
    if not len(features.slots):
        return 0.0
    return float(weights[_BIAS] + weights[features.slots].sum() / math.sqrt(len(features.slots)))


def learn(weights: Weights, features: Features, *, spam: bool) -> Change:
    """Learn one message in place. The change is empty where the model knew it well enough."""
    at = np.append(features.slots, np.uint32(_BIAS))
    before = weights[at]
    wrong = float(spam) - probability(margin(weights, features))
    weights[features.slots] += np.float32(RATE * wrong * 10 / math.sqrt(max(len(features.slots), 1)))
    return Change(at, before)


def undo(weights: Weights, change: Change) -> None:
    """Take back what `learn` did, exactly, where nothing has been learnt since."""
    weights[change.at] = change.before


def probability(value: float) -> float:
    """The probability of spam that a margin stands for."""
    return 1 / (1 + math.exp(-max(min(value, 500.0), -500.0)))
