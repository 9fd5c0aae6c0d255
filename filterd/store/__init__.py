"""What all fronts know in common, and how they may ask for it while a message waits.

The protocol is `filterd.model.store.Store`: values, counters and small sets, each with a lifetime. Backends: SQLite for
one host (the default), Redis for several, memory for one process and for tests; one test class runs against all.

- Every call is bounded in time and raises StoreError only: what the store holds is then unknown, not absent. A refusal
  (StoreRefusedError: wrong type, no memory) came at once and does not count against the backend.
- A circuit breaker stands before each backend that can be slow: after five failures in a row callers are turned away at
  once, one a second is let through to see.
- Nothing is opened before the first call, and everything is opened again after a fork.
- Writes that nobody waits for go through WriteBehind: every 50 ms one round trip for all of them.
- Named facts sit on top and own their keys: `selectors:` (SelectorMemory), `suspended:` (SuspendedLists), `turn:`
  (Turns).
- Token buckets (Buckets) are kept beside the store: in Redis by one script, on one host in a table of their own.
- Redis may be behind TLS and Sentinels (`address`, `connecting`): only a server that proves its name is spoken to.

Deviations: Redis Cluster is not supported (reads of several keys span slots). A key that another program filled with
the wrong type reads as absent with MGET and is refused elsewhere.
"""

from filterd.store.breaker import Breaker
from filterd.store.buckets import Bucket, Buckets, Draw, MemoryBuckets
from filterd.store.buckets_redis import RedisBuckets
from filterd.store.buckets_table import TableBuckets
from filterd.store.errors import StoreRefusedError
from filterd.store.guarded import GuardedStore
from filterd.store.memory import MemoryStore
from filterd.store.opening import open_store
from filterd.store.reads import RedisReads, open_reads
from filterd.store.redis import RedisStore
from filterd.store.replays import ReplayCounter
from filterd.store.selectors import SelectorMemory
from filterd.store.sqlite import SqliteStore
from filterd.store.suspended import SuspendedLists, Suspension
from filterd.store.turns import Turn, Turns
from filterd.store.writebehind import WriteBehind
from filterd.store.writes import BatchStore

__all__ = [
    "BatchStore",
    "Breaker",
    "Bucket",
    "Buckets",
    "Draw",
    "GuardedStore",
    "MemoryBuckets",
    "MemoryStore",
    "RedisBuckets",
    "RedisReads",
    "RedisStore",
    "ReplayCounter",
    "SelectorMemory",
    "SqliteStore",
    "StoreRefusedError",
    "SuspendedLists",
    "Suspension",
    "TableBuckets",
    "Turn",
    "Turns",
    "WriteBehind",
    "open_reads",
    "open_store",
]
