"""The wait behind the final dot as an SMTP client sees it, with a real Postfix in front: tests.bench's `--postfix`.

DNS takes 50 ms per answer, every name is new, commands come 300 ms apart. Beside each wait stand filterd's own part of
it, as its log line tells, and what the same Postfix takes for the same mail with no filter behind it.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.bench.messages import Message
from tests.bench.passes import Batch, Bench, quantile
from tests.bench.scenarios import (
    FIRST,
    LINKS,
    PACE,
    PACED_VARIANT,
    REMEMBERED,
    SLOW,
    TOGETHER,
    UNSIGNED,
    Stage,
    chosen,
    say,
)
from tests.bench.targets import FilterdTarget
from tests.support.postfix import Postfix
from tests.support.sink import Sink
from tests.support.smtp import Pose, SmtpClient, wire

ALLOWED: Final = 15.0  # milliseconds behind the final dot that nothing in the message makes longer
BARS: Final = {UNSIGNED: ALLOWED, REMEMBERED: ALLOWED, FIRST: SLOW + ALLOWED, LINKS: SLOW + ALLOWED}
ACCEPTED: Final = 250


@dataclass(frozen=True, slots=True)
class Wait:
    """One case; sorted milliseconds: what clients waited, filterd's part of it, and Postfix without a filter."""

    case: str
    client: tuple[float, ...]
    filterd: tuple[float, ...]
    bare: tuple[float, ...]
    problems: tuple[str, ...]

    @property
    def bar(self) -> float:
        """What the median may be."""
        return BARS[self.case]


def through_postfix(on: Stage) -> tuple[Wait, ...]:
    """All cases, each with messages of its own, so that no name was asked before."""
    fresh = on.variant(PACED_VARIANT)
    most = on.plan.paced
    signed = chosen(fresh, lambda one: one.signed and not one.links, most)
    unsigned = chosen(fresh, lambda one: not one.signed and not one.links, most)
    linked = chosen(fresh, lambda one: one.signed and one.links, most)
    target = FilterdTarget(on.folder / "behind-postfix", on.slow)
    with Sink() as sink, Postfix(on.folder / "postfix", sink_port=sink.port, milter=target.milter) as postfix:
        measure = partial(_measure, on, target, postfix, fresh)
        with target:
            _warm_up(on, target)
            first = [measure(UNSIGNED, unsigned), measure(FIRST, signed), measure(LINKS, linked)]
        with target:  # the cache of answers is empty again, what is remembered of senders is not
            _warm_up(on, target)
            return (*first, measure(REMEMBERED, signed))


def table(waits: Sequence[Wait]) -> str:
    """One line per case."""
    pauses = f"commands {PACE * 1000:.0f} ms apart"
    lines = [
        f"Wait behind the final dot through Postfix (ms), DNS {SLOW} ms, every name new, {pauses}",
        f"{'case':38} {'p50':>6} {'max':>6} {'bar':>4}          filterd p50    max   Postfix alone p50",
    ]
    for one in waits:
        median = quantile(one.client, 0.5)
        word = "met" if median <= one.bar else "MISSED"
        own = f"{quantile(one.filterd, 0.5):11.1f} {max(one.filterd, default=0):6.1f}"
        client = f"{median:6.1f} {max(one.client):6.1f} {one.bar:4.0f} {word:>6}"
        lines.append(f"{one.case:38} {client} {own} {quantile(one.bare, 0.5):19.1f}")
    return "\n".join(lines) + "\n"


def _warm_up(on: Stage, target: FilterdTarget) -> None:
    """Every process has seen mail before; none of it has anything to do with what is measured."""
    Bench(on.load, on.slow).run(target, "warming up", on.common, on.common.small[: 2 * on.plan.paced], concurrency=8)


def _measure(
    on: Stage, target: FilterdTarget, postfix: Postfix, batch: Batch, case: str, numbers: Sequence[int]
) -> Wait:
    """Send these through Postfix with filterd behind it, and then without."""
    messages = [batch.messages[number] for number in numbers]
    label = f"{case.replace(' ', '').replace(',', '-')}-"
    with ThreadPoolExecutor(TOGETHER) as pool:
        through = list(pool.map(partial(_send, postfix.port, label), messages, _starts(len(messages))))
        bare = list(pool.map(partial(_send, postfix.release_port, "bare-"), messages, _starts(len(messages))))
    spent = target.waits()
    own = [spent[_recipient(label, message)] for message in messages if _recipient(label, message) in spent]
    problems = [f"{case}: {problem}" for _, problem in (*through, *bare) if problem]
    if len(own) != len(messages):
        problems.append(f"{case}: {len(messages) - len(own)} messages without a line in the log")
    client, alone = sorted(ms for ms, _ in through), sorted(ms for ms, _ in bare)
    wait = Wait(case, tuple(client), tuple(sorted(own)), tuple(alone), tuple(problems))
    say(f"through Postfix: {case:38} {quantile(wait.client, 0.5):6.1f} ms ({on.plan.paced} messages)")
    return wait


def _starts(count: int) -> list[float]:
    """Sessions that run together begin evenly spread over one pause: they must not wait for each other."""
    return [PACE * number / TOGETHER if number < TOGETHER else 0.0 for number in range(count)]


def _send(port: int, label: str, message: Message, start: float) -> tuple[float, str]:
    """One session with one message: milliseconds from its content to the reply, and what was wrong ("": nothing)."""
    time.sleep(start)
    pose = Pose(message.client, message.host, message.host)
    with SmtpClient(port, helo=message.host) as client:
        for command in (
            *(f"XCLIENT {pose.arguments()}", f"EHLO {message.host}"),
            *(f"MAIL FROM:<{message.sender}>", f"RCPT TO:<{_recipient(label, message)}>", "DATA"),
        ):
            time.sleep(PACE)
            answer = client.command(command)
            if answer.code >= 400:
                return 0.0, f"{command}: {answer}"
        content = wire(message.raw)
        time.sleep(PACE)
        began = time.perf_counter()
        client.send(content)
        answer = client.reply()
        return (time.perf_counter() - began) * 1000, "" if answer.code == ACCEPTED else str(answer)


def _recipient(label: str, message: Message) -> str:
    """An address that no other message has: by it the log line is found."""
    return f"{label}{message.number}@local.test"
