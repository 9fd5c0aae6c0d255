"""Block lists that are left alone because they answered what no healthy list answers. Common to all fronts."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from filterd.model.store import Store, StoreError

FRESH: Final = 5.0  # seconds in which this process does not ask again: how late a front learns of a suspension
DEFAULT_TTL: Final = 3600  # seconds a suspension lasts where nobody renews it


@dataclass(frozen=True, slots=True)
class Suspension:
    """Why a list is not asked, and since when (epoch seconds); `void`: what it has answered is not believed either."""

    reason: str
    since: float
    void: bool = False


class SuspendedLists:
    """The suspensions of named lists. Thread-safe, never raises.

    While the store is silent the last known state goes on.
    """

    def __init__(self, store: Store, names: Sequence[str], *, clock: Callable[[], float] = time.monotonic) -> None:
        """`names` are all lists in use: they are read together, in one round trip."""
        self.failures = 0  # times that the store was not reached
        self._store = store
        self._names = tuple(names)
        self._clock = clock
        self._lock = threading.Lock()
        self._current: dict[str, Suspension] = {}
        self._next_read = float("-inf")

    def current(self) -> dict[str, Suspension]:
        """The lists that are suspended now, by name."""
        with self._lock:
            due = self._clock() >= self._next_read
            if due:  # one thread reads, the others go on with what is known
                self._next_read = self._clock() + FRESH
        if due:
            self._read()
        return self._current

    def refresh(self) -> dict[str, Suspension]:
        """The same, read from the store now: for who is about to change it, and may wait."""
        with self._lock:
            self._next_read = self._clock() + FRESH
        self._read()
        return self._current

    def suspend(self, name: str, reason: str, now: float, ttl: int = DEFAULT_TTL, *, void: bool = False) -> None:
        """Leave the list alone for `ttl` seconds; at once in this process, within FRESH seconds in the others.

        One that is suspended already stays so since when it was, and void.
        """
        with self._lock:
            known = self._current.get(name, Suspension("", now))
            suspension = Suspension(reason, known.since or now, void or known.void)
            self._current = {**self._current, name: suspension}
        try:
            self._store.put(_key(name), msgspec.json.encode(suspension), ttl)
        except (StoreError, UnicodeEncodeError):
            self.failures += 1

    def resume(self, name: str) -> None:
        """Ask the list again."""
        with self._lock:
            self._current = {other: entry for other, entry in self._current.items() if other != name}
        try:
            self._store.delete(_key(name))
        except StoreError:
            self.failures += 1

    def _read(self) -> None:
        try:
            values = self._store.get_many([_key(name) for name in self._names])
        except StoreError:
            self.failures += 1
            return
        found = {}
        for name, value in zip(self._names, values, strict=True):
            if value is not None:
                try:
                    found[name] = msgspec.json.decode(value, type=Suspension)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    found[name] = Suspension("suspended, reason unreadable", 0.0)
        with self._lock:
            self._current = found


def _key(name: str) -> str:
    return f"suspended:{name}"
