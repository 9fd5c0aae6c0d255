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
    Where it seems too much, `size` and its half are measured in turn: where the memory that linear work takes outgrows
    a cache it costs three times as much at that size alone, and work that is not linear does at both.
    """
    ratio = float("inf")
    for attempt, pause in enumerate(_PAUSES):
        sleep(pause)
        wanted = size // (1 + attempt % 2)
        ratio = min(ratio, _ratio(build(wanted), build(2 * wanted)))
        if ratio <= LINEAR:
            break
    return ratio


def _ratio(single: Callable[[], object], double: Callable[[], object]) -> float:
    """The cheapest run of each, taken in turn: what disturbs one for a while disturbs the other."""
    costs = [(_cost(single), _cost(double)) for _ in range(_ROUNDS)]
    return min(twice for _, twice in costs) / min(once for once, _ in costs)


def _cost(work: Callable[[], object]) -> int:
    """Nanoseconds of this thread's CPU."""
    started = thread_time_ns()
    work()
    return max(thread_time_ns() - started, 1)
