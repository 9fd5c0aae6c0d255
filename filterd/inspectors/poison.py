"""The poison ledger: which messages have ended an inspector.

A client told to try again sends the same message for days; without this memory it would kill an inspector every time.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from filterd.model.store import Store, StoreError

KEY_PREFIX: Final = "poison:"
CAUSE_PREFIX: Final = "poison-cause:"
ANY_KEY: Final = "poisoned"  # there while any message has a strike
FRESH: Final = 1.0  # seconds; a client that is told to try again comes later than that
MAX_CAUSE: Final = 200  # characters
LIFETIME: Final = 6 * 24 * 3600  # seconds; MTAs retry for five days


class PoisonLedger:
    """Counts by digest of the whole message, in the store that all fronts share. Thread-safe."""

    def __init__(self, store: Store, *, ttl: int = LIFETIME, clock: Callable[[], float] = time.monotonic) -> None:
        """Count in `store`, each strike remembered for `ttl` seconds; `clock` counts seconds."""
        self._store = store
        self._ttl = ttl
        self._clock = clock
        self._quiet_until = float("-inf")
        self._lock = threading.Lock()
        self._counters = {"strikes": 0, "store_errors": 0}

    def strikes(self, digest: str) -> int:
        """How often this message has ended an inspector.

        A store that fails is counted and reads as 0: the message is inspected, which endangers an inspector only.
        While no message at all has a strike, the store is asked once in FRESH seconds: so late is another front's seen.
        """
        now = self._clock()
        if now < self._quiet_until:
            return 0
        try:
            value, any_strike = self._store.get_many([KEY_PREFIX + digest, ANY_KEY])
        except StoreError:
            self._count("store_errors")
            return 0
        if any_strike is None and value is None:
            self._quiet_until = now + FRESH
        return int(value) if value is not None and value.isdigit() else 0

    def strike(self, digest: str, cause: str) -> int:
        """Count one more and give back the sum, this one included; 1 where the store fails, for that much is known.

        `cause` is kept beside the count, cut short, for whoever asks why a message was held unread.
        """
        self._count("strikes")
        self._quiet_until = float("-inf")
        try:
            total = self._store.add(KEY_PREFIX + digest, 1, self._ttl)
        except StoreError:
            self._count("store_errors")
            return 1
        try:
            self._store.put(ANY_KEY, b"1", self._ttl)
            self._store.put(CAUSE_PREFIX + digest, cause[:MAX_CAUSE].encode("utf-8", "replace"), self._ttl)
        except StoreError:
            self._count("store_errors")
        return total

    def stats(self) -> dict[str, int]:
        """Counts since this object was made."""
        with self._lock:
            return dict(self._counters)

    def _count(self, name: str) -> None:
        with self._lock:
            self._counters[name] += 1
