"""Bytes to slots: n-grams, words and neighbours of words of a whole buffer at once, without a loop over them.

A word's hash is the difference of two prefix sums of a polynomial over the bytes, divided by a power of its base: in
arithmetic modulo 2**64 an odd base has an inverse. So all words cost a few passes over the buffer, however many.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Hashes: TypeAlias = NDArray[np.uint64]
Bytes: TypeAlias = NDArray[np.uint8]

MAX_BUFFER: Final = 1 << 16  # bytes that may be hashed at once: so many powers of the base are kept ready
MAX_WORD: Final = 40  # bytes of a word that tell it from others; of longer ones the beginning counts

_BASE: Final = 0x9E3779B97F4A7C15
_MIX: Final = np.uint64(0xFF51AFD7ED558CCD)
_GRAM: Final = np.uint32(0x9E3779B1)
_SHIFT: Final = np.uint64(32)
_MASK: Final = (1 << 64) - 1


def _powers(base: int) -> Hashes:
    """Powers of a base modulo 2**64."""
    found = np.full(MAX_BUFFER + 1, base, dtype=np.uint64)
    found[0] = 1
    return np.multiply.accumulate(found)


_POWERS: Final = _powers(_BASE)
_INVERSE: Final = _powers(pow(_BASE, -1, 1 << 64))


def _classes() -> Bytes:
    """Which bytes words are made of: letters, digits, some signs, and everything beyond ASCII."""
    found = np.zeros(256, dtype=np.uint8)
    for code in range(256):
        character = chr(code)
        found[code] = not character.isascii() or character.isalnum() or character in "$%'-@_"
    return found


def _lower() -> Bytes:
    """Every byte in lower case where it is an ASCII letter."""
    found = np.arange(256, dtype=np.uint8)
    found[ord("A") : ord("Z") + 1] += 32
    return found


WORD: Final = _classes()
LOWER: Final = _lower()


def grams(data: bytes) -> NDArray[np.uint32]:
    """A hash of 32 bits for each four bytes that stand together."""
    if len(data) < 4:  # noqa: PLR2004  # a 4-gram has four
        return np.empty(0, dtype=np.uint32)
    view = np.ndarray((len(data) - 3,), "<u4", data, strides=(1,))
    found = np.ascontiguousarray(view) * _GRAM
    return found ^ (found >> np.uint32(15))


def words(data: Bytes) -> tuple[NDArray[np.int64], NDArray[np.int64], Hashes]:
    """Where words begin and end in a buffer of at most MAX_BUFFER bytes, and their hashes."""
    inside = WORD[data]
    edges = np.flatnonzero(np.diff(inside, prepend=np.uint8(0), append=np.uint8(0)))
    starts, ends = edges[::2], edges[1::2]
    sums = np.zeros(len(data) + 1, dtype=np.uint64)
    np.cumsum((data.astype(np.uint64) + np.uint64(1)) * _POWERS[: len(data)], out=sums[1:])
    stops = np.minimum(ends, starts + MAX_WORD)
    return starts, ends, (sums[stops] - sums[starts]) * _INVERSE[starts]


def mix(hashes: Hashes) -> NDArray[np.uint32]:
    """32 well-mixed bits of each."""
    found = hashes ^ (hashes >> _SHIFT)
    found = found * _MIX
    return (found >> _SHIFT).astype(np.uint32)
