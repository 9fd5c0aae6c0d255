"""What is measured: warm rounds, a fresh daemon's first pass, names nobody asked before, a slow DNS at SMTP pace."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.messages import Message, build, zone
from tests.bench.passes import Batch, Bench, Figures, Load
from tests.bench.rspamd import RspamdTarget
from tests.bench.targets import FilterdTarget, NameServer, Target, write_zone
from tests.support.redis import RedisServer

SLOW: Final = 50  # milliseconds per DNS answer
PACE: Final = 0.3  # seconds between two SMTP commands
PACED: Final = 20  # messages of each paced case
PACED_VARIANT: Final = 60  # first of the variants that the paced cases use
TOGETHER: Final = 4  # paced sessions at once, evenly spread: they must not wait for each other
UNSIGNED: Final = "unsigned, no link"
FIRST: Final = "signed, no link, first contact"
REMEMBERED: Final = "signed, no link, selector remembered"
LINKS: Final = "signed, links, first contact"
BURST: Final = "signed, links, back to back"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int = 4
    count: int = 400
    levels: tuple[int, ...] = (1, 8, 32)
    paced: int = PACED
    peers: bool = False
    calm: float = 0.0


@dataclass(slots=True)
class Results:
    """All figures of a run, and memory by moment and system."""

    figures: list[Figures] = field(default_factory=list)
    memory: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def add(self, figures: Figures) -> None:
        """Keep one pass and say so."""
        self.figures.append(figures)
        say(
            f"{figures.system:16} {figures.case:36} c={figures.concurrency:<3} {figures.rate:7.0f}/s"
            f" {figures.total:6.2f} ms CPU   loop {figures.loop:4.0f} ms"
            + (f"   {len(figures.problems)} PROBLEMS" if figures.problems else "")
        )


def say(text: str) -> None:
    """Progress goes to standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything runs: folder, name servers, generator, the common message set."""

    folder: Path
    plan: Plan
    load: Load
    quick: NameServer
    slow: NameServer
    common: Batch

    def variant(self, number: int) -> Batch:
        """The same mail from senders nobody knows."""
        return Batch.store(self.folder / "variant.bin", build(count=self.plan.count, variant=number))


@contextmanager
def stage(folder: Path, plan: Plan) -> Iterator[Stage]:
    """Build messages and zone, start the name servers and the generator."""
    say("building messages")
    variants = [*range(1, plan.rounds * len(plan.levels) + 1), PACED_VARIANT]
    zone_file = write_zone(folder / "zone.toml", zone(variants, plan.count))
    common = Batch.store(folder / "common.bin", build(count=plan.count))
    with NameServer(folder, zone_file) as quick, NameServer(folder, zone_file, SLOW) as slow, Load() as load:
        yield Stage(folder, plan, load, quick, slow, common)


def rounds(on: Stage, results: Results) -> None:
    """Warm passes and names nobody asked before, all filters in turn, so that ratios hold while the machine drifts."""
    plan, bench = on.plan, Bench(on.load, on.quick, on.plan.calm)
    redis = RedisServer(on.folder)
    with ExitStack() as stack:
        redis.start()
        stack.callback(redis.kill)
        plain = FilterdTarget(on.folder / "warm", on.quick)
        shared = FilterdTarget(on.folder / "redis", on.quick, redis=redis.url, name="filterd, Redis")
        targets: list[Target] = [plain, shared]
        if plan.peers:
            say("starting rspamd (it compiles its expressions first)")
            targets.insert(1, RspamdTarget(on.folder / "rspamd", on.quick))
        for target in targets:
            stack.enter_context(target)
            results.memory[f"{target.name}, at rest"] = target.memory()
        for target in targets:
            results.add(bench.run(target, "warming up", on.common, on.common.everything, concurrency=8))
        variant = 0
        for turn in range(plan.rounds):
            for number in plan.levels:
                variant += 1
                _turn(on, bench, targets, results, number, turn, variant)
        for target in targets:
            results.memory[f"{target.name}, after load"] = target.memory()
        results.complaints += plain.complaints() + shared.complaints()


def _turn(  # one round at one concurrency
    on: Stage, bench: Bench, targets: Sequence[Target], results: Results, level: int, turn: int, variant: int
) -> None:
    order = list(targets) if turn % 2 == 0 else list(reversed(targets))
    for target in order:
        results.add(bench.run(target, "warm, all", on.common, on.common.everything, concurrency=level, turn=turn))
    if level == 1:
        return
    for target in order:
        results.add(bench.run(target, "warm, small", on.common, on.common.small, concurrency=level, turn=turn))
    fresh = on.variant(variant)
    for target in order:
        if target.name != "filterd, Redis":
            results.add(bench.run(target, "new names, all", fresh, fresh.everything, concurrency=level, turn=turn))


def cold(on: Stage, results: Results) -> None:
    """The first pass of a daemon that has just started with an empty state."""
    bench = Bench(on.load, on.quick, on.plan.calm)
    for level in on.plan.levels:
        target = FilterdTarget(on.folder / f"cold{level}", on.quick)
        with target:
            results.add(bench.run(target, "cold, all", on.common, on.common.everything, concurrency=level))
            results.complaints += target.complaints()


def paced(on: Stage, results: Results) -> None:
    """DNS of 50 ms, commands 300 ms apart, every name new: how long the client waits behind its final dot."""
    fresh = on.variant(PACED_VARIANT)
    makers: list[Callable[[], Target]] = [lambda: FilterdTarget(on.folder / "paced", on.slow)]
    if on.plan.peers:
        makers.append(lambda: RspamdTarget(on.folder / "rspamd-paced", on.slow))
    for make in makers:
        _paced(on, results, make, fresh)


def _paced(on: Stage, results: Results, make: Callable[[], Target], fresh: Batch) -> None:
    bench, most = Bench(on.load, on.slow, on.plan.calm), on.plan.paced
    warmers = on.common.small[: 2 * most]

    def run(target: Target, case: str, numbers: Sequence[int], pace: float = PACE) -> None:
        together = TOGETHER if pace else 1
        results.add(bench.run(target, case, fresh, numbers, concurrency=together, pace=pace))

    signed = chosen(fresh, lambda one: one.signed and not one.links, most)
    linked = chosen(fresh, lambda one: one.signed and one.links, 2 * most)
    with make() as target:
        bench.run(target, "warming up", on.common, warmers, concurrency=8)
        run(target, UNSIGNED, chosen(fresh, lambda one: not one.signed and not one.links, most))
        run(target, FIRST, signed)
        run(target, LINKS, linked[:most])
        run(target, BURST, linked[most:], 0.0)
    with make() as target:  # the cache of answers is empty again, what is remembered of senders is not
        bench.run(target, "warming up", on.common, warmers, concurrency=8)
        run(target, REMEMBERED, signed)


def chosen(batch: Batch, wanted: Callable[[Message], bool], most: int) -> tuple[int, ...]:
    """Numbers of small messages that verify and are wanted."""
    found = [one.number for one in batch.messages if wanted(one) and not one.attached and one.dkim != "fail"]
    return tuple(found[:most])
