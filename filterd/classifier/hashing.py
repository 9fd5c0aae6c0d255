"""Bytes to numbers: all n-grams, words and neighbours of words of a buffer at once, without a loop over them.

A stretch's hash is the difference of two prefix sums of a polynomial over the bytes, divided by a power of its base: in
arithmetic modulo 2**64 an odd base has an inverse. So stretches of any length cost a few passes over the buffer,
however many there are. The base is no secret: who wants two stretches to share a number can have that, and what comes
of it is bounded by what one number can weigh.
"""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Hashes: TypeAlias = NDArray[np.uint64]
Places: TypeAlias = NDArray[np.intp]

MAX_BUFFER: Final = 1 << 14  # bytes that may be hashed at once: so many powers of the base are kept ready
MAX_WORD: Final = 40  # bytes of a word that tell it from others; of longer ones the beginning counts

_BASE: Final = 0x9E3779B97F4A7C15
_MIX: Final = np.uint64(0xFF51AFD7ED558CCD)
_HALF: Final = np.uint64(32)
_SIGNS: Final = b"$%'-@_!"  # that words have in them, in spam above all


def _powers(base: int) -> Hashes:
    """Powers of a base modulo 2**64."""
    found = np.full(MAX_BUFFER + 1, base, dtype=np.uint64)
    found[0] = 1
    return np.multiply.accumulate(found)


_POWERS: Final = _powers(_BASE)
_INVERSE: Final = _powers(pow(_BASE, -1, 1 << 64))
# Which bytes words are made of: letters, digits, some signs, and everything beyond ASCII.
_WORD: Final = bytes([code > 0x7F or chr(code).isalnum() or code in _SIGNS for code in range(256)])  # noqa: PLR2004  # the last of ASCII


class Hashed:
    """A buffer of at most MAX_BUFFER bytes, ready to be asked for its stretches."""

    def __init__(self, data: bytes) -> None:
        """Add up the polynomial."""
        self._data = data
        values = np.frombuffer(data, dtype=np.uint8).astype(np.uint64)
        values += np.uint64(1)  # so that no byte counts nothing
        values *= _POWERS[: len(data)]
        self._sums = np.zeros(len(data) + 1, dtype=np.uint64)
        np.cumsum(values, out=self._sums[1:])

    def grams(self, size: int, start: int, stop: int) -> Hashes:
        """A hash for each `size` bytes that stand together between two offsets, in order."""
        last = stop - size + 1
        if last <= start:
            return np.empty(0, dtype=np.uint64)
        found = self._sums[start + size : stop + 1] - self._sums[start:last]
        found *= _INVERSE[start:last]
        return found

    def words(self) -> tuple[Places, Places, Hashes]:
        """Where words begin and end, and their hashes."""
        inside = np.zeros(len(self._data) + 2, dtype=np.int8)
        inside[1:-1] = np.frombuffer(self._data.translate(_WORD), dtype=np.int8)
        edges = np.flatnonzero(inside[1:] != inside[:-1])
        starts, ends = edges[::2], edges[1::2]
        sums = self._sums[np.minimum(ends, starts + MAX_WORD)]
        sums -= self._sums[starts]
        sums *= _INVERSE[starts]
        return starts, ends, sums


def fold(hashes: Hashes, bits: int) -> NDArray[np.uint32]:
    """So many well-mixed bits of each; the hashes are used up."""
    hashes ^= hashes >> _HALF
    hashes *= _MIX
    hashes >>= np.uint64(64 - bits)
    return hashes.astype(np.uint32)
