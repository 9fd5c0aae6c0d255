"""A small bounded memory of what was learnt lately, in front of a store."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key for a limited time; the least recently used falls out. Thread-safe."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        """Keep at most `most` values; `clock` counts seconds."""
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, or None where there is none that still counts."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry[0] <= self._clock():
                return None
            self._entries.move_to_end(key)
            return entry[1]

    def put(self, key: K, value: V, seconds: float) -> None:
        """Keep the value for so long."""
        with self._lock:
            self._entries[key] = (self._clock() + seconds, value)
            self._entries.move_to_end(key)
            if len(self._entries) > self._most:
                self._entries.popitem(last=False)
