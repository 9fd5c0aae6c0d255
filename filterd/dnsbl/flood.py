"""Noticing that a list suddenly lists everything, from its answers to the questions of mail."""

import threading
from dataclasses import dataclass, field
from typing import Final

# Different subjects of one list that are looked at together, and how many of them listed are too many. An expired list
# with a wildcard lists all; four misses are allowed, which were answered before it began and still lie in caches. With
# 85 % of clients really listed, as many as in a flood of spam, one window in 36 reaches that by chance, with half of
# them listed one in 10^13. So it is a reason to ask the list's test points, and never more than that: they decide.
# Whether the list has missed before does not matter: after a restart, or for a small site, nobody would know. Who sends
# links to sixty listed domains to raise a doubt gains the second that the test takes.
WINDOW: Final = 64
TOO_MANY: Final = 60


@dataclass(slots=True)
class _Window:
    """The last different subjects, oldest first, each with whether it was listed; `hits` of them were."""

    subjects: dict[str, bool] = field(default_factory=dict)
    hits: int = 0


class HitWatch:
    """Counts hits among the last different subjects of each list. Thread-safe, never raises, bounded."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}

    def floods(self, name: str, asked: str, *, hit: bool) -> bool:
        """Note what list `name` answered about `asked`: True where that makes too many hits, and counting begins anew.

        A subject counts once, with its first answer: one client that sends again and again proves nothing.
        """
        window = self._windows.get(name)
        if window is not None and asked in window.subjects:  # the usual case in a flood costs no lock
            return False
        with self._lock:
            window = self._windows.setdefault(name, _Window())
            subjects = window.subjects
            if asked in subjects:
                return False
            subjects[asked] = hit
            window.hits += hit
            if len(subjects) > WINDOW:
                window.hits -= subjects.pop(next(iter(subjects)))
            flooded = len(subjects) == WINDOW and window.hits >= TOO_MANY
            if flooded:
                self._windows[name] = _Window()
        return flooded
