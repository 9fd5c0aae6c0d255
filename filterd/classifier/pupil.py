"""The one way in which a model's numbers change: lessons, one after the other, and the last one taken back."""

from dataclasses import dataclass, replace

import msgspec
import numpy as np

from filterd.classifier.features import FeatureError, Features
from filterd.classifier.layer import MAX_DOMAINS, LayerChange, key_of, learn_layer
from filterd.classifier.lesson import LessonError, spread
from filterd.classifier.memory import Row
from filterd.classifier.modelfile import Half, Known
from filterd.classifier.weights import Change, learn, margin, undo


class Undo(msgspec.Struct, frozen=True):
    """What the last lesson changed: its number and the one before, and places with what stood there."""

    number: int
    before: int
    spam: bool
    at: bytes
    values: bytes
    domain: bytes = b""
    layer_at: bytes = b""
    layer_values: bytes = b""


@dataclass(slots=True)
class Pupil:
    """Learns into one half. `undo` is what takes the last lesson back, packed; empty where nothing does."""

    half: Half
    known: Known
    undo: bytes = b""

    def learn(self, row: Row) -> None:
        """Learn one lesson; what cannot be features of this release is passed over."""
        number, _, domain, spam, squeezed = row
        before = self.known.applied
        self.known = replace(self.known, applied=number)
        self.undo = b""
        try:
            features = Features.unpack(spread(squeezed))
        except (LessonError, FeatureError):
            return
        change = learn(self.half.weights, features, spam=spam)
        self.known = replace(self.known, spam=self.known.spam + spam, ham=self.known.ham + (not spam))
        found = Undo(number, before, spam, _bytes(change.at.astype(np.uint32)), _bytes(change.before))
        if domain:
            layer = self._learn_layer(features, key_of(domain), spam=spam)
            if layer is not None:
                found = msgspec.structs.replace(
                    found, domain=key_of(domain), layer_at=_bytes(layer.at), layer_values=_bytes(layer.before)
                )
        self.undo = msgspec.msgpack.encode(found)

    def _learn_layer(self, features: Features, key: bytes, *, spam: bool) -> LayerChange | None:
        """What the domain makes of it; None where there are too many domains."""
        domains = dict(self.known.domains)
        if key not in domains and len(domains) >= MAX_DOMAINS:
            return None
        spams, hams = domains.get(key, (0, 0))
        domains[key] = (spams + spam, hams + (not spam))
        self.known = replace(self.known, domains=domains)
        return learn_layer(self.half.layer, features, key, margin(self.half.weights, features), spam=spam)


def take_back(half: Half, known: Known, last: Undo) -> Known:
    """Undo the last lesson in place; the facts without it."""
    at = np.frombuffer(last.at, np.uint32).astype(np.intp)
    undo(half.weights, Change(at, np.frombuffer(last.values, np.float32)))
    domains = dict(known.domains)
    if last.domain:
        half.layer[np.frombuffer(last.layer_at, np.uint32)] = np.frombuffer(last.layer_values, np.float32)
        spams, hams = domains.pop(last.domain, (0, 0))
        spams, hams = spams - last.spam, hams - (not last.spam)
        if spams or hams:
            domains[last.domain] = (spams, hams)
    spam, ham = known.spam - last.spam, known.ham - (not last.spam)
    return replace(known, applied=last.before, spam=spam, ham=ham, domains=domains)


def _bytes(array: np.ndarray) -> bytes:
    return array.tobytes()
