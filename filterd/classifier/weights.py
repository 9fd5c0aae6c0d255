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
from itertools import accumulate, pairwise
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from filterd.classifier.calibration import probability
from filterd.classifier.counting import COUNTED, COUNTS_SIZE, count, touched, values
from filterd.classifier.features import EDGES, SLOTS, STRETCHES, VIEWS, Features

__all__ = ["SIZE", "Change", "Weights", "empty", "learn", "margin", "probability", "undo", "weighed"]

Weights: TypeAlias = NDArray[np.float32]
Places: TypeAlias = NDArray[np.intp]

RATE: Final = np.float32(1.0)  # of a weight's first step, which is so long whatever the gradient
FIRST: Final = np.float32(1e-6)  # squared gradient that every weight is taken to have seen
LEAST: Final = 0.002  # of a view's error, below which it does not learn: it would cost a step and change nothing
SPAM_COUNTS: Final = 0.5  # of ham in learning: to take good mail for spam is the worse error
SCALE: Final = 0.2  # of the views' margins to the logarithm of the odds; see docs/classifier.md
COUNTS: Final = (1.5, 1.25, 1.25, 1.25, 0.75, 0.75)  # of the views' margins in the sum
SIZE: Final = 2 * SLOTS + COUNTS_SIZE  # floats of a model
_EDGES: Final = np.array(EDGES[1:-1], dtype=np.uint32)
_COUNTS_AT: Final = 2 * SLOTS  # where the counts begin in the array


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What learning one message changed: places in the array, and what stood there before."""

    at: Places
    before: Weights


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A message as the model sees it: of each feature its weight, squared gradient and value; and of each view."""

    places: Places
    pairs: Weights
    values: Weights
    lengths: list[int]  # features of each view
    margins: list[float]


def empty() -> Weights:
    """A model that has learnt nothing."""
    return np.zeros(SIZE, dtype=np.float32)


def margin(weights: Weights, features: Features) -> float:
    """The logarithm of the odds that the message is spam: above 0 for spam, below for ham."""
    found = _seen(weights, features).margins
    return SCALE * sum([one * counts for one, counts in zip(found, COUNTS, strict=True)])


def weighed(weights: Weights, features: Features) -> Weights:
    """What each feature adds to the margin."""
    seen = _seen(weights, features)
    shares = [SCALE * counts / math.sqrt(max(one, 1)) for counts, one in zip(COUNTS, seen.lengths, strict=True)]
    found: Weights = seen.pairs[:, 0] * seen.values
    found *= np.repeat(np.array(shares, dtype=np.float32), seen.lengths)
    return found


def learn(weights: Weights, features: Features, *, spam: bool) -> Change:
    """Learn one message in place. A view that is sure of it already learns nothing."""
    seen = _seen(weights, features)
    wrong = [probability(one) - spam for one in seen.margins]
    learning = [length > 0 and abs(one) >= LEAST for one, length in zip(wrong, seen.lengths, strict=True)]
    if not any(learning):
        return Change(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.float32))
    share = SPAM_COUNTS if spam else 1.0
    gradients = [share * one / math.sqrt(max(length, 1)) for one, length in zip(wrong, seen.lengths, strict=True)]
    places, pairs = seen.places, seen.pairs
    steps = np.repeat(np.array(gradients, dtype=np.float32), seen.lengths)
    steps *= seen.values
    lengths = [length * one for length, one in zip(seen.lengths, learning, strict=True)]
    if not all(learning):
        kept = np.flatnonzero(np.repeat(np.array(learning), seen.lengths))
        places, pairs, steps = places.take(kept), pairs.take(kept, axis=0), steps.take(kept)
    _both(weights)[places] = _step(pairs, steps)
    counts = weights[_COUNTS_AT:]
    counted = np.concatenate([np.empty(0, dtype=np.intp), *_of_views(places, lengths)])
    views = [view for view in COUNTED if lengths[view]]
    floats = touched(views, counted)
    before = np.concatenate([pairs.reshape(-1), counts.take(floats)])
    count(counts, views, counted, spam=spam)
    at = np.empty(len(before), dtype=np.intp)
    pairs_at = at[: 2 * len(places)]
    np.multiply(places, 2, out=pairs_at[::2])
    np.add(pairs_at[::2], 1, out=pairs_at[1::2])
    np.add(floats, _COUNTS_AT, out=at[len(pairs_at) :])
    return Change(at, before)


def undo(weights: Weights, change: Change) -> None:
    """Take back what `learn` did, exactly, where nothing has been learnt since."""
    weights[change.at] = change.before


def _seen(weights: Weights, features: Features) -> _Seen:
    """A message as the model sees it. A long message counts no more than a short one."""
    places = features.slots.astype(np.intp)
    pairs: Weights = _both(weights).take(places).view(np.float32).reshape(-1, 2)
    edges = [0, *np.searchsorted(features.slots, _EDGES).tolist(), len(places)]
    lengths = [end - start for start, end in pairwise(edges)]
    valued = np.ones(len(places), dtype=np.float32)
    words = edges[STRETCHES]
    valued[words:] = values(weights[_COUNTS_AT:], places[words:], lengths[STRETCHES:])
    margins = [0.0] * len(lengths)
    there = [view for view, length in enumerate(lengths) if length]
    if there:
        sums = np.add.reduceat(pairs[:, 0] * valued, [edges[view] for view in there]).tolist()
        for view, found in zip(there, sums, strict=True):
            margins[view] = found / math.sqrt(lengths[view])
    return _Seen(places, pairs, valued, lengths, margins)


def _of_views(places: Places, lengths: list[int]) -> list[Places]:
    """The places of those views whose features are counted."""
    ends = list(accumulate(lengths))
    return [places[ends[view] - lengths[view] : ends[view]] for view in COUNTED if lengths[view]]


def _both(weights: Weights) -> NDArray[np.uint64]:
    """Each weight with its squared gradient as one number, so that both are had with one look at memory."""
    return weights[:_COUNTS_AT].view(np.uint64)


def _step(pairs: Weights, steps: Weights) -> NDArray[np.uint64]:
    """Weights and squared gradients after one step."""
    found = np.empty_like(pairs)
    squares = steps * steps
    squares += pairs[:, 1]
    found[:, 1] = squares
    squares += FIRST
    np.sqrt(squares, out=squares)
    np.divide(steps, squares, out=squares)
    squares *= RATE
    np.subtract(pairs[:, 0], squares, out=found[:, 0])
    return found.view(np.uint64).reshape(-1)


assert all(edge % 2 == 0 for edge in EDGES)  # noqa: S101  # at import: two views share no float of the counts
assert len(COUNTS) == len(VIEWS)  # noqa: S101  # at import: each view has its count
