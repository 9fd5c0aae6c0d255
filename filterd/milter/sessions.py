"""The sessions of a front, counted: draining waits for none to be left."""

import threading
from collections.abc import Callable


class Sessions:
    """Counts MTA connections that are open; `changed` is told +1 and -1."""

    def __init__(self, changed: Callable[[int], None] = lambda _change: None) -> None:
        """Start with none."""
        self._open = 0
        self._lock = threading.Lock()
        self._tell = changed

    def enter(self) -> None:
        """Count one more."""
        with self._lock:
            self._open += 1
        self._tell(1)

    def leave(self) -> None:
        """Count one less."""
        with self._lock:
            self._open -= 1
        self._tell(-1)

    @property
    def open(self) -> int:
        """How many there are now."""
        return self._open
