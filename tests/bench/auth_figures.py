"""Shares and bounds of a bench, printed, with what missed its bar."""

import gc
import sys
from collections.abc import Callable, Sequence
from time import thread_time_ns
from typing import Final

ENOUGH: Final = 20_000_000  # nanoseconds that one turn of cheap work takes, by repetition
TURNS: Final = 5


class Bench:
    """Prints figures and remembers whether one missed its bar."""

    def __init__(self) -> None:
        """Nothing missed yet."""
        self.missed: list[str] = []

    def head(self, what: str, *columns: str) -> None:
        """The head of a table."""
        sys.stdout.write(f"\n{what:52}{''.join(f'{column:>12}' for column in columns)}\n")

    def note(self, words: str) -> None:
        """A line of words."""
        sys.stdout.write(f"{words}\n")

    def share(self, what: str, ours: float, theirs: float, bar: float | None) -> None:
        """One comparison; times in nanoseconds."""
        share = ours / theirs
        bad = bar is not None and share > bar
        asked = "" if bar is None else f"  asked for {bar:.2f}{'  MISSED' if bad else ''}"
        sys.stdout.write(f"{what:52} {_time(ours):>11} {_time(theirs):>11} {share:6.3f} x{asked}\n")
        if bad:
            self.missed.append(what)

    def bound(self, what: str, value: float, bar: float | None, unit: str = "") -> None:
        """One figure, and what it may be at most."""
        bad = bar is not None and value > bar
        asked = "" if bar is None else f"  at most {bar:g}{'  MISSED' if bad else ''}"
        sys.stdout.write(f"{what:68} {value:6.2f} {unit}{asked}\n")
        if bad:
            self.missed.append(what)


def _time(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e3:.1f} us" if nanoseconds < 1e6 else f"{nanoseconds / 1e6:.2f} ms"


def best(works: Sequence[Callable[[], object]], turns: int = TURNS) -> list[float]:
    """Nanoseconds of each, at best; they take turns."""
    times = []
    for work in works:
        work()
        started = thread_time_ns()
        work()
        times.append(max(1, ENOUGH // max(thread_time_ns() - started, 1)))
    found = [float("inf")] * len(works)
    gc.collect()
    gc.freeze()  # as the daemon's processes do: what is loaded is nothing to walk through
    for _ in range(turns):
        for index, work in enumerate(works):
            started = thread_time_ns()
            for _ in range(times[index]):
                work()
            found[index] = min(found[index], (thread_time_ns() - started) / times[index])
    return found
