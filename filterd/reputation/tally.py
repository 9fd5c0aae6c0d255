"""What was learnt, on its way into the store: added up for a second, so that a busy sender costs one write."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from filterd.reputation.counts import FAST, SLOW, Addition
from filterd.store.batching import Batcher
from filterd.store.writes import Add, BatchStore, Remember, Write

INTERVAL: Final = 1.0  # seconds between two writes; what a process that is killed forgets
MAX_QUEUED: Final = 10_000  # messages and acquaintances; more than a front can see in that time

Counted: TypeAlias = tuple[tuple[str, ...], Addition]


class Tally:
    """Writes that nobody waits for. Thread-safe, never raises; what is lost is counted, in writes."""

    def __init__(self, store: BatchStore, *, interval: float = INTERVAL, most: int = MAX_QUEUED) -> None:
        """The thread starts with the first item."""
        self._store = store
        self._batcher: Batcher[Counted | Remember] = Batcher(
            "filterd-reputation", self._write, interval=interval, most=most
        )

    @property
    def lost(self) -> int:
        """What never reached the store: the queue was full, or the store refused or did not answer."""
        return self._batcher.dropped + self._batcher.failed

    def count(self, subjects: tuple[str, ...], new: Addition) -> None:
        """Add an outcome to the counters of these subjects."""
        self._batcher.offer((subjects, new))

    def remember(self, key: str, member: str, ttl: int, most: int) -> None:
        """Put a member into a set."""
        self._batcher.offer(Remember(key, member, ttl, most))

    def flush(self) -> None:
        """Write what is queued, in this thread."""
        self._batcher.flush()

    def close(self) -> None:
        """Write what is queued and stop the thread."""
        self._batcher.close()

    def _write(self, batch: Sequence[Counted | Remember]) -> int:
        sums: dict[tuple[str, int, int], list[int]] = {}
        writes: list[Write] = []
        for item in batch:
            if isinstance(item, Remember):
                writes.append(item)
                continue
            subjects, (slow_generation, slow, fast_generation, fast) = item
            for subject in subjects:
                both = sums.setdefault((subject, slow_generation, fast_generation), [0, 0])
                both[0] += slow
                both[1] += fast
        for (subject, slow_generation, fast_generation), (slow, fast) in sums.items():
            writes.append(Add(SLOW.key(subject, slow_generation), slow, SLOW.lifetime))
            writes.append(Add(FAST.key(subject, fast_generation), fast, FAST.lifetime))
        return self._store.apply(writes)
