"""Writes that no message waits for: collected over all messages of a process and sent every 50 ms."""

from typing import Final

from filterd.store.batching import INTERVAL, Batcher
from filterd.store.writes import Add, BatchStore, Put, Remember, Write

MAX_WRITES: Final = 10_000  # queued at most: half a second of 100 messages/s with 200 writes each


class WriteBehind:
    """`put`, `add` and `remember` of a Store without an answer. They never wait and never raise; losses are counted.

    A process that is killed loses the writes of its last 50 ms.
    """

    def __init__(self, store: BatchStore, *, interval: float = INTERVAL, most: int = MAX_WRITES) -> None:
        """The thread starts with the first write."""
        self._batcher: Batcher[Write] = Batcher("filterd-writes", store.apply, interval=interval, most=most)

    @property
    def dropped(self) -> int:
        """Writes that never reached the store's backend because the queue was full."""
        return self._batcher.dropped

    @property
    def failed(self) -> int:
        """Writes that the store refused or could not be asked for."""
        return self._batcher.failed

    def put(self, key: str, value: bytes, ttl: int) -> None:
        """Queue Store.put."""
        self._batcher.offer(Put(key, value, ttl))

    def add(self, key: str, amount: int, ttl: int) -> None:
        """Queue Store.add."""
        self._batcher.offer(Add(key, amount, ttl))

    def remember(self, key: str, member: str, ttl: int, most: int) -> None:
        """Queue Store.remember."""
        self._batcher.offer(Remember(key, member, ttl, most))

    def flush(self) -> None:
        """Send what is queued, in this thread."""
        self._batcher.flush()

    def close(self) -> None:
        """Send what is queued and stop the thread."""
        self._batcher.close()
