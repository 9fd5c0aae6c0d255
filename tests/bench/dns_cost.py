"""What a DNS lookup costs: CPU per cached and per uncached question, beside dnspython in the same run.

    python tests/bench/dns_cost.py [--count N] [--rounds N] [--redis URL]

Absolute figures change with the machine's mood; the ratios do not. Uncached: unique names, one server process on
loopback, 50 questions under way, the CPU time of this process alone. Each figure is the best of the rounds. aiodns is
no dependency of anything here; where it is installed (`pip install aiodns`) it is measured too. With the URL of a Redis
(it is written to) also the level that hosts share: six questions at a time, as a stage of a message asks them.
"""

import argparse
import asyncio
import contextlib
import importlib
import importlib.util
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import dns.asyncresolver
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import uvloop

from filterd.dns.cache import AnswerCache
from filterd.dns.lookups import Lookups
from filterd.dns.loop import LoopThread
from filterd.dns.nameserver import Nameserver
from filterd.dns.resolver import CachingResolver
from filterd.dns.shared import SharedAnswers
from filterd.dns.stub import StubResolver
from filterd.model.dns import Answer, AnswerStatus, Plan, Question, RRType
from filterd.store import RedisReads, RedisStore, WriteBehind

CONCURRENCY = 50
STAGE = 6  # questions that a message asks at the same time
NAMES = 18  # per message, on the wire or from the cache
THREADS = 8  # callback threads of the threaded figure
SERVER = Path(__file__).parents[1] / "support" / "dnsserver.py"
ZONE = '["*.txt.test"]\nTXT = "v=spf1 ip4:192.0.2.0/24 include:_spf.example.test -all"\nA = "127.0.0.2"\n'
BAR = 60.0  # us per uncached question
MESSAGE_BAR = 900.0  # us per message with NAMES questions on the wire
CACHED_BAR = 0.25  # of dnspython's cache hit
UNCACHED = "filterd uncached, resolver"
THREADED = f"filterd uncached, threads, per message of {NAMES}"


