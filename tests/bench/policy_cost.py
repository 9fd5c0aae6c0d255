"""What a policy request costs: filterd, embedded and with Redis, beside Debian's policyd-spf, in one run.

    python -m tests.bench.policy_cost [--rounds N] [--count N] [--connections N] [--each N] [--anew] [--apart]

Each request is about the one recipient of a message of its own and has the attributes that Postfix sends; one is under
way on each connection, as an smtpd process has it. filterd runs as many fronts as there are cores; it checks SPF,
reverse DNS and block lists, looks up its own lists, which hold entries, greylists by score, and draws from three rate
limits, by client, sender and recipient. policyd-spf runs as spawn(8) runs it, a process for each connection, and checks
SPF. Every tenth client is none that its sender's SPF record names: policyd-spf refuses it, filterd greylists it; all
others pass. The exit status is 1 where anybody was answered otherwise, but for a few whom filterd did not greylist
because its store took more than 200 ms. All ask one name server on loopback: filterd has its answers in its cache,
policyd-spf has none. The first pass over each is not counted.

Each is measured twice: over connections that stay open (warm), and over connections that end after `--each` requests,
as Postfix' do: an smtpd process serves a hundred clients (max_use), then goes, and its connection with it.

`--anew` gives every message a sender whom nobody has seen before; else 25 at each of 13 sites come again and again.
`--apart` keeps client, name server and Redis on the first core and the service under test on the others.
"""

import argparse
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from filterd.model.store import Store
from filterd.ownlists import Document, Entry, Kind, Which, change
from filterd.store import open_store
from tests.bench import measure
from tests.bench.messages import zone
from tests.bench.policy_load import HINDERED, PASSES, Ask, Lines, Pass, drive, requests
from tests.bench.targets import NameServer, write_zone
from tests.support.daemon import Filterd, Settings
from tests.support.process import open_folder, wait_until
from tests.support.redis import RedisServer

