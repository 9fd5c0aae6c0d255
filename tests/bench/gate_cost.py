"""What greylist and rate limits cost a recipient, and how long one waits for a Redis in trouble.

python -m tests.bench.gate_cost [FOLDER]: CPU and wall microseconds of one thread, with the store's answer; then the
longest of 200 waits while Redis is stopped, and while it is gone.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import structlog

from filterd.app.throttle import Throttle
from filterd.config import Config, Rate, RateBy
from filterd.config.decisions import Actions
from filterd.config.greylist import Greylist
from filterd.config.sections import Paths
from filterd.model.early import EarlyFacts, EarlyGate
from filterd.model.session import Client
from filterd.store import WriteBehind, open_store
from filterd.telemetry import Metrics
from tests.support.redis import RedisServer, redis_server

TURNS = 3_000
TRIES = 200
NOW = 1_700_000_000.0
RATES = {
    "net": Rate(by=RateBy.CLIENT, limit=1_000_000),
    "sender": Rate(by=RateBy.SENDER, limit=1_000_000),
    "box": Rate(by=RateBy.RECIPIENT, limit=1_000_000),
    "watched": Rate(by=RateBy.CLIENT, limit=1_000_000, ipv4_prefix=32, dry_run=True),
}
NUMBERS = count()


def facts(number: int, score: float = 5.0, now: float = NOW) -> EarlyFacts:
    """A recipient of a message of its own: some of five thousand senders and networks."""
    some = number % 5_000
    client = Client(f"8.{some >> 8}.{some & 255}.9")
    sender, recipient = f"anna@sender{some}.example", f"user{some}@local.test"
    return EarlyFacts(str(number), now, client, "mx", sender, recipient, score=score)


class Site:
    """Both gates of a front."""

    def __init__(self, folder: Path, url: str, rates: Sequence[str]) -> None:
        """With these rates."""
        named = {name: RATES[name] for name in rates}
        config = Config(paths=Paths(state=folder), actions=Actions(greylist=4.0), greylist=Greylist(), rates=named)
        self.store = open_store(url or None, folder)
        self.store.get_many(["open"])
        self.writes = WriteBehind(self.store)
        row = Metrics.create(1, rates=tuple(named)).front(0)
        self.throttle = Throttle(config, url, self.store, self.writes, row, None, None)

    def gate(self, name: str) -> EarlyGate:
        """One of them."""
        return next(gate for gate in self.throttle.gates if gate.name == name)

    def close(self) -> None:
        """Write what is queued and close."""
        self.writes.close()
        self.throttle.close()
        self.store.close()


def cost(name: str, ask: Callable[[EarlyFacts], object], made: Callable[[int], EarlyFacts]) -> None:
    """Print the best of three rounds: a shared machine only ever adds. CPU is that of all threads."""
    best = (float("inf"), float("inf"))
    for _ in range(3):
        asked = [made(next(NUMBERS)) for _ in range(TURNS)]
        wall, cpu = time.perf_counter(), time.process_time()
        for one in asked:
            ask(one)
        best = min(best, ((time.perf_counter() - wall) / TURNS * 1e6, (time.process_time() - cpu) / TURNS * 1e6))
    sys.stdout.write(f"{name:52} {best[0]:8.1f} us wall {best[1]:8.1f} us CPU\n")


def measure(name: str, folder: Path, url: str) -> None:
    """Greylisting a clean recipient, a new and a known one; limits of one rate and of four."""
    site = Site(folder, url, ["net"])
    ask = site.gate("greylist").ask
    cost(f"{name} greylist, clean score (no question)", ask, lambda number: facts(number, 0.0))
    fresh = count(10_000_000)
    cost(f"{name} greylist, never seen", ask, lambda _: replace(facts(next(fresh)), sender=f"x@n{next(fresh)}.test"))
    for number in range(5_000):
        ask(facts(number))
    for number in range(5_000):
        ask(facts(number, now=NOW + 400))
    site.writes.flush()
    cost(f"{name} greylist, known", ask, lambda number: facts(number, now=NOW + 500))
    cost(f"{name} limits, one rate", site.gate("limits").ask, facts)
    site.close()
    site = Site(folder, url, list(RATES))
    cost(f"{name} limits, four rates", site.gate("limits").ask, facts)
    site.close()


def trouble(name: str, folder: Path, server: RedisServer, break_it: Callable[[], None]) -> None:
    """The longest waits of recipients for both gates, one after the other, while Redis is in trouble."""
    site = Site(folder, server.url, list(RATES))
    for gate in site.throttle.gates:
        gate.ask(facts(next(NUMBERS)))
    break_it()
    waits = []
    for _ in range(TRIES):
        asked = facts(next(NUMBERS))
        started = time.perf_counter()
        for gate in site.throttle.gates:
            gate.ask(asked)
        waits.append((time.perf_counter() - started) * 1e3)
    waits.sort()
    longest = " ".join([f"{wait:.1f}" for wait in waits[-6:]])
    sys.stdout.write(
        f"redis {name}: both gates, longest of {TRIES} waits {longest} ms, median {waits[TRIES // 2]:.3f} ms\n"
    )
    site.close()


def main() -> None:
    """Print a table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else ".") as folder, redis_server() as server:
        measure("embedded", Path(folder), "")
        measure("redis", Path(folder), server.url)
        trouble("stopped", Path(folder), server, server.freeze)
        server.thaw()
        trouble("killed", Path(folder), server, server.kill)


if __name__ == "__main__":
    main()