@contextlib.contextmanager
def server() -> Iterator[int]:
    """The fixture server as a process of its own; its port."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as zone:
        zone.write(ZONE)
        zone.flush()
        argv = [sys.executable, str(SERVER), "--zone", zone.name]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield int(process.stdout.readline())
            finally:
                process.terminate()


def cached(count: int) -> dict[str, float]:
    """Microseconds per question that the cache answers."""
    questions = [Question(f"mail{number}.example.test", RRType.TXT) for number in range(NAMES)]
    question = questions[0]
    cache = AnswerCache()
    for name in questions:
        cache.settle(Answer(name, AnswerStatus.NOERROR, ("v=spf1 -all",), 300))
    loop = asyncio.new_event_loop()
    resolver = CachingResolver(StubResolver([], loop), cache)
    result = {"filterd peek": each(lambda: resolver.peek(question), count)}

    def plan() -> Plan[None]:
        for name in questions:
            yield (name,)

    result["filterd Lookups, per question of 18"] = (
        each(lambda: Lookups(resolver, loop).run([(plan(), lambda _: None)]), count // NAMES) / NAMES
    )
    theirs = dns.resolver.Resolver(configure=False)
    theirs.nameservers = ["192.0.2.1"]  # never asked: everything comes from the cache
    theirs.cache = dns.resolver.LRUCache()
    query = dns.message.make_query("mail.example.test", "TXT")
    reply = dns.message.make_response(query)
    reply.answer.append(dns.rrset.from_text("mail.example.test.", 300, "IN", "TXT", '"v=spf1 -all"'))
    reply = dns.message.from_wire(reply.to_wire())
    key = (dns.name.from_text("mail.example.test"), dns.rdatatype.TXT, dns.rdataclass.IN)
    theirs.cache.put(key, dns.resolver.Answer(*key, reply))  # type: ignore[arg-type]  # a QueryMessage by make_query
    result["dnspython LRUCache hit"] = each(
        lambda: theirs.resolve("mail.example.test", "TXT", search=False), count // 10
    )
    store = theirs.cache
    result["dnspython LRUCache.get alone, the key made before"] = each(lambda: store.get(key), count)
    loop.close()
    return result


def each(function: Callable[[], object], count: int) -> float:
    """Microseconds of CPU per call."""
    start = time.process_time()
    for _ in range(count):
        function()
    return (time.process_time() - start) / count * 1e6


async def ours(port: int, names: list[str]) -> None:
    """All names through resolver and cache, 50 at a time."""
    loop = asyncio.get_running_loop()
    stub = StubResolver([Nameserver("127.0.0.1", port)], loop)
    resolver = CachingResolver(stub, AnswerCache())
    todo = iter(names)
    done = loop.create_future()
    left = len(names)

    def step(answer: Answer) -> None:
        nonlocal left
        if answer.status is not AnswerStatus.NOERROR:
            raise RuntimeError(answer)
        left -= 1
        for name in todo:
            resolver.ask(Question(name, RRType.TXT), step)
            return
        if not left:
            done.set_result(None)

    for name in [next(todo) for _ in range(CONCURRENCY)]:
        resolver.ask(Question(name, RRType.TXT), step)
    await done
    stub.close()


async def ours_lookups(port: int, names: list[str]) -> None:
    """The same through Lookups: plans of 18 questions in three rounds."""
    loop = asyncio.get_running_loop()
    stub = StubResolver([Nameserver("127.0.0.1", port)], loop)
    resolver = CachingResolver(stub, AnswerCache())
    groups = iter([names[start : start + NAMES] for start in range(0, len(names), NAMES)])
    running = 0
    done = loop.create_future()

    def plan(group: list[str]) -> Plan[None]:
        for start in range(0, len(group), 6):
            yield tuple([Question(name, RRType.TXT) for name in group[start : start + 6]])

    def start(_: None) -> None:
        nonlocal running
        running -= 1
        for group in groups:
            running += 1
            Lookups(resolver, loop).run([(plan(group), start)])
            return
        if not running:
            done.set_result(None)

    for _ in range(8):
        running += 1
        start(None)
    await done
    stub.close()


def threaded(port: int, names: list[str]) -> None:
    """The same as in a front: callback threads start a message's plans and wait, the loop runs in its own thread."""
    thread = LoopThread()
    thread.start()
    stub = StubResolver([Nameserver("127.0.0.1", port)], thread.loop)
    resolver = CachingResolver(stub, AnswerCache())
    groups = iter([names[start : start + NAMES] for start in range(0, len(names), NAMES)])

    def plan(group: list[str]) -> Plan[None]:
        for start in range(0, len(group), 6):
            yield tuple([Question(name, RRType.TXT) for name in group[start : start + 6]])

    def worker() -> None:
        for group in groups:
            done: SimpleQueue[None] = SimpleQueue()
            Lookups(resolver, thread.loop).run([(plan(group), done.put)])
            done.get()

    workers = [threading.Thread(target=worker) for _ in range(THREADS)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()

    async def close() -> None:
        stub.close()

    thread.call(close())
    thread.stop()


async def stages(port: int, names: list[str], url: str) -> None:
    """Six questions at a time through resolver and cache, with a level in Redis behind it where there is a URL."""
    loop = asyncio.get_running_loop()
    stub = StubResolver([Nameserver("127.0.0.1", port)], loop)
    shared, writes = None, None
    if url:
        reads = RedisReads(url, loop)
        writes = WriteBehind(RedisStore(url))
        shared = SharedAnswers(reads, writes, loop)
        shared.start()
        while not reads.ready:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.001)
    resolver = CachingResolver(stub, AnswerCache(), loop=loop, shared=shared)
    for start in range(0, len(names), STAGE):
        group = names[start : start + STAGE]
        await asyncio.gather(*[resolver.resolve(Question(name, RRType.TXT)) for name in group])
    stub.close()
    if shared is not None and writes is not None:
        writes.close()
        shared.close()
        await asyncio.sleep(0.01)


