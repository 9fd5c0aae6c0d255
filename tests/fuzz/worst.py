"""Worst inputs: patterns that made parsers quadratic elsewhere, at sizes near a parser's own limits.

What is asserted is a ratio of CPU times (tests/support/growth.py): twice the input, at most 2.5 times the cost.
"""

from collections.abc import Callable
from time import thread_time_ns
from typing import Final

from tests.support.growth import LINEAR, growth

LEAST: Final = 500_000  # nanoseconds that the smaller input should cost; below, the clock's steps and noise count

# Bytes taken and given back at once: glibc then keeps blocks up to this size instead of mapping them anew each time,
# which makes the first kilobytes beyond its threshold cost many times those before.
ARENA: Final = 24 << 20


def fill(pattern: bytes, head: bytes = b"", tail: bytes = b"") -> Callable[[int], bytes]:
    """Inputs of a size: the pattern over and over between a head and a tail."""
    return lambda size: head + pattern * max(1, (size - len(head) - len(tail)) // len(pattern)) + tail


def assert_linear(work: Callable[[bytes], object], make: Callable[[int], bytes], size: int) -> None:
    """`work` on an input of twice the size costs at most LINEAR times as much; quick work is repeated."""
    bytes(ARENA)
    sample = make(size)
    started = thread_time_ns()
    work(sample)
    times = max(1, LEAST // max(thread_time_ns() - started, 1))

    def build(wanted: int) -> Callable[[], object]:
        data = make(wanted)

        def repeated() -> None:
            for _ in range(times):
                work(data)  # what it returns is not kept: memory that grows has its own cost

        return repeated

    ratio = growth(build, size)
    assert ratio <= LINEAR, f"{ratio:.2f} times the cost for twice {size} bytes of {sample[:60]!r}"
