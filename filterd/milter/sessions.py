"""The sessions of a front, counted: draining waits for none to be left."""

import threading
from collections.abc import Callable
from typing import Final

_LOOK: Final = 0.2  # seconds between two looks at whether to give up


class Sessions:
    """Counts MTA connections that are open; `changed` is told +1 and -1."""

    def __init__(self, changed: Callable[[int], None] = lambda _change: None) -> None:
        """Start with none."""
        self._open = 0
        self._hurry = False
        self._tell = changed
        self._changed = threading.Condition()

    def enter(self) -> None:
        """Count one more."""
        with self._changed:
            self._open += 1
        self._tell(1)

    def leave(self) -> None:
        """Count one less."""
        with self._changed:
            self._open -= 1
            self._changed.notify_all()
        self._tell(-1)

    @property
    def open(self) -> int:
        """How many there are now."""
        return self._open

    def give_up(self) -> None:
        """End a drain before its time. For a signal handler: it may interrupt the drain itself, so it takes no lock."""
        self._hurry = True

    def drain(self) -> bool:
        """Wait until no session is left (True) or give_up is called (False)."""
        with self._changed:
            while self._open > 0 and not self._hurry:
                self._changed.wait(_LOOK)
            return self._open <= 0
