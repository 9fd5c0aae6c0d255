"""Token buckets that all fronts draw from: the arithmetic, and a keeper of them in one process's memory.

A bucket is one number: the moment at which it will be full again. A bucket that is full is the same as one that nobody
has drawn from, so nothing needs to be kept of it. All moments are whole microseconds: Redis' Lua counts in doubles,
which are exact up to 2^53, the year 2255.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from filterd.model.store import StoreError

SECOND: Final = 1_000_000  # microseconds
MAX_BUCKETS: Final = 100_000  # kept by MemoryBuckets; about 15 MB
MAX_SKEW: Final = 60_000_000  # microseconds that another node's clock may be ahead
MAX_LISTED: Final = 10_000  # buckets that a listing gives at most


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token comes every `interval` microseconds, `capacity` of them have room.

    One that is not `binding` is drawn from and hinders nobody when it is empty: a dry run.
    """

    key: str
    interval: int
    capacity: int
    binding: bool = True

    @property
    def span(self) -> int:
        """Microseconds from empty to full."""
        return self.interval * self.capacity

    def left(self, full_at: int, now: int) -> int:
        """Whole tokens in it."""
        return (self.span - min(max(full_at - now, 0), self.span)) // self.interval


@dataclass(frozen=True, slots=True)
class Draw:
    """What a draw came to: `waits` has, for each bucket, the microseconds until it has a token, 0 where it had one."""

    granted: bool
    waits: tuple[int, ...]


def draw(buckets: Sequence[Bucket], full_at: Sequence[int], now: int) -> tuple[Draw, tuple[int, ...]]:
    """Take a token from every bucket, or from none where a binding one is empty; and when each is full after that.

    An empty bucket that is not binding stays as it is. Nothing is emptier than empty: a clock that jumps back costs
    a bucket's span at most, for what would be full only later than that is set right, also where no token is taken.
    """
    bounded = [min(max(full, now), now + bucket.span) for bucket, full in zip(buckets, full_at, strict=True)]
    waits = tuple(
        [max(full + bucket.interval - bucket.span - now, 0) for bucket, full in zip(buckets, bounded, strict=True)]
    )
    granted = not any(wait and bucket.binding for bucket, wait in zip(buckets, waits, strict=True))
    kept = tuple(
        [
            now + bucket.span if full > now + bucket.span + MAX_SKEW else full
            for bucket, full in zip(buckets, full_at, strict=True)
        ]
    )
    if not granted:
        return Draw(granted=False, waits=waits), kept
    after = [
        found if wait else full + bucket.interval
        for bucket, found, full, wait in zip(buckets, kept, bounded, waits, strict=True)
    ]
    return Draw(granted=True, waits=waits), tuple(after)


class Buckets(Protocol):
    """Keeps buckets. Thread-safe; each call is bounded in time and raises StoreError only.

    The keys of one draw differ. `now` is epoch microseconds, the caller's.
    """

    def draw(self, buckets: Sequence[Bucket], now: int) -> Draw:
        """As the function, atomically for all fronts and nodes."""

    def try_draw(self, buckets: Sequence[Bucket], now: int) -> Draw | None:
        """The same where it takes a millisecond at most; None where it may take longer, and nothing was drawn."""

    def listed(self, now: int) -> Iterator[tuple[str, int]]:
        """Keys of buckets that are not full, with the moment at which they will be; MAX_LISTED at most."""

    def full_at(self, key: str) -> int:
        """When this bucket is full again; a moment long past where nobody has drawn from it."""

    def fill(self, key: str) -> None:
        """Make the bucket full."""

    def fill_all(self, prefix: str) -> int:
        """Make all buckets full whose key begins so; how many there were. Not atomic."""

    def close(self) -> None:
        """Give back what is open. Used again, it is opened again."""


class MemoryBuckets:
    """Buckets of this process alone, the reference of the others. `fail = True` makes every call raise StoreError."""

    def __init__(self, most: int = MAX_BUCKETS) -> None:
        """Keep at most `most`; the one drawn from longest ago falls out."""
        self.fail = False
        self._most = most
        self._lock = threading.Lock()
        self._full_at: OrderedDict[str, int] = OrderedDict()

    def draw(self, buckets: Sequence[Bucket], now: int) -> Draw:
        """As Buckets."""
        self._check()
        with self._lock:
            before = [self._full_at.get(bucket.key, 0) for bucket in buckets]
            found, after = draw(buckets, before, now)
            for bucket, old, full in zip(buckets, before, after, strict=True):
                if full != old:
                    self._full_at[bucket.key] = full
                    self._full_at.move_to_end(bucket.key)
            while len(self._full_at) > self._most:
                self._full_at.popitem(last=False)
        return found

    def try_draw(self, buckets: Sequence[Bucket], now: int) -> Draw:
        """As Buckets."""
        return self.draw(buckets, now)

    def listed(self, now: int) -> Iterator[tuple[str, int]]:
        """As Buckets."""
        self._check()
        with self._lock:
            found = [(key, full) for key, full in self._full_at.items() if full > now]
        yield from found[:MAX_LISTED]

    def full_at(self, key: str) -> int:
        """As Buckets."""
        self._check()
        return self._full_at.get(key, 0)

    def fill(self, key: str) -> None:
        """As Buckets."""
        self._check()
        with self._lock:
            self._full_at.pop(key, None)

    def fill_all(self, prefix: str) -> int:
        """As Buckets."""
        self._check()
        with self._lock:
            keys = [key for key in self._full_at if key.startswith(prefix)]
            for key in keys:
                del self._full_at[key]
        return len(keys)

    def close(self) -> None:
        """Nothing to give back."""

    def _check(self) -> None:
        if self.fail:
            raise StoreError("told to fail")
