"""What mail is for one domain where it is not the same for all: a layer of small corrections over the model.

All domains share one array: a feature's place in it depends on the domain too, so that each has corrections of its own,
and all together take no more than LAYER floats, however many domains and however much they learn. A domain counts once
it has learnt enough of both kinds, and at most MAX_DOMAINS are ever known.
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from filterd.classifier.features import Features, Slots
from filterd.classifier.weights import Weights, probability

LAYER: Final = 1 << 19  # floats that all domains share
MAX_DOMAINS: Final = 200  # with a layer of their own; the facts about them fill a page
LEAST: Final = 10  # messages of each kind from which on a domain's layer counts
RATE: Final = 0.3  # how far one message moves what the layer says of it; less than the model's own
BOUND: Final = 4.0  # most that a layer adds to or takes from a margin: it corrects, and does not decide alone
_KEY: Final = 8  # bytes
_SHIFT: Final = np.uint64(64 - LAYER.bit_length() + 1)
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, eq=False)
class LayerChange:
    """Places of the layer that a lesson changed, and what stood there before."""

    at: Slots
    before: Weights


def key_of(domain: str) -> bytes:
    """A domain's short name, for the facts and for its places."""
    return hashlib.blake2b(domain.encode("utf-8", "replace"), digest_size=_KEY).digest()


def correction(layer: Weights, features: Features, key: bytes) -> float:
    """What a domain adds to the margin."""
    if not len(features.slots):
        return 0.0
    found = float(layer[_places(features, key)].sum()) / math.sqrt(len(features.slots))
    return max(-BOUND, min(found, BOUND))


def learn_layer(layer: Weights, features: Features, key: bytes, margin: float, *, spam: bool) -> LayerChange:
    """Learn in place what the model, whose margin after its own lesson is given, still gets wrong for this domain."""
    places = np.unique(_places(features, key))
    before = layer[places]
    if len(places):
        wrong = float(spam) - probability(margin + correction(layer, features, key))
        layer[places] += np.float32(RATE * wrong / math.sqrt(len(places)))
    return LayerChange(places, before)


def _places(features: Features, key: bytes) -> Slots:
    """Where a domain keeps its corrections for these features."""
    seed = np.uint64(int.from_bytes(key, "little"))
    return (((features.slots.astype(np.uint64) ^ seed) * _MIX) >> _SHIFT).astype(np.uint32)
