"""Noticing that a list suddenly lists everything, from its answers to the questions of mail."""

import threading
from dataclasses import dataclass, field
from typing import Final

# Of so many different subjects in a row, so many may be missed, or else the list does not list everything. An expired
# list with a wildcard hits them all; a few misses are allowed, which were answered before and still lie in caches. With
# 85 % of clients really listed, as many as in a flood of spam, one run in 32 gets that far by chance, with half of them
# listed one in 10^13. So it is a reason to ask the list's test points, and never more than that: they decide.
# Whether the list has missed before does not matter: after a restart, or for a small site, nobody would know. Who sends
# links to sixty listed domains to raise a doubt gains the second that the test takes.
RUN: Final = 64
MISSES: Final = 4


@dataclass(slots=True)
class _Run:
    """Different subjects since a first hit, and how many of them were missed."""

    subjects: set[str] = field(default_factory=set)
    misses: int = 0


class HitWatch:
    """Looks for long runs of hits in each list's answers. Thread-safe, never raises, bounded."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}

    def counts(self, name: str, *, hit: bool) -> bool:
        """Whether such an answer changes anything: a miss where no run is under way, the usual one, does not."""
        return hit or name in self._runs

    def floods(self, name: str, subject: str, *, hit: bool) -> bool:
        """Note what list `name` answered about `subject`: True where that makes the run too long, and it begins anew.

        A subject counts once, with its first answer: one client that sends again and again proves nothing.
        """
        with self._lock:
            run = self._runs.get(name)
            if run is None:
                if not hit:
                    return False
                run = self._runs[name] = _Run()
            if subject in run.subjects:
                return False
            run.subjects.add(subject)
            run.misses += not hit
            flooded = len(run.subjects) >= RUN
            if flooded or run.misses > MISSES:
                del self._runs[name]
        return flooded and run.misses <= MISSES
