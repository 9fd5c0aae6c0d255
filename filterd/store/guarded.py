"""A backend behind a circuit breaker."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from filterd.model.store import StoreError
from filterd.store.breaker import Breaker
from filterd.store.errors import StoreRefusedError
from filterd.store.writes import BatchStore, Write

T = TypeVar("T")


class GuardedStore:
    """The backend's own behaviour while it answers; StoreError at once while the breaker is open."""

    def __init__(self, backend: BatchStore, breaker: Breaker) -> None:
        """`breaker` is this backend's alone."""
        self._backend = backend
        self.breaker = breaker
        self.on_failure: Callable[[float], None] = lambda _seconds: None  # told how long the thread has waited in vain

    @property
    def backend(self) -> BatchStore:
        """What stands behind the breaker."""
        return self._backend

    def _call(self, call: Callable[[], T]) -> T:
        if not self.breaker.allow():
            raise StoreError("the store failed repeatedly and is left alone for a moment")
        started = time.monotonic()
        try:
            result = call()
        except StoreRefusedError:
            self.breaker.success()
            raise
        except BaseException:
            self.breaker.failure()
            self.on_failure(time.monotonic() - started)
            raise
        self.breaker.success()
        return result

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """As Store."""
        return self._call(lambda: self._backend.get_many(keys))

    def put(self, key: str, value: bytes, ttl: int) -> None:
        """As Store."""
        self._call(lambda: self._backend.put(key, value, ttl))

    def delete(self, key: str) -> None:
        """As Store."""
        self._call(lambda: self._backend.delete(key))

    def add(self, key: str, amount: int, ttl: int) -> int:
        """As Store."""
        return self._call(lambda: self._backend.add(key, amount, ttl))

    def remember(self, key: str, member: str, ttl: int, most: int) -> None:
        """As Store."""
        self._call(lambda: self._backend.remember(key, member, ttl, most))

    def members(self, key: str) -> tuple[str, ...]:
        """As Store."""
        return self._call(lambda: self._backend.members(key))

    def fetch(self, keys: Sequence[str], sets: Sequence[str]) -> tuple[list[bytes | None], list[tuple[str, ...]]]:
        """As Store."""
        return self._call(lambda: self._backend.fetch(keys, sets))

    def apply(self, writes: Sequence[Write]) -> int:
        """As BatchStore."""
        return self._call(lambda: self._backend.apply(writes))

    def close(self) -> None:
        """As BatchStore."""
        self._backend.close()