LAUNCHER: Final = Path(__file__).parent / "policyd_spf.py"
PEER: Final = Path("/usr/bin/policyd-spf")
PEER_CONFIG: Final = Path("/etc/postfix-policyd-spf-python/policyd-spf.conf")
INTERPRETER: Final = "/usr/bin/python3"  # the one that Debian's packages are installed for
PEERS_SHARE: Final = 10  # of the requests that filterd gets are asked of policyd-spf, or a round would take minutes
PEERS_LEAST: Final = 2  # connections one after the other in each place, so that some do end
EMBEDDED: Final = "filterd, embedded"
SHARED: Final = "filterd, Redis"
SPF: Final = "policyd-spf"
TIMES: Final = 10  # asked for: as many times policyd-spf's requests a second
BARS: Final = {EMBEDDED: 4_000, SHARED: 1_500}  # requests a second that are asked for
EXPECTED: Final = {(PASSES, False), (HINDERED, True)}
UNASKED: Final = (PASSES, True)  # the store was late: passed, and counted by filterd
UNASKED_SHARE: Final = 0.01  # of all requests; more is no noise of the host
SETTINGS: Final[Settings] = {
    "actions": {"greylist": 3.0},  # what a failing SPF record weighs
    "rates.net": {"by": "client", "limit": 10_000_000},
    "rates.sender": {"by": "sender", "limit": 10_000_000},
    "rates.box": {"by": "recipient", "limit": 10_000_000},
}
ENTRIES: Final = (
    Entry(Which.BLOCK, Kind.IP, "8.8.8.0/24"),
    Entry(Which.BLOCK, Kind.DOMAIN, "nobody.test"),
    Entry(Which.ALLOW, Kind.DOMAIN, "bank.test"),
    Entry(Which.BLOCK, Kind.RECIPIENT, "closed@local.test"),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """One pass: requests a second; microseconds of CPU per request of the service, the client and the rest.

    `each`: requests on one connection, 0 where it stays; `loop`: milliseconds that a fixed piece of work took.
    """

    system: str
    each: int
    rate: float
    service: float
    client: float
    others: float
    loop: float


@dataclass(frozen=True, slots=True)
class Service:
    """A policy service that runs: how to reach it, CPU seconds so far of it and of what it leans on."""

    name: str
    lines: Lines
    kept: Sequence[socket.socket]
    cpu: Callable[[], float]
    leans_on: Callable[[], float]

    def run(self, asks: Sequence[Ask], each: int = 0) -> tuple[Figures, Pass]:
        """One pass over some of them, and what was answered."""
        loop, own, others = measure.calibration(), self.cpu(), self.leans_on()
        connections = [self.lines.open() for _ in self.kept] if each else self.kept
        found = drive(connections, asks, self.lines, each)
        micro = 1e6 / found.requests
        service, beside = (self.cpu() - own) * micro, (self.leans_on() - others) * micro
        rate = found.requests / found.seconds
        return Figures(self.name, each, rate, service, found.client * micro, beside, loop), found


def cpu_of(pids: Sequence[int]) -> float:
    """CPU seconds so far of these processes and their descendants."""
    return sum(sum(measure.cpu(pid, lambda _: "all").values()) for pid in pids)


class Listening:
    """Connections to a service that listens on a unix socket, which spawn(8) does too."""

    def __init__(self, path: Path) -> None:
        """There."""
        self._path = path

    def open(self) -> socket.socket:
        """As Lines."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self._path))
        return connection

    def close(self, connection: socket.socket) -> None:
        """As Lines."""
        connection.close()


class Spawned:
    """Connections that are a process of policyd-spf each, as spawn(8) makes them; it ends with its connection."""

    def __init__(self, port: int, cores: Sequence[int]) -> None:
        """`port` is the name server's."""
        self._argv = [INTERPRETER, str(LAUNCHER), str(port), str(PEER_CONFIG)]
        self._cores = cores
        self._running: list[subprocess.Popen[bytes]] = []
        self._before = _reaped()

    def open(self) -> socket.socket:
        """As Lines."""
        ours, theirs = socket.socketpair()
        with placed(self._cores):
            self._running.append(subprocess.Popen(self._argv, stdin=theirs.fileno(), stdout=theirs.fileno()))
        theirs.close()
        return ours

    def close(self, connection: socket.socket) -> None:
        """As Lines."""
        connection.close()

    def cpu(self) -> float:
        """CPU seconds of all of them, those that have ended included: nothing else is reaped meanwhile."""
        self._running = [one for one in self._running if one.poll() is None]
        return cpu_of([one.pid for one in self._running]) + _reaped() - self._before

    def end(self) -> None:
        """End those that run."""
        for one in self._running:
            one.terminate()
            one.wait()


def _reaped() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def filterd(
    folder: Path, dns: NameServer, options: argparse.Namespace, cores: Sequence[int], redis: RedisServer | None = None
) -> Iterator[Service]:
    """The daemon with what the module says, and entries in its lists."""
    folder.mkdir()
    folder.chmod(0o755)
    path = folder / "policy.sock"
    settings = {
        **SETTINGS,
        "policy": {"listen": f"unix:{path}"},
        "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
        "redis": {} if redis is None else {"url": redis.url},
    }
    daemon = Filterd(folder, settings)
    (folder / "state").mkdir(mode=0o750)
    with closing(open_store(redis.url if redis is not None else None, folder / "state")) as store:
        _listed(store)
    with placed(cores), daemon, ExitStack() as stack:
        wait_until((folder / "state" / "status.json").exists, "every front serves")
        lines = Listening(path)
        kept = [lines.open() for _ in range(options.connections)]
        for one in kept:
            stack.callback(one.close)
        yield Service(
            EMBEDDED if redis is None else SHARED,
            lines,
            kept,
            lambda: cpu_of([daemon.process.pid]),
            lambda: dns.cpu() + (0.0 if redis is None else _redis_cpu(redis)),
        )


def _redis_cpu(redis: RedisServer) -> float:
    with redis.client() as client:
        found = client.info("cpu")
    return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])


def _listed(store: Store) -> None:
    change(store, None, lambda _: Document(0, ENTRIES))


@contextmanager
def policyd_spf(dns: NameServer, options: argparse.Namespace, cores: Sequence[int]) -> Iterator[Service]:
    """A process for each connection."""
    with ExitStack() as stack:
        lines = Spawned(dns.port, cores)
        stack.callback(lines.end)
        kept = [lines.open() for _ in range(options.connections)]
        for one in kept:
            stack.callback(one.close)
        yield Service(SPF, lines, kept, lines.cpu, dns.cpu)


