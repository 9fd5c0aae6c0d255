"""One pass: a list of messages through one filter, and every figure about it."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Final, Self

import msgspec

from tests.bench import measure
from tests.bench.load import Done, Job, Sent
from tests.bench.messages import Message
from tests.bench.targets import NameServer, Target

ROOT: Final = Path(__file__).resolve().parents[2]
NUMBERS: Final = (
    *("rate", "eom_p50", "eom_p99", "whole_p50", "whole_p99", "dns_cpu", "generator_cpu"),
    *("asked", "wire", "edits", "loop"),
)
DELIVERED: Final = frozenset({"a", "c"})  # accept, continue: what every message of the set deserves


@dataclass(frozen=True, slots=True)
class Batch:
    """A message set on disk, where the generator reads it."""

    path: Path
    messages: tuple[Message, ...]

    @classmethod
    def store(cls, path: Path, messages: tuple[Message, ...]) -> Self:
        """Write it."""
        path.write_bytes(msgspec.msgpack.encode(messages))
        return cls(path, messages)

    @property
    def small(self) -> tuple[int, ...]:
        """Numbers of the messages without attachment."""
        return tuple(message.number for message in self.messages if not message.attached)

    @property
    def everything(self) -> tuple[int, ...]:
        """All numbers."""
        return tuple(range(len(self.messages)))


@dataclass(frozen=True, slots=True)
class Figures:
    """One pass. Times in milliseconds, CPU in milliseconds per message, questions per message."""

    system: str
    case: str
    concurrency: int
    round: int
    messages: int
    rate: float
    eom_p50: float
    eom_p99: float
    whole_p50: float
    whole_p99: float
    cpu: dict[str, float]
    dns_cpu: float
    generator_cpu: float
    asked: float
    wire: float
    edits: float
    loop: float
    problems: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        """CPU of the filter with all its processes."""
        return sum(self.cpu.values())


class Load:
    """The load generator's process."""

    def __enter__(self) -> Self:
        """Started."""
        argv = [sys.executable, "-m", "tests.bench.load"]
        self._process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, *problem: object) -> None:
        """Ended."""
        self._process.kill()
        self._process.communicate()

    def send(self, job: Job) -> Done:
        """Run a job. RuntimeError where the generator died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(job) + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator ended")
        return msgspec.json.decode(line, type=Done)


@dataclass(frozen=True, slots=True)
class Bench:
    """What every pass needs: the generator and the name server."""

    load: Load
    dns: NameServer
    calm: float = 0.0  # seconds that may be waited before a pass for the machine to be ours

    def run(  # keywords: the load
        self,
        target: Target,
        case: str,
        batch: Batch,
        numbers: Sequence[int],
        *,
        concurrency: int,
        pace: float = 0.0,
        turn: int = 0,
    ) -> Figures:
        """Send these messages to that filter."""
        job = Job(str(batch.path), target.address, tuple(numbers), concurrency, pace)
        measure.wait_for_calm(self.calm)
        loop = measure.calibration()
        asked, dns, before = target.questions(), self.dns.cpu(), target.cpu()
        done = self.load.send(job)
        after, dns, later = target.cpu(), self.dns.cpu() - dns, target.questions()
        count = len(done.sent)
        spent = {role: value * 1000 / count for role, value in measure.spent(before, after).items()}
        eom, whole = sorted(one.eom for one in done.sent), sorted(one.whole for one in done.sent)
        return Figures(
            target.name,
            case,
            concurrency,
            turn,
            count,
            count / done.seconds,
            quantile(eom, 0.5) * 1000,
            quantile(eom, 0.99) * 1000,
            quantile(whole, 0.5) * 1000,
            quantile(whole, 0.99) * 1000,
            {role: value for role, value in spent.items() if role != "metrics"},
            dns * 1000 / count,
            done.cpu * 1000 / count,
            (later.asked - asked.asked) / count,
            (later.wire - asked.wire) / count,
            sum(one.edits for one in done.sent) / count,
            loop,
            problems(done.sent, batch.messages),
        )


def problems(sent: Sequence[Sent], messages: Sequence[Message]) -> tuple[str, ...]:
    """What should not have happened, a line each: failures, messages not delivered, verdicts that are wrong."""
    found = []
    for one in sent:
        message = messages[one.number]
        if one.error:
            found.append(f"message {one.number}: {one.error}")
        elif one.verdict not in DELIVERED:
            found.append(f"message {one.number}: answered {one.verdict!r}, should be delivered")
        elif (one.spf, one.dkim or "none") != (message.spf, message.dkim):
            found.append(
                f"message {one.number}: spf={one.spf} dkim={one.dkim}, expected spf={message.spf} dkim={message.dkim}"
            )
    return tuple(found)


def quantile(values: Sequence[float], share: float) -> float:
    """Of sorted values."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def merged(figures: Sequence[Figures]) -> Figures:
    """Several rounds of the same pass as one: the median of each figure."""
    first = figures[0]
    roles: Mapping[str, float] = {role: 0.0 for one in figures for role in one.cpu}
    return replace(
        first,
        round=len(figures),
        messages=sum(one.messages for one in figures),
        cpu={role: median([one.cpu.get(role, 0.0) for one in figures]) for role in roles},
        problems=tuple(line for one in figures for line in one.problems),
        **{name: median([getattr(one, name) for one in figures]) for name in NUMBERS},
    )
