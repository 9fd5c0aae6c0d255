"""What reputation costs a message: CPU microseconds of one thread. python -m tests.bench.reputation_cost [FOLDER]."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from filterd.checks.reputation import ReputationCheck
from filterd.dns.plans import complete
from filterd.model.authentication import (
    DkimResult,
    DkimStatus,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.dns import Answer, AnswerStatus, Question
from filterd.model.inspection import Author, Inspection, Mailbox
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.model.session import Client, Envelope, Recipient, TrustClass
from filterd.model.verdict import Action, Verdict
from filterd.pipeline.lessons import learn
from filterd.reputation import Memory, Tally
from filterd.score import load_scores, score
from filterd.store import BatchStore, Breaker, GuardedStore, RedisStore, SelectorMemory, SqliteStore, WriteBehind
from tests.support.redis import redis_server

TURNS = 1_000
TOGETHER = 50  # messages whose lessons are written at once: a second of a busy front
RULES = load_scores(Path(__file__).resolve().parents[2] / "rules" / "scores.toml")
POLICY = SimpleNamespace(add_header=6.0)
BEFORE = 20  # messages of the known sender: enough for a good name, whose findings cost most


def nothing(question: Question) -> Answer:
    """No plan here asks."""
    return Answer(question, AnswerStatus.NXDOMAIN)


def transaction(number: int) -> Any:
    """An ordinary message of the sender with that number, at its end."""
    domain = f"sender{number}.com"

    def report(name: str, *symbols: str, results: tuple[Any, ...] = ()) -> CheckReport:
        return CheckReport(name, Outcome.OK, tuple(Finding(symbol) for symbol in symbols), results)

    spf = (
        SpfResult(SpfStatus.PASS, f"mx.{domain}", SpfScope.HELO),
        SpfResult(SpfStatus.PASS, domain, SpfScope.MAILFROM),
    )
    reports = [
        report("spf", "SPF_PASS", results=spf),
        report("dkim", "DKIM_PASS", "DKIM_NOT_OVERSIGNED", results=(DkimResult(DkimStatus.PASS, domain, "s1"),)),
        report("dmarc", "DMARC_PASS", results=(DmarcResult(DmarcStatus.PASS, domain),)),
        report("content", "HTML_ONLY"),
        *[report(name) for name in ("iprev", "dnsbl", "arc", "allow", "uribl", "yara")],
    ]
    return SimpleNamespace(
        trust=TrustClass.STRANGER,
        client=Client(f"11.{number >> 8 & 255}.{number & 255}.9"),
        now=time.time(),
        envelope=Envelope(f"anna@{domain}", (Recipient("bob@us.test", "<bob@us.test>"),)),
        inspection=Inspection(author=Author((Mailbox("anna", domain, "Anna"),))),
        reports={one.check: one for one in reports},
        parts=SimpleNamespace(scores=RULES, policy=POLICY),
    )


class Front:
    """What a front does with a message, as far as reputation goes."""

    def __init__(self, store: BatchStore) -> None:
        """With an empty memory."""
        self.tally = Tally(store, interval=3600, most=10**6)
        self.memory = Memory(store, self.tally, SelectorMemory(store, WriteBehind(store)))
        self.check = ReputationCheck(self.memory)

    def connect(self, message: Any) -> None:
        """Read about the network."""
        self.check.foresee(message, Stage.CONNECT)

    def mail(self, message: Any) -> None:
        """Read about the sender."""
        self.check.foresee(message, Stage.MAIL)

    def judge(self, message: Any) -> None:
        """Report."""
        message.reports["reputation"] = complete(self.check.run(message), nothing)

    def learn(self, message: Any) -> None:
        """Count, with the score that the pipeline has anyway."""
        learn(self.memory, message, message.score, Verdict(Action.ACCEPT, "clean", ""))

    def whole(self, message: Any) -> None:
        """All of it."""
        self.connect(message)
        self.mail(message)
        self.judge(message)
        message.score = score(list(message.reports.values()), RULES)
        self.learn(message)


def cost(name: str, call: Callable[[], object], turns: int = TURNS) -> None:
    """Print the best of five rounds: a shared machine only ever adds."""
    best = float("inf")
    for _ in range(5):
        started = time.thread_time()
        for _ in range(turns):
            call()
        best = min(best, (time.thread_time() - started) / turns * 1e6)
    sys.stdout.write(f"{name:34} {best:8.1f} us\n")


def measure(name: str, store: BatchStore) -> None:
    """A known sender stage by stage, then senders nobody has seen with the writing of what they teach."""
    front, known = Front(store), transaction(0)
    for _ in range(BEFORE):
        front.whole(known)
    for stage in (front.connect, front.mail, front.judge, front.learn):
        cost(f"{name} known, {stage.__name__}", lambda stage=stage: stage(known))  # type: ignore[misc]  # mypy cannot infer it
    front.tally.flush()
    strangers = enumerate([transaction(number) for number in range(1, TURNS * 5 + 1)])

    def stranger() -> None:
        number, message = next(strangers)
        front.whole(message)
        if number % TOGETHER == 0:
            front.tally.flush()

    cost(f"{name} unknown, all with writing", stranger)
    front.tally.close()
    store.close()


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else ".") as folder, redis_server() as server:
        measure("sqlite", GuardedStore(SqliteStore(Path(folder) / "state.sqlite"), Breaker()))
        measure("redis", GuardedStore(RedisStore(server.url), Breaker()))


if __name__ == "__main__":
    main()
