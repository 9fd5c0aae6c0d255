"""How the cost of something grows with its input: a ratio of CPU times, never a time."""

from collections.abc import Callable
from time import sleep, thread_time_ns
from typing import Final

LINEAR: Final = 2.5  # twice the input may cost this many times as much: 2, and noise
_ROUNDS: Final = 5  # of which the best counts
# Seconds before each measurement: a host that is busy with others for a moment is not so throughout all of them.
_PAUSES: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)


def growth(build: Callable[[int], Callable[[], object]], size: int) -> float:
    """What an input of twice `size` costs, in multiples of what one of `size` costs.

    `build` makes the input of a size and returns what is to be measured. Choose `size` so that it takes milliseconds.
    """
    single, double = build(size), build(2 * size)
    ratio = float("inf")
    for pause in _PAUSES:
        sleep(pause)
        ratio = min(ratio, _cost(double) / _cost(single))
        if ratio <= LINEAR:
            break
    return ratio


def _cost(work: Callable[[], object]) -> int:
    """Nanoseconds of this thread's CPU, at best."""
    best = 1 << 62
    for _ in range(_ROUNDS):
        started = thread_time_ns()
        work()
        best = min(best, thread_time_ns() - started)
    return max(best, 1)
