"""One thing to learn, and the form in which its features are kept."""

import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from filterd.classifier.features import MAX_FEATURES, FeatureError, Features

DIGEST: Final = 32  # bytes of a message's digest
MAX_PACKED: Final = 4 * (MAX_FEATURES + 1)  # bytes of one message's features as they come from an inspector
USER: Final = "user"  # source of what somebody said; it stands against what the daemon learnt by itself
AUTO: Final = "auto"
_LEVEL: Final = 6  # of zlib: a tenth smaller than 1, and still a fraction of what reading the message costs


class LessonError(ValueError):
    """Bytes that are no features as they are kept."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A message, by its digest, as spam or ham; for one recipient domain besides, where `domain` names it.

    `features` are as Features.pack gives them; `at` is epoch seconds.
    """

    digest: bytes
    spam: bool
    features: bytes
    domain: str = ""
    source: str = USER
    at: float = 0.0


def usable(packed: bytes) -> bool:
    """Whether these are features that this release can learn: what makes them has read hostile mail."""
    try:
        Features.unpack(packed)
    except FeatureError:
        return False
    return True


def squeeze(packed: bytes) -> bytes:
    """Packed features made small: as differences, the four bytes of all of them apart, compressed."""
    words = np.frombuffer(packed, dtype="<u4")
    planes = np.diff(words, prepend=np.uint32(0)).astype("<u4").view(np.uint8).reshape(-1, 4)
    return zlib.compress(np.ascontiguousarray(planes.T).tobytes(), _LEVEL)


def spread(squeezed: bytes) -> bytes:
    """The reverse of `squeeze`. LessonError."""
    opened = zlib.decompressobj()
    try:
        data = opened.decompress(squeezed, MAX_PACKED)
    except zlib.error as error:
        raise LessonError(f"features that do not unpack: {error}") from None
    if not opened.eof or len(data) % 4:
        raise LessonError("features that do not unpack")
    planes = np.frombuffer(data, dtype=np.uint8).reshape(4, -1)
    words = np.ascontiguousarray(planes.T).reshape(-1).view("<u4")
    return np.cumsum(words, dtype=np.uint32).astype("<u4").tobytes()
