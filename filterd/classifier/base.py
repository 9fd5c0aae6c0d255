"""What was learnt too long ago to be forgotten: a model that every rebuilding starts with, compressed, in a file."""

import os
import struct
import zlib
from pathlib import Path
from typing import Final

import numpy as np

from filterd.classifier.counting import FIRST, numbers_at
from filterd.classifier.features import (
    BITS,
    EARLIER,
    EARLIER_SLOTS,
    EDGES,
    EVERY,
    FEWER,
    FORMAT,
    HEADER,
    LONGER,
    SLOTS,
    SMALL,
    STRETCHES,
)
from filterd.classifier.layer import LAYER
from filterd.classifier.modelfile import Half, Known
from filterd.classifier.weights import SIZE, Weights
from filterd.classifier.writing import like_folder

NAME: Final = "base-{}.bin"  # with the number of the last lesson in it
_HEADER: Final = struct.Struct("<8sIIII")  # magic, the features' format, weights, layer, check sum of what follows
_MAGIC: Final = b"filterdB"
_LEVEL: Final = 1  # of zlib: a file that is written now and then, of noise and zeros
_EARLIER_COUNTS: Final = EARLIER_SLOTS - (EDGES[STRETCHES] + (1 << BITS))  # features that had counts: behind stretches
_EARLIER_NUMBERS: Final = 2 * EARLIER_SLOTS + _EARLIER_COUNTS // 2  # where the numbers of messages began
_EARLIER_SIZE: Final = _EARLIER_NUMBERS + 4  # floats of a model under the features' format before


class BaseError(Exception):
    """There is no base that can be used; the text says why."""


def fresh() -> Half:
    """A model that has learnt nothing, in memory of its own."""
    return Half(np.zeros(SIZE, dtype=np.float32), np.zeros(LAYER, dtype=np.float32))


def write_base(folder: Path, last: int, half: Half, known: Known) -> None:
    """Keep a model as the base with lessons up to `last`. OSError. The one before stays until `remove_others`."""
    packed = zlib.compress(known.pack() + half.weights.tobytes() + half.layer.tobytes(), _LEVEL)
    draft = folder / f".{NAME.format(last)}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(fd, "wb") as file:  # noqa: PTH123  # the descriptor was opened as it must be
        like_folder(fd, folder)
        file.write(_HEADER.pack(_MAGIC, FORMAT, SIZE, LAYER, zlib.crc32(packed)) + packed)
        file.flush()
        os.fsync(fd)
    draft.replace(folder / NAME.format(last))


def read_base(folder: Path, last: int) -> tuple[Half, Known]:
    """The base with lessons up to that number; the empty model for 0. BaseError."""
    if not last:
        return fresh(), Known()
    try:
        data = (folder / NAME.format(last)).read_bytes()
    except OSError as error:
        raise BaseError(f"what was learnt long ago cannot be read: {error}") from error
    if len(data) < _HEADER.size:
        raise BaseError("what was learnt long ago is damaged")
    *versions, crc = _HEADER.unpack_from(data)
    packed = memoryview(data)[_HEADER.size :]
    earlier = tuple(versions) == (_MAGIC, EARLIER[-1], _EARLIER_SIZE, LAYER)
    if not earlier and tuple(versions) != (_MAGIC, FORMAT, SIZE, LAYER):
        raise BaseError("what was learnt long ago was written by another release")
    if crc != zlib.crc32(packed):
        raise BaseError("what was learnt long ago is damaged")
    opened = zlib.decompress(packed)
    size = _EARLIER_SIZE if earlier else SIZE
    page = len(opened) - 4 * (size + LAYER)
    numbers = np.frombuffer(opened, dtype=np.float32, offset=page).copy()
    weights = _widened(numbers[:size]) if earlier else numbers[:size]
    return Half(weights, numbers[size:]), Known.unpack(opened[:page])


def _widened(numbers: Weights) -> Weights:
    """A base of the features' format before: what its views know, a third of the stretches, nothing of the new view."""
    found = np.zeros(SIZE, dtype=np.float32)
    weights, before = found[: 2 * SLOTS].reshape(-1, 2), numbers[: 2 * EARLIER_SLOTS].reshape(-1, 2)
    start, header, longer = EDGES[STRETCHES], EDGES[HEADER], EDGES[LONGER]
    weights[:start] = before[:start]
    weights[start:header] = before[start : start + (1 << BITS) : EVERY]
    weights[header:longer] = before[header + FEWER :]
    counts = found[2 * SLOTS :]
    counts.view(np.uint16)[header - FIRST : longer - FIRST] = numbers[2 * EARLIER_SLOTS : _EARLIER_NUMBERS].view(
        np.uint16
    )
    for place, view in enumerate((HEADER, SMALL)):  # the views that had counts
        at = numbers_at(view)
        counts[at : at + 2] = numbers[_EARLIER_NUMBERS + 2 * place :][:2]
    return found


def remove_others(folder: Path, last: int) -> None:
    """Remove the bases before this one."""
    for path in folder.glob(NAME.format("*")):
        if path.name != NAME.format(last):
            path.unlink(missing_ok=True)
