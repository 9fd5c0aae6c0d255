"""What made the classifier think so: the features that weighed most, as text that a person can read.

Slots do not tell what they stand for. So the message is hashed once more, with the offsets kept; only where somebody
asks, for it costs several times what judging costs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from filterd.classifier.features import Features
from filterd.classifier.views import GRAM, LONG_GRAM, SMALL_GRAM, Hashes, Text, distinct, hashed, small_places
from filterd.classifier.weights import Weights, weighed

MAX_SHOWN: Final = 60  # bytes of one feature's text
MAX_TRIED: Final = 500  # features looked at, the heaviest first: most stretches overlap one that is shown already


@dataclass(frozen=True, slots=True)
class Reason:
    """A feature: where it stands, its text (hostile), and what it adds to the margin (above 0: spam)."""

    place: str
    text: str
    weight: float


def top_features(weights: Weights, text: Text, most: int) -> tuple[Reason, ...]:
    """The features with the most weight for or against spam, none within the text of another that is shown."""
    found = hashed(text)
    features = Features(distinct(found.slots.copy()))
    added = weighed(weights, features)[np.searchsorted(features.slots, found.slots)]
    order = np.argsort(-np.abs(added), kind="stable")[:MAX_TRIED].tolist()
    reasons: list[Reason] = []
    taken: list[tuple[int, int]] = []
    for number in order:
        weight = float(added[number])
        start, end = _where(text, found, number)
        if not weight or len(reasons) == most:
            break
        if not any(start < other_end and end > other_start for other_start, other_end in taken):
            taken.append((start, end))
            shown = text.data[start : min(end, start + MAX_SHOWN)].decode("utf-8", "replace").strip()
            reasons.append(Reason(_place(text, start), " ".join(shown.split()), round(weight, 3)))
    return tuple(reasons)


def _where(text: Text, found: Hashes, number: int) -> tuple[int, int]:
    """Between which offsets the feature with that number stands."""
    words = len(found.starts)
    pairs = max(words - 1, 0)
    if number < words:
        return int(found.starts[number]), int(found.ends[number])
    if number < words + pairs:
        return int(found.starts[number - words]), int(found.ends[number - words + 1])
    number -= words + pairs
    grams = len(found.grams)
    if number < grams + found.header:
        start = int(found.grams[number]) if number < grams else number - grams
        return start, start + GRAM
    number -= grams + found.header
    small = small_places(text, SMALL_GRAM)
    if number < len(small):
        return int(small[number]), int(small[number]) + SMALL_GRAM
    start = int(small_places(text, LONG_GRAM)[number - len(small)])
    return start, start + LONG_GRAM


def _place(text: Text, offset: int) -> str:
    """The header field's name, or which part of the message it is."""
    if offset >= text.body:
        return "structure"
    if offset >= text.header:
        return "body" if offset >= text.starts[-2] else "subject"
    start = max([one for one in text.starts if one <= offset], default=0)
    return text.data[start : text.data.find(b":", start)].decode("ascii", "replace")


def lines(reasons: tuple[Reason, ...]) -> Iterator[str]:
    """The reasons as lines."""
    for one in reasons:
        yield f"{one.weight:+.2f} {one.place}: {one.text}"
