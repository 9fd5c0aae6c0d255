"""What a soak has shown: each limit with what was found, and tables.

Memory is judged from `SETTLED` of the time on, that of fronts from `AGED` on: caches fill, heaps find their size. Up to
about four hours of such a stretch what is allowed is a size, from there on the slope (slopes.py). Runs below `SHORT`
say nothing about memory; they show that the soak works and that every message is accounted for.
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.soak.run import RELOADING, Outcome
from tests.soak.samples import Sample, Seen
from tests.soak.slopes import FLAT, HOUR, Line, allowed, fit, least_leak

SETTLED: Final = 0.15  # of the time, after which processes that live throughout are judged
# And what a reload replaces: fronts, nurseries, and inspectors, which are young as long as there are reloads.
AGED: Final = RELOADING + 0.25 * (1 - RELOADING)
COVERED: Final = 0.8  # of a stretch that a process must have lived to be judged by itself
SHORT: Final = 900.0  # seconds of a run below which memory, descriptors and threads are only shown
STORE: Final = 0.1  # megabytes from which on something kept is told of
SHOWN: Final = 5  # numbers of each fault


@dataclass(frozen=True, slots=True)
class Check:
    """One limit: what was found, what is allowed, and whether that holds."""

    name: str
    found: str
    limit: str
    good: bool


@dataclass(frozen=True, slots=True)
class Growth:
    """How one process, or the mean of the inspectors, grew."""

    role: str
    memory: Line
    pss: float
    descriptors: Line
    threads: Line


def growths(samples: Sequence[Sample], seconds: float) -> list[Growth]:
    """One for each process that lived long enough, and one for the inspectors together."""
    found = []
    by_pid: dict[int, list[tuple[float, Seen]]] = {}
    for sample in samples:
        for one in sample.processes:
            by_pid.setdefault(one.pid, []).append((sample.at, one))
    for seen in by_pid.values():
        role = seen[-1][1].role
        begin = (AGED if role in {"front", "nursery"} else SETTLED) * seconds
        points = [(at, one) for at, one in seen if begin <= at <= seconds]
        if role != "inspector" and points and points[-1][0] - points[0][0] >= COVERED * (seconds - begin):
            found.append(_growth(role, points))
    if means := list(_means(samples, "inspector", AGED * seconds, seconds)):
        found.append(_growth("inspectors, mean", means))
    return sorted(found, key=lambda one: one.role)


def _growth(role: str, points: Sequence[tuple[float, Seen]]) -> Growth:
    return Growth(
        role,
        fit([(at, one.rss) for at, one in points]),
        statistics.mean(one.pss for _, one in points),
        fit([(at, float(one.descriptors)) for at, one in points]),
        fit([(at, float(one.threads)) for at, one in points]),
    )


def _means(samples: Sequence[Sample], role: str, begin: float, end: float) -> Iterator[tuple[float, Seen]]:
    for sample in samples:
        seen = [one for one in sample.processes if one.role == role]
        if seen and begin <= sample.at <= end:
            rss, pss = (statistics.mean(values) for values in zip(*[(one.rss, one.pss) for one in seen], strict=True))
            files, threads = max(one.descriptors for one in seen), max(one.threads for one in seen)
            yield sample.at, Seen(0, role, rss, pss, files, threads)


def checks(outcome: Outcome) -> list[Check]:
    """Every limit."""
    ledger, log = outcome.ledger, outcome.log
    none = [
        ("messages lost, twice, altered, unfiltered", {k: v[:SHOWN] for k, v in ledger.faults.items()}),
        ("given up after 4xx again and again", ledger.given_up[:SHOWN]),
        ("connections broken", ledger.broken[:SHOWN]),
        ("crashes logged", log.crashes[:SHOWN]),
        ("faults of the soak's own", outcome.troubles[:SHOWN]),
        ("clients that did not end", outcome.stuck),
        ("sessions that did not end", outcome.sessions),
        ("messages left in the queue", outcome.queue),
        ("fronts, nurseries that died", log.events["front_died"] + log.events["nursery_died"]),
        ("reloads that failed", outcome.reloads - log.events["reloaded"]),
    ]
    found = [Check(name, str(value or "none"), "none", not value) for name, value in none]
    arrived = ledger.delivered + outcome.held
    found.append(
        Check(
            "accepted and unheard, delivered and held",
            f"{ledger.accepted} + {len(ledger.unheard)}, {arrived}",
            "as many",
            ledger.accepted <= arrived <= ledger.accepted + len(ledger.unheard),
        )
    )
    if outcome.plan.seconds >= SHORT:
        for one in growths(outcome.samples, outcome.plan.seconds):
            found += _steady(one)
    return found


def _steady(one: Growth) -> Iterator[Check]:
    seconds = one.memory.seconds
    limit = allowed(seconds)
    yield Check(
        f"{one.role}: memory",
        f"{one.memory.growth:+.2f} MB in {seconds / HOUR:.2f} h",
        f"{limit:.1f} MB",
        one.memory.growth <= limit,
    )
    for name, line in (("descriptors", one.descriptors), ("threads", one.threads)):
        yield Check(f"{one.role}: {name}", f"{line.growth:+.1f}", f"{FLAT:.0f}", line.growth <= FLAT)


def text(outcome: Outcome) -> str:
    """Tables, the limits last."""
    return "\n".join([*_mail(outcome), "", *_processes(outcome), "", *_course(outcome), "", *_limits(outcome), ""])


def _mail(outcome: Outcome) -> Iterator[str]:
    ledger, pace, plan = outcome.ledger, outcome.pace, outcome.plan
    recycled = len({one.pid for sample in outcome.samples for one in sample.processes if one.role == "inspector"})
    yield (
        f"{plan.hours:g} h at {plan.rate:g} messages a second (seed {plan.seed},"
        f" {'with' if plan.shared else 'without'} public mail): {pace.offered} offered, {pace.missed} left out because"
        f" the machine was behind; {pace.offered / plan.seconds:.1f} a second"
    )
    yield (
        f"{ledger.accepted} accepted: {ledger.delivered} delivered, {outcome.held} held, with some of"
        f" {len(ledger.unheard)} whose clients did not wait; {sum(ledger.refused.values())} refused;"
        f" {sum(ledger.deferred.values())} times 4xx"
    )
    yield f"refused: {dict(ledger.refused)}; deferred: {dict(ledger.deferred)}; verdicts: {dict(outcome.log.actions)}"
    yield (
        f"{outcome.reloads} reloads; {recycled} inspectors seen; {outcome.questions} questions on the wire; events:"
        f" {dict(outcome.log.events)}"
    )


def _processes(outcome: Outcome) -> Iterator[str]:
    yield f"{'process':20} {'RSS MB first':>12} {'last':>7} {'MB/h':>8} {'PSS':>7} {'descriptors':>12} {'threads':>10}"
    for one in growths(outcome.samples, outcome.plan.seconds):
        files, threads = (f"{line.first:.0f} - {line.last:.0f}" for line in (one.descriptors, one.threads))
        yield (
            f"{one.role:20} {one.memory.first:12.1f} {one.memory.last:7.1f} {one.memory.slope:8.2f} {one.pss:7.1f}"
            f" {files:>12} {threads:>10}"
        )
    fronts = [one for one in growths(outcome.samples, outcome.plan.seconds) if one.role == "front"]
    if fronts:
        share = outcome.ledger.accepted * fronts[0].memory.seconds / outcome.plan.seconds / len(fronts)
        least = least_leak(fronts[0].memory.seconds, share)
        yield f"a front that lost {least:,.0f} bytes with each message would be found"


def _course(outcome: Outcome) -> Iterator[str]:
    """In ten parts of the time: waits, the queue, what is kept."""
    names = sorted({name for one in outcome.samples for name, size in one.stores.items() if size >= STORE})
    yield f"{'part':>4} {'accepted':>9} {'wait ms p50':>12} {'p99':>8} {'max':>8} {'queue':>6}  MB of " + ", ".join(
        names
    )
    samples, before = outcome.samples, 0
    step = outcome.plan.seconds / 10
    for part in range(10):
        within = [one for one in samples if part * step <= one.at < (part + 1) * step]
        if not within:
            continue
        waits = sorted(wait * 1000 for one in within for wait in one.waits) or [0.0]
        at = [waits[min(len(waits) - 1, int(share * len(waits)))] for share in (0.5, 0.99, 1.0)]
        stores = ", ".join(f"{within[-1].stores.get(name, 0.0):.1f}" for name in names)
        queue = max(one.queue for one in within)
        count = within[-1].accepted - before
        yield f"{part + 1:4} {count:9} {at[0]:12.0f} {at[1]:8.0f} {at[2]:8.0f} {queue:6}  {stores}"
        before = within[-1].accepted


def _limits(outcome: Outcome) -> Iterator[str]:
    for one in checks(outcome):
        yield f"{'ok ' if one.good else 'BAD'} {one.name}: {one.found} (allowed: {one.limit})"
