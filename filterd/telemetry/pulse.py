"""Whether the daemon lives and serves, in memory that its processes share: asked by probes, read without a word."""

import mmap
import time
from collections.abc import Callable, MutableSequence
from enum import IntEnum
from typing import Final, cast

STALE: Final = 30.0  # seconds without a beat: the supervisor hangs. It beats every second, while it reloads too
_CELLS: Final = 2  # the last beat, the phase
_DOUBLE: Final = 8  # bytes


class Phase(IntEnum):
    """What the supervisor is at."""

    STARTING = 0
    SERVING = 1
    STOPPING = 2


class Pulse:
    """Made before the fork. The supervisor writes; probes read from another process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Starting, and alive just now. `clock` is common to all processes and never goes back."""
        self._clock = clock
        memory = mmap.mmap(-1, _CELLS * _DOUBLE)  # anonymous and shared: survives a fork
        self._cells = cast("MutableSequence[float]", memoryview(memory).cast("d"))  # typeshed lets only int be stored
        self.beat()

    def beat(self) -> None:
        """The supervisor looks after its processes."""
        self._cells[0] = self._clock()

    def enter(self, phase: Phase) -> None:
        """The supervisor is at something else now."""
        self._cells[1] = float(phase)

    @property
    def phase(self) -> Phase:
        """What the supervisor is at."""
        return Phase(int(self._cells[1]))

    @property
    def silence(self) -> float:
        """Seconds since the last beat."""
        return max(0.0, self._clock() - self._cells[0])

    @property
    def alive(self) -> bool:
        """Whether the supervisor does its rounds."""
        return self.silence <= STALE
