"""A message as the classifier sees it: a set of slots in the table of weights."""

from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from filterd.config.fields import Section
from filterd.config.toml import read_model

Slots: TypeAlias = NDArray[np.uint32]

FORMAT: Final = 5  # of features: what was made under another number than this and EARLIER means nothing to this one
EARLIER: Final = (3, 4)  # formats before: with all stretches, without the last view, and 3 without the one before that
BITS: Final = 20  # of the number of slots in one of the views of the text
SIGN_BITS: Final = 12  # of the number of slots for signs, what heuristics have found: there are some hundred
SMALL_BITS: Final = 17  # of the number of slots for small stretches: a message has a hundred of them
EVERY: Final = 3  # which slots stretches of all the text have: those that it divides, see `views`
VIEWS: Final = (
    1 << BITS,
    (1 << BITS) // EVERY + 1,
    1 << BITS,
    1 << SIGN_BITS,
    1 << SMALL_BITS,
    1 << SMALL_BITS,
)  # slots
WORDS, STRETCHES, HEADER, SIGNS, SMALL, LONGER = range(len(VIEWS))
EDGES: Final = tuple(accumulate(VIEWS, initial=0))  # where each view's slots begin, and the end
SLOTS: Final = EDGES[-1]  # weights there are; a message touches a thousandth of them
FEWER: Final = (1 << BITS) - VIEWS[STRETCHES]  # slots than there were for the stretches before
EARLIER_SLOTS: Final = EDGES[LONGER] + FEWER
MAX_FEATURES: Final = 31_000  # of one message: what the limits in `reading` let it have at most; 1,700 are usual
_HEAD: Final = np.dtype("<u4")


class FeatureError(ValueError):
    """Bytes that are no packed features of this format; the text says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Sorted, distinct slots, each below SLOTS. Equal features are equal as `pack` gives them."""

    slots: Slots

    def pack(self) -> bytes:
        """The features as bytes, with their format."""
        return FORMAT.to_bytes(4, "little") + self.slots.astype(_HEAD).tobytes()

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> "Features":
        """The features from `pack`. FeatureError where they are of another format, or cannot be features at all.

        Those of the formats before are features of this one too: of a message with nothing in the views that are new.
        """
        if len(data) < 4 or len(data) % 4:  # noqa: PLR2004  # the format's bytes, and as many for each slot
            raise FeatureError(f"expected a multiple of 4 bytes, got {len(data)}")
        made = int.from_bytes(data[:4], "little")
        if made not in {FORMAT, *EARLIER}:
            raise FeatureError(f"expected features of format {FORMAT}, got {made}")
        slots = np.frombuffer(data, dtype=_HEAD, offset=4).astype(np.uint32)
        most = SLOTS if made == FORMAT else EARLIER_SLOTS
        if len(slots) > MAX_FEATURES or (len(slots) and slots[-1] >= most) or bool(np.any(slots[1:] <= slots[:-1])):
            raise FeatureError("expected sorted, distinct slots within bounds")
        return cls(slots if made == FORMAT else _followed(slots))


def _followed(slots: Slots) -> Slots:
    """Where the slots of the formats before are now: of stretches a third is left, the rest moved up."""
    start, end = EDGES[STRETCHES], EDGES[STRETCHES] + (1 << BITS)
    first, second = np.searchsorted(slots, [start, end])
    stretches = slots[first:second] - np.uint32(start)
    kept = stretches[stretches % EVERY == 0] // EVERY + np.uint32(start)
    return np.concatenate([slots[:first], kept, slots[second:] - np.uint32(FEWER)]).astype(np.uint32)


@dataclass(frozen=True, slots=True)
class Receiving:
    """Header fields that the receiving side adds, lower case: names, and what names begin with.

    And the signs that may be learnt: symbols of heuristics that say the same wherever and whenever a message is read.
    """

    names: frozenset[bytes] = frozenset()
    prefixes: tuple[bytes, ...] = ()
    signs: frozenset[str] = frozenset()

    def has(self, name: bytes) -> bool:
        """Whether a field of that lower-case name says more about who received the message than about who sent it."""
        return name in self.names or name.startswith(self.prefixes)


class _Names(Section):
    names: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    prefixes: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)


class _Signs(Section):
    learnt: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)


class _File(Section):
    receiving: _Names
    signs: _Signs = Field(default_factory=_Signs)


def load_receiving(path: Path) -> Receiving:
    """Read rules/classifier.toml. ConfigError names file, line and key of what cannot be meant."""
    file = read_model(path, _File)
    content = file.receiving
    return Receiving(
        frozenset([name.lower().encode() for name in content.names]),
        tuple([prefix.lower().encode() for prefix in content.prefixes]),
        frozenset(file.signs.learnt),
    )
