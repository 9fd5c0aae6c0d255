"""The soak itself: a site, mail at a steady rate, reloads at first, and a look at everything now and then.

Rules are changed and reloaded in the first part of the time; then fronts are left to grow old, for one that has been
replaced shows no slope. Inspectors are replaced all the time.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.soak.ledger import Ledger, Mailbox
from tests.soak.mix import Mix
from tests.soak.samples import LogReader, Sample, sampled
from tests.soak.senders import Pace, Senders
from tests.soak.slopes import HOUR
from tests.support.daemon import COMMAND, Filterd, Settings
from tests.support.process import wait_until
from tests.support.sink import Sink
from tests.support.stack import Stack

RULES: Final = Path(__file__).resolve().parents[2] / "rules"
RATE: Final = 10.0  # messages a second
WORKERS: Final = 2  # fronts, with two inspectors each
RECYCLE: Final = 200  # messages of an inspector's life: of 500 as shipped few would end in a short run
RELOADING: Final = 0.3  # the part of the time in which rules are reloaded
RELOADS: Final = 10  # then, if there is time
APART: Final = 8.0  # seconds between two at least: rules are compiled anew
SAMPLES: Final = 400  # in a run, if that is less often than one a second
SLOWEST: Final = 30.0  # seconds between two samples at most
LINES: Final = 40  # of progress in a run
ENDS_WITHIN: Final = 120.0  # seconds after the last message: clients that were refused, the queue, sessions
LOOK: Final = 0.1  # seconds between two looks at the clock
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run."""

    hours: float
    shared: Path | None = None
    rate: float = RATE
    seed: int = 1

    @property
    def seconds(self) -> float:
        """How long messages are sent."""
        return self.hours * HOUR


@dataclass(slots=True)
class Outcome:
    """What has been seen."""

    plan: Plan
    ledger: Ledger
    pace: Pace
    log: LogReader
    samples: list[Sample] = field(default_factory=list)
    reloads: int = 0
    questions: int = 0  # that reached the name server
    held: int = 0
    sessions: int = -1  # that are open when every client has gone
    queue: int = -1
    stuck: int = -1  # clients that did not come to an end
    troubles: list[str] = field(default_factory=list)


class Site(Stack):
    """A site whose mailbox keeps nothing and whose rules are its own."""

    def __init__(self, ledger: Ledger) -> None:
        """Nothing is started yet."""
        self._ledger = ledger
        super().__init__({"milter": {"workers": WORKERS}, "inspectors": {"recycle": RECYCLE}})

    def make_sink(self) -> Sink:
        """One that counts."""
        return Mailbox(self._ledger)

    def make_filterd(self, folder: Path, settings: Settings) -> Filterd:
        """With a copy of the rules, which every user may read."""
        rules = folder / "rules"
        shutil.copytree(RULES, rules)
        for path in (rules, *rules.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return super().make_filterd(folder, {**settings, "rules": {"path": str(rules)}})

    def reload(self, number: int) -> None:
        """Change a rule and have it read."""
        path = self.folder / "rules" / "yara" / "soak.yar"
        path.write_text(f"rule soak {{ condition: filesize == {1_000_000_000 + number} }}\n")
        self.filterd.process.signal(signal.SIGUSR1)

    def open_sessions(self) -> int:
        """As the fronts count them."""
        command = [*COMMAND, "status", "--json", "--config", str(self.filterd.config)]
        told = json.loads(subprocess.run(command, check=False, capture_output=True, text=True).stdout)
        return sum(int(front["sessions"]) for front in told["front_processes"])


class _Every:
    """Says when it is time again."""

    def __init__(self, seconds: float, first: float) -> None:
        self._seconds = seconds
        self._next = first

    def due(self, now: float) -> bool:
        """Whether it is; then not before another `seconds`."""
        if now < self._next:
            return False
        self._next = max(self._next + self._seconds, now)
        return True


def run(plan: Plan, say: Say) -> Outcome:
    """Run it and say now and then how it goes."""
    mix = Mix(plan.shared, plan.seed)
    ledger = Ledger()
    with Site(ledger) as site:
        pace = Pace(plan.rate, time.monotonic() + plan.seconds)
        outcome = Outcome(plan, ledger, pace, LogReader(site.filterd.log))
        senders = Senders(site.postfix.port, mix, ledger, pace)
        senders.start()
        _watch(site, outcome, senders, say)
        _end(site, outcome, senders)
    return outcome


def _watch(site: Site, outcome: Outcome, senders: Senders, say: Say) -> None:
    """Until the last client has gone, or has had its time."""
    seconds, began = outcome.plan.seconds, time.monotonic()
    sample = _Every(max(1.0, min(SLOWEST, seconds / SAMPLES)), 0.0)
    line = _Every(max(5.0, seconds / LINES), 5.0)
    apart = max(APART, seconds * RELOADING / RELOADS)
    reload = _Every(apart, apart / 2)
    while senders.at_work and (now := time.monotonic() - began) < seconds + ENDS_WITHIN:
        if sample.due(now):
            outcome.samples.append(sampled(site, began, outcome.ledger.accepted, outcome.ledger.take_waits()))
            outcome.log.read()
            outcome.questions += len(site.dns.asked)
            del site.dns.asked[:]  # it would grow for as long as the soak runs
        if now < seconds * RELOADING and reload.due(now):
            outcome.reloads += 1
            site.reload(outcome.reloads)
        if line.due(now):
            say(_progress(outcome, now))
        time.sleep(LOOK)


def _progress(outcome: Outcome, now: float) -> str:
    ledger, last = outcome.ledger, outcome.samples[-1]
    memory = {
        role: max((one.rss for one in last.processes if one.role == role), default=0.0)
        for role in ("supervisor", "front", "nursery", "inspector")
    }
    return (
        f"{now / HOUR:6.2f} h  {outcome.pace.offered} sent, {ledger.accepted} accepted, {ledger.delivered} delivered,"
        f" {sum(ledger.refused.values())} refused, {sum(ledger.deferred.values())} deferred; queue {last.queue};"
        f" {outcome.reloads} reloads; MB "
        + ", ".join(f"{role} {size:.1f}" for role, size in memory.items())
        + f"; load {os.getloadavg()[0]:.1f}"
    )


def _end(site: Site, outcome: Outcome, senders: Senders) -> None:
    """What is left when nobody sends any more, and where every message is."""
    outcome.stuck = senders.at_work
    outcome.troubles += [repr(error) for error in senders.troubles]
    try:
        site.postfix.wait_empty(ENDS_WITHIN)
        wait_until(lambda: site.open_sessions() == 0, "every session closed", ENDS_WITHIN)
    except RuntimeError as error:
        outcome.troubles.append(str(error))
    outcome.sessions, outcome.queue = site.open_sessions(), len(site.postfix.queue())
    outcome.held = outcome.ledger.settle(site)
    outcome.log.read()
