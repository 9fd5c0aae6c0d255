"""How often each stretch was in spam and in ham, as far as a view has learnt from them: what makes its value.

A stretch is the more telling, the further the two kinds are apart in it: its value is the absolute logarithm of how
many times as often one of them has it. A regression over such values finds sooner what only few messages have told it
than one over what is merely there or not (Wang and Manning, "Baselines and Bigrams", ACL 2012, for learning in one
batch). All stretches have values; words, whose meaning changes with the years, judge later mail better without.

Two bytes for each feature, of spam the low one; and for each view how many messages of each kind it has learnt from,
as floats. When one of the two bytes is full both are halved: what counts is how they compare.
"""

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from filterd.classifier.features import EDGES, HEADER, LONGER, SMALL, STRETCHES

Places: TypeAlias = NDArray[np.intp]
Counts: TypeAlias = NDArray[np.float32]  # all that is kept here: two features' bytes in a float, behind them numbers

COUNTED: Final = (STRETCHES, HEADER, SMALL, LONGER)  # the views whose features have values
FULL: Final = 120  # of a byte. Without one beyond it no four of them make a float that differs from itself
SEEN: Final = 0.2  # messages of each kind that every feature is taken to have been in
FIRST: Final = EDGES[STRETCHES]  # the first feature that has counts: those of signs stay 0
_NUMBERS_AT: Final = (EDGES[LONGER + 1] - FIRST) // 2  # in floats, where the numbers of messages begin
COUNTS_SIZE: Final = _NUMBERS_AT + 2 * len(COUNTED)  # floats
_HAM: Final = 8  # bits to the byte of ham
_TO_FULL: Final = np.uint16((0x80 - FULL) << _HAM | 0x80 - FULL)  # what brings a full byte's first bit out
_TOP: Final = np.uint16(0x8080)
_HALVED: Final = np.uint16(0x7F7F)  # what is left of two bytes when both are shifted by one bit


def _odds() -> Counts:
    """For two bytes of counts the logarithm of how many times as often spam has the feature."""
    logs = np.log(np.arange(1 << _HAM) + SEEN)
    found: Counts = np.subtract(logs[np.newaxis, :], logs[:, np.newaxis]).astype(np.float32).reshape(-1)
    return found


_ODDS: Final = _odds()


def values(counts: Counts, places: Places, lengths: Sequence[int]) -> Counts:
    """How telling each feature behind the words is, so many of each view; 1 for what was never counted, as signs."""
    pairs = counts.view(np.uint16).take(places - FIRST)
    found: Counts = _ODDS.take(pairs)
    numbers = counts[_NUMBERS_AT:].tolist()
    odds = {view: _odds_of(*numbers[2 * at : 2 * at + 2]) for at, view in enumerate(COUNTED)}
    of_all = np.array([odds.get(view, 0.0) for view in range(STRETCHES, LONGER + 1)], dtype=np.float32)
    found -= np.repeat(of_all, lengths)
    np.abs(found, out=found)
    np.copyto(found, 1, where=pairs == 0)
    return found


def _odds_of(spam: float, ham: float) -> float:
    return math.log((spam + 2 * SEEN) / (ham + 2 * SEEN))


def touched(views: Sequence[int], places: Places) -> Places:
    """In which floats `count` changes something, some of them told twice."""
    numbers = [at for view in views for at in (numbers_at(view), numbers_at(view) + 1)]
    return np.concatenate([(places - FIRST) >> 1, np.array(numbers, dtype=np.intp)])


def count(counts: Counts, views: Sequence[int], places: Places, *, spam: bool) -> None:
    """Count the features of these views of one more message of that kind."""
    pairs = counts.view(np.uint16)
    places = places - FIRST
    found = pairs.take(places)
    found += np.uint16(1 if spam else 1 << _HAM)
    full = ((found + _TO_FULL) & _TOP) != 0
    if full.any():
        found[full] = (found[full] >> np.uint16(1)) & _HALVED
    pairs[places] = found
    for view in views:
        counts[numbers_at(view) + (not spam)] += 1


def numbers_at(view: int) -> int:
    """Where the number of spam messages stands that the view has learnt from; behind it that of ham."""
    return _NUMBERS_AT + 2 * COUNTED.index(view)
