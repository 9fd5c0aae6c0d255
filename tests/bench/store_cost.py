"""What a store call costs: wall and CPU microseconds, per backend. python -m tests.bench.store_cost."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from filterd.quarantine import Journal
from filterd.store import Breaker, GuardedStore, MemoryStore, RedisStore, SqliteStore, WriteBehind
from filterd.store.writes import BatchStore
from tests.quarantine.samples import journal_row
from tests.support.redis import redis_server

TURNS = 3_000


def cost(name: str, call: Callable[[int], object], turns: int = TURNS) -> None:
    """Print the best of three rounds: a shared machine only ever adds."""
    best = (float("inf"), float("inf"))
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        for turn in range(turns):
            call(turn)
        best = min(best, ((time.perf_counter() - wall) / turns * 1e6, (time.process_time() - cpu) / turns * 1e6))
    sys.stdout.write(f"{name:34} {best[0]:8.1f} us wall {best[1]:8.1f} us CPU\n")


def measure(name: str, store: BatchStore) -> None:
    """The calls of one message."""
    keys = [f"key{number}" for number in range(5)]
    cost(f"{name} put", lambda turn: store.put(f"key{turn % 500}", b"value", 3600))
    cost(f"{name} get_many(5)", lambda _: store.get_many(keys))
    cost(f"{name} add", lambda turn: store.add(f"n{turn % 50}", 1, 3600))
    cost(f"{name} remember", lambda turn: store.remember(f"s{turn % 50}", f"m{turn % 9}", 3600, 8))
    cost(f"{name} members", lambda turn: store.members(f"s{turn % 50}"))
    writes = WriteBehind(store, interval=3600, most=10**6)

    def behind(turn: int) -> None:
        writes.put(f"key{turn % 500}", b"value", 3600)
        if turn % 100 == 0:
            writes.flush()

    cost(f"{name} write behind, batches of 100", behind)
    writes.close()
    store.close()


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else ".") as folder, redis_server() as server:
        measure("memory", MemoryStore())
        measure("sqlite", GuardedStore(SqliteStore(Path(folder) / "state.sqlite"), Breaker()))
        measure("redis", GuardedStore(RedisStore(server.url), Breaker()))
        journal = Journal(Path(folder) / "journal.sqlite", interval=3600, clock=lambda: 0.0)
        rows = [journal_row(number) for number in range(100)]

        def record(turn: int) -> None:
            journal.record(rows[turn % 100])
            if turn % 20 == 19:
                journal.flush()

        cost("journal record, batches of 20", record)
        journal.close()


if __name__ == "__main__":
    main()