@contextmanager
def placed(cores: Sequence[int]) -> Iterator[None]:
    """Whatever is started within runs on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def main() -> int:
    """Measure in turns, print the table, and say whether everybody was answered rightly."""
    options = _options()
    if not PEER.exists():
        say("policyd-spf is not installed: deploy/setup.sh bench, or apt-get install postfix-policyd-spf-python")
        return 1
    cores = sorted(os.sched_getaffinity(0))
    first, others = (cores[:1], cores[1:]) if options.apart and len(cores) > 1 else (cores, cores)
    os.sched_setaffinity(0, first)
    figures: list[Figures] = []
    wrong: list[str] = []
    with open_folder() as folder, ExitStack() as stack:
        dns = stack.enter_context(NameServer(folder, write_zone(folder / "zone.toml", zone())))
        redis = RedisServer(folder)
        redis.start()
        stack.callback(redis.kill)
        services = [
            stack.enter_context(filterd(folder / "embedded", dns, options, others)),
            stack.enter_context(filterd(folder / "redis", dns, options, others, redis)),
            stack.enter_context(policyd_spf(dns, options, others)),
        ]
        for turn in range(options.rounds + 1):
            for service in services if turn % 2 else reversed(services):
                for each in (0, options.each) if turn else (0,):
                    found, done = service.run(requests(_count(service, options, each), anew=options.anew), each)
                    counts = "" if turn else "  (warming up)"
                    say(f"{_name(found):35} {found.rate:7.0f}/s {found.service:6.0f} us{counts}")
                    wrong += [f"{_name(found)}: {text}" for text in unexpected(done)]
                    figures += [found] if turn else []
    sys.stdout.write(table(figures))
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1))
    for line in wrong:
        say(f"answered otherwise than expected: {line}")
    return 1 if wrong else 0


def _count(service: Service, options: argparse.Namespace, each: int) -> int:
    if service.name != SPF:
        return int(options.count)
    return int(max(options.count // PEERS_SHARE, PEERS_LEAST * each * options.connections))


def unexpected(done: Pass) -> list[str]:
    """What was answered to whom that should not have been."""
    few = done.answers[UNASKED] <= UNASKED_SHARE * done.requests
    fine = EXPECTED | {UNASKED} if few else EXPECTED
    strange = [(word, stray, number) for (word, stray), number in done.answers.items() if (word, stray) not in fine]
    return [f"{number} x {word} for {'a stray' if stray else 'its own host'}" for word, stray, number in strange]


def _name(figures: Figures) -> str:
    return f"{figures.system}, {figures.each} a connection" if figures.each else f"{figures.system}, warm"


def table(figures: Sequence[Figures]) -> str:
    """Medians of each service, the quotients, and whether they are what is asked for."""
    lines = ["requests/s   CPU us: service  client  DNS, Redis   loop ms\n"]
    rates: dict[tuple[str, bool], float] = {}
    costs: dict[tuple[str, bool], float] = {}
    for ends in (False, True):
        for system in (EMBEDDED, SHARED, SPF):
            those = [one for one in figures if one.system == system and bool(one.each) is ends]
            rate = rates[system, ends] = median([one.rate for one in those])
            columns = [
                median([getattr(one, what) for one in those]) for what in ("service", "client", "others", "loop")
            ]
            costs[system, ends] = columns[0] + columns[2]
            numbers = f"{columns[0]:16.0f} {columns[1]:7.0f} {columns[2]:11.0f} {columns[3]:9.0f}"
            lines.append(f"{rate:10.0f} {numbers}   {_name(those[0])}\n")
    for system, bar in BARS.items():
        rate = rates[system, False]
        lines.append(f"{system}: {rate:.0f}/s, {against(rate, bar)}\n")
        for ends, how in ((False, "warm"), (True, "as Postfix' connections live")):
            times, cheaper = rates[system, ends] / rates[SPF, ends], costs[SPF, ends] / costs[system, ends]
            lines.append(
                f"  {how}: {times:.1f} x {SPF}, {against(times, TIMES)}; that one needs {cheaper:.1f} x the CPU\n"
            )
    return "".join(lines)


def against(value: float, bar: float) -> str:
    """Whether a figure reaches what is asked for, in words."""
    return f"at least {bar:g}: {'met' if value >= bar else 'MISSED'}"


def say(text: str) -> None:
    """Progress goes to standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a policy request costs, beside policyd-spf.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured, in turns")
    parser.add_argument("--count", type=int, default=10_000, help="requests of a pass over filterd")
    parser.add_argument("--connections", type=int, default=10, help="at the same time")
    parser.add_argument("--each", type=int, default=100, help="requests after which Postfix' connections end")
    parser.add_argument("--anew", action="store_true", help="no sender comes twice")
    parser.add_argument("--apart", action="store_true", help="the client on a core of its own")
    parser.add_argument("--json", type=Path, help="write every pass into this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
