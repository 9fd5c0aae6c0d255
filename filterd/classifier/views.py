"""The views of a message, as slots in the table of weights.

Words with the field they stand in and with their neighbours, stretches of GRAM bytes of everything, stretches of the
header alone, and smaller and longer ones of sender and subject, which say most in the fewest words.

A stretch shares all but one of its bytes with the next, so a third of them tells what all would: of those of everything
only that third is taken whose slots EVERY divides. Which these are depends on what stands there and on nothing else.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from filterd.classifier.features import BITS, EDGES, EVERY, HEADER, LONGER, SMALL, SMALL_BITS, STRETCHES, Slots
from filterd.classifier.hashing import Hashed, Places, fold

GRAM: Final = 6  # bytes
SMALL_GRAM: Final = 4  # bytes of a stretch of sender or subject
LONG_GRAM: Final = 8  # bytes of a longer one
SUBJECT: Final = 3  # seeds of words that stand in no field
BODY: Final = 5
STRUCTURE: Final = 7
_PAIR: Final = np.uint64(0x9E3779B97F4A7C15)
_THIRD: Final = np.uint64(3)
_ONE: Final = np.uint64(1)


@dataclass(frozen=True, slots=True)
class Text:
    """What features are taken from: one buffer, and what its stretches are.

    Header fields end at `header`, subject and body at `body`, behind it stands the structure. Words from each offset
    of `starts` on have the seed of the same place in `seeds`. `small` has where sender and subject begin and end, and
    their seeds.
    """

    data: bytes
    header: int
    body: int
    starts: tuple[int, ...]
    seeds: tuple[int, ...]
    small: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Hashes:
    """The slots of a text, not distinct: as many of each kind as are told here, in this order.

    Words, neighbours, stretches, stretches of the header, small and longer ones of sender and subject. `starts` and
    `ends` are the words' offsets, `grams` where the stretches begin; number N of the header's begins at the offset N.
    """

    slots: Slots
    starts: Places
    ends: Places
    grams: Places
    header: int


def hashed(text: Text) -> Hashes:
    """The slots of all views."""
    buffer = Hashed(text.data)
    starts, ends, words = buffer.words()
    at = np.searchsorted(np.array(text.starts), starts, side="right") - 1
    words *= ((np.array(text.seeds, dtype=np.uint64) << _ONE) | _ONE)[at]
    pairs = words[1:] * _PAIR
    pairs += words[:-1] * _THIRD
    grams = fold(buffer.grams(GRAM, 0, text.body), BITS)
    header = grams[: max(text.header - GRAM + 1, 0)] + np.uint32(EDGES[HEADER])
    parts = grams // np.uint32(EVERY)
    picked = np.flatnonzero(parts * np.uint32(EVERY) == grams)
    grams = parts.take(picked)
    grams += np.uint32(EDGES[STRETCHES])
    small = _small(buffer, text, SMALL_GRAM) + np.uint32(EDGES[SMALL])
    longer = _small(buffer, text, LONG_GRAM) + np.uint32(EDGES[LONGER])
    slots = np.concatenate([fold(words, BITS), fold(pairs, BITS), grams, header, small, longer])
    return Hashes(slots, starts, ends, picked, len(header))


def _small(buffer: Hashed, text: Text, size: int) -> Slots:
    """Stretches of so many bytes of sender and of subject, each with its seed."""
    found = [buffer.grams(size, start, end) * np.uint64(2 * seed + 1) for start, end, seed in text.small]
    return fold(np.concatenate(found), SMALL_BITS)


def small_places(text: Text, size: int) -> Places:
    """At which offset of the text each stretch of so many bytes of sender and subject begins."""
    return np.concatenate([np.arange(start, max(end - size + 1, start)) for start, end, _ in text.small])


def distinct(slots: Slots) -> Slots:
    """Sorted, each once; the array given is used up."""
    slots.sort()
    if not len(slots):
        return slots
    fresh = np.empty(len(slots), dtype=np.bool_)
    fresh[0] = True
    np.not_equal(slots[1:], slots[:-1], out=fresh[1:])
    return slots[fresh]
