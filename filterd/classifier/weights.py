"""Weighing features and learning from them: pure functions over one array of float32.

Each view of a message (see `features`) is a logistic regression of its own, with a step for each weight that shrinks
with what it has learnt already (AdaGrad); the margin is the sum of theirs. Averaging views that err in different
places was measured to be worth more than any one of them, or one regression over all.

In some views a feature is not merely there or not: it has a value, and that is how far apart spam and ham are in it
(see `counting`). So what spam alone has speaks up beside hundreds of stretches that all mail has.

The array holds each weight and behind it the squared gradient that it has seen: a message touches some thousand places
that nobody has looked at lately, and waits for each of them once. Behind them stands what `counting` keeps.
"""

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from filterd.classifier.calibration import probability
from filterd.classifier.counting import COUNTED, COUNTS_SIZE, count, touched, values
from filterd.classifier.features import EDGES, HEADER, SLOTS, SMALL, VIEWS, Features

__all__ = ["SIZE", "Change", "Weights", "empty", "learn", "margin", "probability", "undo", "weighed"]

Weights: TypeAlias = NDArray[np.float32]
Places: TypeAlias = NDArray[np.intp]

RATE: Final = np.float32(1.0)  # of a weight's first step, which is so long whatever the gradient
FIRST: Final = np.float32(1e-6)  # squared gradient that every weight is taken to have seen
LEAST: Final = 0.002  # of a view's error, below which it does not learn: it would cost a step and change nothing
SCALE: Final = 0.2  # of the views' margins to the logarithm of the odds; see docs/classifier.md
COUNTS: Final = (1.5, 1.25, 1.0, 1.25, 1.0)  # of the views' margins in the sum
SIZE: Final = 2 * SLOTS + COUNTS_SIZE  # floats of a model
_EDGES: Final = np.array(EDGES[1:-1], dtype=np.uint32)
_COUNTS_AT: Final = 2 * SLOTS  # where the counts begin in the array


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What learning one message changed: places in the array, and what stood there before."""

    at: Places
    before: Weights


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """What the model knows of one view of a message: its features, their weights and values, and the margin."""

    number: int
    places: Places
    weights: Weights
    values: Weights | None

    @property
    def margin(self) -> float:
        """A long message counts no more than a short one."""
        if not len(self.places):
            return 0.0
        found = float(self.weights.sum()) if self.values is None else float(self.weights.dot(self.values))
        return found / math.sqrt(len(self.places))


def empty() -> Weights:
    """A model that has learnt nothing."""
    return np.zeros(SIZE, dtype=np.float32)


def margin(weights: Weights, features: Features) -> float:
    """The logarithm of the odds that the message is spam: above 0 for spam, below for ham."""
    found = [view.margin for view in _views(weights, features)]
    return SCALE * sum([one * counts for one, counts in zip(found, COUNTS, strict=True)])


def weighed(weights: Weights, features: Features) -> Weights:
    """What each feature adds to the margin."""
    found = []
    for view in _views(weights, features):
        share = np.float32(SCALE * COUNTS[view.number] / math.sqrt(max(len(view.places), 1)))
        found.append(view.weights * share if view.values is None else view.weights * view.values * share)
    return np.concatenate(found)


def learn(weights: Weights, features: Features, *, spam: bool) -> Change:
    """Learn one message in place. A view that is sure of it already learns nothing."""
    at: list[Places] = [np.empty(0, dtype=np.intp)]
    before: list[Weights] = [np.empty(0, dtype=np.float32)]
    for view in _views(weights, features):
        wrong = probability(view.margin) - spam
        if abs(wrong) < LEAST or not len(view.places):
            continue
        places = 2 * view.places
        at += [places, places + 1]
        before += [view.weights, _step(weights, places, view, wrong / math.sqrt(len(places)))]
        if view.number in COUNTED:
            counts, counted = weights[_COUNTS_AT:], touched(view.number, view.places)
            at.append(counted + _COUNTS_AT)
            before.append(counts.take(counted))
            count(counts, view.number, view.places, spam=spam)
    return Change(np.concatenate(at), np.concatenate(before))


def undo(weights: Weights, change: Change) -> None:
    """Take back what `learn` did, exactly, where nothing has been learnt since."""
    weights[change.at] = change.before


def _views(weights: Weights, features: Features) -> list[_View]:
    """A message as the model sees it."""
    places = features.slots.astype(np.intp)
    found = weights.take(2 * places)
    ends = [*np.searchsorted(features.slots, _EDGES).tolist(), len(places)]
    header = ends[HEADER - 1]
    valued = values(weights[_COUNTS_AT:], places[header:], ends[SMALL - 1] - header)
    made = []
    start = 0
    for number, end in enumerate(ends):
        own = valued[start - header : end - header] if number in COUNTED else None
        made.append(_View(number, places[start:end], found[start:end], own))
        start = end
    return made


def _step(weights: Weights, places: Places, view: _View, gradient: float) -> Weights:
    """One step of one view; the squared gradients as they were."""
    steps = np.full(len(places), gradient, dtype=np.float32)
    if view.values is not None:
        steps *= view.values
    squares = weights.take(places + 1)
    found = steps * steps
    found += squares
    weights[places + 1] = found
    found += FIRST
    np.sqrt(found, out=found)
    np.divide(steps, found, out=found)
    found *= RATE
    weights[places] = view.weights - found
    return squares


assert len(COUNTS) == len(VIEWS)  # noqa: S101  # at import: each view has its count
