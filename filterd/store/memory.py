"""A store in the process's own memory: for one process, and for tests."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from filterd.model.store import StoreError
from filterd.store.errors import StoreRefusedError
from filterd.store.writes import Write, apply_one_by_one

MAX_ENTRIES: Final = 100_000  # keys; about 20 MB of small values


class MemoryStore:
    """Bounded: the key written longest ago falls out first. `fail = True` makes every call raise StoreError."""

    def __init__(self, *, most: int = MAX_ENTRIES, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep at most `most` keys; `clock` counts seconds."""
        self.fail = False
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[float, bytes | tuple[str, ...]]] = OrderedDict()

    def _live(self, key: str) -> bytes | tuple[str, ...] | None:
        """The entry, dropped if it has expired; the lock is held."""
        if self.fail:
            raise StoreError("told to fail")
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] <= self._clock():
            del self._entries[key]
            return None
        return entry[1]

    def _set(self, key: str, value: bytes | tuple[str, ...], ttl: int) -> None:
        if self.fail:
            raise StoreError("told to fail")
        self._entries[key] = (self._clock() + max(ttl, 1), value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """As Store."""
        with self._lock:
            found = [self._live(key) for key in keys]
        return [value if isinstance(value, bytes) else None for value in found]

    def put(self, key: str, value: bytes, ttl: int) -> None:
        """As Store."""
        with self._lock:
            self._set(key, value, ttl)

    def delete(self, key: str) -> None:
        """As Store."""
        with self._lock:
            if self._live(key) is not None:
                del self._entries[key]

    def add(self, key: str, amount: int, ttl: int) -> int:
        """As Store."""
        with self._lock:
            value = self._live(key)
            try:
                total = amount + (int(value) if value is not None else 0)  # type: ignore[arg-type]  # a set: TypeError
            except (TypeError, ValueError):
                raise StoreRefusedError(f"{key!r} is no counter") from None
            self._set(key, b"%d" % total, ttl)
        return total

    def remember(self, key: str, member: str, ttl: int, most: int) -> None:
        """As Store."""
        with self._lock:
            value = self._live(key)
            if isinstance(value, bytes):
                raise StoreRefusedError(f"{key!r} is no set")
            others = [other for other in value or () if other != member]
            self._set(key, (member, *others)[:most], ttl)

    def members(self, key: str) -> tuple[str, ...]:
        """As Store."""
        with self._lock:
            value = self._live(key)
        if isinstance(value, bytes):
            raise StoreRefusedError(f"{key!r} is no set")
        return value or ()

    def fetch(self, keys: Sequence[str], sets: Sequence[str]) -> tuple[list[bytes | None], list[tuple[str, ...]]]:
        """As Store."""
        return self.get_many(keys), [self.members(key) for key in sets]

    def apply(self, writes: Sequence[Write]) -> int:
        """As BatchStore."""
        refused = 0
        for write in writes:
            try:
                apply_one_by_one(self, write)
            except StoreRefusedError:
                refused += 1
        return refused

    def close(self) -> None:
        """Nothing to give back."""