def levels(port: int, url: str, names: list[str]) -> dict[str, float]:
    """Microseconds per question: on the wire alone; unknown to others and told them; known to others."""
    figures = {}
    names = [f"{time.time_ns()}.{name}" for name in names]  # no Redis knows them from another run
    turns = (
        ("uncached, stages of 6", "", [f"a{name}" for name in names]),
        ("uncached, not in Redis: asked, written", url, names),
        ("uncached, in Redis", url, names),
    )
    for label, where, asked in turns:
        start = time.process_time()
        uvloop.run(stages(port, asked, where))
        figures[f"filterd {label}"] = (time.process_time() - start) / len(asked) * 1e6
    return figures


async def theirs(port: int, names: list[str]) -> None:
    """The same through dnspython."""
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = port
    todo = iter(names)

    async def worker() -> None:
        for name in todo:
            await resolver.resolve(name, "TXT", search=False)

    await asyncio.gather(*[worker() for _ in range(CONCURRENCY)])


async def aiodns(port: int, names: list[str]) -> None:
    """The same through aiodns, where it is installed."""
    module: Any = importlib.import_module("aiodns")  # no dependency: it has no types here
    resolver = module.DNSResolver(["127.0.0.1"], udp_port=port, tcp_port=port)
    todo = iter(names)

    async def worker() -> None:
        for name in todo:
            await resolver.query_dns(name, "TXT")

    await asyncio.gather(*[worker() for _ in range(CONCURRENCY)])
    await resolver.close()


def uncached(port: int, count: int, serial: int) -> tuple[dict[str, float], int]:
    """Microseconds per question on the wire, and the first number that has not been asked for."""
    figures = {}
    contenders: list[tuple[str, Callable[[int, list[str]], Any], int]] = [
        (UNCACHED, ours, 1),
        ("filterd uncached, Lookups of 18", ours_lookups, 1),
        ("dnspython uncached", theirs, 10),
    ]
    if importlib.util.find_spec("aiodns") is not None:
        contenders.append(("aiodns uncached", aiodns, 2))
    for label, function, share in contenders:
        names = [f"n{serial + number}.txt.test" for number in range(count // share)]
        serial += len(names)
        start = time.process_time()
        uvloop.run(function(port, names))
        figures[label] = (time.process_time() - start) / len(names) * 1e6
    names = [f"n{serial + number}.txt.test" for number in range(count)]
    start = time.process_time()
    threaded(port, names)
    figures[THREADED] = (time.process_time() - start) / (len(names) / NAMES) * 1e6
    return figures, serial + len(names)


def main() -> None:
    """Print one line per figure, then what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--redis", default="", metavar="URL", help="the level that hosts share too")
    options = parser.parse_args()
    best: dict[str, float] = {}
    serial = 0
    with server() as port:
        for _ in range(options.rounds):
            wire, serial = uncached(port, options.count, serial)
            if options.redis:
                wire |= levels(port, options.redis, [f"s{serial + number}.txt.test" for number in range(options.count)])
            for label, value in (cached(options.count) | wire).items():
                best[label] = min(value, best.get(label, value))
    for label, value in best.items():
        sys.stdout.write(f"{label:50} {value:9.2f} us\n")
    ratio = best["filterd peek"] / best["dnspython LRUCache hit"]
    for label, figure, bar in (
        ("cache hit, share of dnspython's", ratio, CACHED_BAR),
        ("uncached, us", best[UNCACHED], BAR),
        (f"message with {NAMES} names through threads, us", best[THREADED], MESSAGE_BAR),
    ):
        met = "met" if figure <= bar else "MISSED"
        sys.stdout.write(f"{label:50} {figure:9.3f}    at most {bar:g}: {met}\n")


if __name__ == "__main__":
    main()
