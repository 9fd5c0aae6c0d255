"""How often each signed message was delivered to people it does not name, over all fronts."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from filterd.model.store import Store, StoreError
from filterd.store.batching import INTERVAL, Batcher
from filterd.store.recent import Recent

LIFETIME: Final = 24 * 3600  # seconds without a further delivery after which a message is forgotten
MAX_KNOWN: Final = 4_096  # messages counted in this process at a time; about 1 MB
MAX_QUEUED: Final = 2_000


class ReplayCounter:
    """Counts that no message waits for: what other fronts have counted is known one round trip later.

    A count is a lower bound. Thread-safe, never raises; a silent store leaves this process with its own counts.
    """

    def __init__(
        self, store: Store, *, clock: Callable[[], float] = time.monotonic, interval: float = INTERVAL
    ) -> None:
        """`clock` counts seconds; the thread that talks to the store starts with the first count."""
        self._store = store
        self._known: Recent[str, int] = Recent(MAX_KNOWN, clock)
        self._batcher: Batcher[tuple[str, int]] = Batcher(
            "filterd-replays", self._tell, interval=interval, most=MAX_QUEUED
        )

    @property
    def failed(self) -> int:
        """Counts that did not reach the store."""
        return self._batcher.failed + self._batcher.dropped

    def count(self, message: str, deliveries: int) -> int:
        """Add deliveries of a message; how many are known by now, these included."""
        total = (self._known.get(message) or 0) + deliveries
        self._known.put(message, total, LIFETIME)
        self._batcher.offer((message, deliveries))
        return total

    def flush(self) -> None:
        """Tell the store now, in this thread."""
        self._batcher.flush()

    def close(self) -> None:
        """Tell the store what is outstanding and stop."""
        self._batcher.close()

    def _tell(self, counted: Sequence[tuple[str, int]]) -> int:
        sums: dict[str, int] = {}
        for message, deliveries in counted:
            sums[message] = sums.get(message, 0) + deliveries
        failed = 0
        for message, deliveries in sums.items():
            try:
                total = self._store.add(f"replay:{message}", deliveries, LIFETIME)
            except StoreError:
                failed += 1
                continue
            if total > (self._known.get(message) or 0):
                self._known.put(message, total, LIFETIME)
        return failed
