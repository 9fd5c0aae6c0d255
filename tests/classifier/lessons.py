"""Made-up lessons: spam and ham that share some features, each message with some of its own."""

import hashlib

import numpy as np

from filterd.classifier import Features
from filterd.classifier.features import BITS, EDGES, EVERY, FEWER, HEADER, LONGER, SLOTS, STRETCHES, Slots
from filterd.classifier.lesson import Lesson


def features(number: int, *, spam: bool) -> Features:
    """The features of one message, the same every time."""
    rng = np.random.default_rng(number)
    own = rng.integers(0, SLOTS, 150)
    kind = np.random.default_rng(spam).integers(0, SLOTS, 400)
    both = np.random.default_rng(2).integers(0, SLOTS, 200)
    slots = np.concatenate([own, rng.choice(kind, 60), rng.choice(both, 60)])
    return Features(np.unique(slots).astype(np.uint32))


def without_last(slots: Slots) -> Slots:
    """What is left of features where the view that the format before had not is taken away."""
    return slots[slots < EDGES[LONGER]]


def as_before(slots: Slots) -> Slots:
    """Where features stood in the format before, and a stretch that only it looked at."""
    slots = without_last(slots)
    start, header = (np.uint32(EDGES[view]) for view in (STRETCHES, HEADER))
    stretches = slots[(slots >= start) & (slots < header)]
    moved = (stretches - start) * np.uint32(EVERY) + start
    ends = (slots[slots < start], moved, slots[slots >= header] + np.uint32(FEWER))
    return np.unique(np.concatenate([*ends, np.array([EDGES[STRETCHES] + (1 << BITS) - 2])])).astype(np.uint32)


def lesson(number: int, *, spam: bool | None = None, domain: str = "", source: str = "user") -> Lesson:
    """The message with that number: even ones are spam, where nothing else is said."""
    label = number % 2 == 0 if spam is None else spam
    packed = features(number, spam=number % 2 == 0).pack()
    return Lesson(hashlib.sha256(b"%d" % number).digest(), label, packed, domain, source, 1_767_268_800.0)
