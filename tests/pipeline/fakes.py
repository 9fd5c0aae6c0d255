"""Parts of a front without a front: every interface of the pipeline with something beside it that tests can ask."""

import asyncio
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from random import Random
from threading import Event
from typing import Any

from filterd.checks.contract import View
from filterd.config import Replies as Texts
from filterd.dns.fake import FakeResolver
from filterd.dns.lookups import MAX_QUESTIONS, Lookups
from filterd.dns.loop import LoopThread
from filterd.inspectors import InspectorFailure, PoisonLedger
from filterd.model.custody import CustodyError, Evidence, JournalRow
from filterd.model.dns import Answer, Plan, Question, RRType
from filterd.model.inspection import Inspection, InspectionJob
from filterd.model.message import RawMessage
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.model.session import TrustClass
from filterd.model.verdict import Action
from filterd.pipeline.decide import DecisionPolicy
from filterd.pipeline.deferral import Deferrals
from filterd.pipeline.parts import Limits, Parts
from filterd.pipeline.policies import Policies
from filterd.pipeline.replies import Replies
from filterd.pipeline.schedule import Schedule
from filterd.pipeline.trust import TrustPolicy
from filterd.score import GroupRule, ScoreRules, SymbolRule
from filterd.store import MemoryStore

NOW = 1_700_000_000.0
US = "mx.filterd.test"
SCORES = ScoreRules(
    {
        "MILD": SymbolRule(2.0),
        "TAGGED": SymbolRule(7.0),
        "HELD": SymbolRule(11.0),
        "REFUSED": SymbolRule(20.0),
        "UNSCANNABLE_ARCHIVE": SymbolRule(1.0, floor=Action.QUARANTINE),
        "SPF_FAIL": SymbolRule(3.0, group="authentication"),
    },
    {"authentication": GroupRule(9.0)},
)
LIMITS = Limits()
POLICY = DecisionPolicy(reject=15.0, quarantine=10.0, add_header=6.0, on_unknown={})


@dataclass(frozen=True)
class FakeCheck:
    """A check that asks `rounds` of names, one round after the other, and then says what it was told to say."""

    name: str
    stage: Stage = Stage.EOM
    foresees: frozenset[Stage] = frozenset({Stage.CONNECT})
    needs: tuple[str, ...] = ()
    symbols: frozenset[str] = frozenset()
    rounds: tuple[tuple[str, ...], ...] = ()
    guesses: tuple[str, ...] = ()
    outcome: Outcome = Outcome.OK
    error: BaseException | None = None
    guess_error: Exception | None = None
    saw: list[tuple[str, Mapping[str, Outcome]]] = field(default_factory=list, compare=False)

    def foresee(self, _view: View, stage: Stage) -> Plan[None] | None:
        """Guess at CONNECT; an error there, or within the plan where there is something to ask."""
        if self.guess_error is not None and not self.guesses:
            raise self.guess_error
        return self._guess() if self.guesses and stage is Stage.CONNECT else None

    def run(self, view: View) -> Plan[CheckReport]:
        """Note what could be seen at the start, ask, report."""
        self.saw.append((view.envelope.sender, {name: report.outcome for name, report in view.reports.items()}))
        for names in self.rounds:
            yield tuple([Question(name, RRType.A) for name in names])
        if self.error is not None:
            raise self.error
        findings = tuple([Finding(symbol) for symbol in sorted(self.symbols)])
        return CheckReport(self.name, self.outcome, findings, cause="" if self.outcome is Outcome.OK else "told so")

    def _guess(self) -> Plan[None]:
        yield tuple([Question(name, RRType.A) for name in self.guesses])
        if self.guess_error is not None:
            raise self.guess_error


class Gate(FakeResolver):
    """Answers nothing before it is opened."""

    def __init__(self) -> None:
        """Closed."""
        super().__init__()
        self.opened = Future[None]()
        self.asked_once = Event()

    async def resolve(self, question: Question) -> Answer:
        """Wait in the loop without holding it up."""
        self.asked_once.set()
        await asyncio.shield(asyncio.wrap_future(self.opened))
        return self.lookup(question)

    def open(self) -> None:
        """Answer from now on, once more does nothing."""
        if not self.opened.done():
            self.opened.set_result(None)


class FakeInspectors:
    """Gives the same facts, or the same failure, to everybody; keeps the jobs with their deadlines."""

    def __init__(self, facts: Inspection | InspectorFailure | None = None) -> None:
        """No facts: an empty inspection."""
        self.facts = Inspection(rule_set="rules-1") if facts is None else facts
        self.jobs: list[tuple[InspectionJob, float]] = []
        self.meanwhile: Callable[[], None] = lambda: None  # what happens while a message is read

    def inspect(self, job: InspectionJob, body_fd: int, deadline: float) -> Inspection:
        """As the pool; the descriptor must be readable."""
        os.pread(body_fd, 1, 0)
        self.jobs.append((job, deadline))
        self.meanwhile()
        if isinstance(self.facts, InspectorFailure):
            raise self.facts
        return self.facts


class FakeCustodian:
    """Keeps evidence and raw bytes; with an `error` it keeps nothing."""

    def __init__(self, error: str = "") -> None:
        """Empty."""
        self.error = error
        self.held: list[tuple[Evidence, bytes]] = []

    def hold(self, evidence: Evidence, message: RawMessage) -> str:
        """As Quarantine.hold."""
        if self.error:
            raise CustodyError(self.error)
        raw = message.header_block() + os.pread(message.body_fd, message.body_size, 0)
        self.held.append((evidence, raw))
        return evidence.id


class FakeJournal:
    """Keeps the rows."""

    def __init__(self) -> None:
        """Empty."""
        self.rows: list[JournalRow] = []

    def record(self, row: JournalRow) -> None:
        """As Journal.record."""
        self.rows.append(row)


class FakeCounters:
    """Keeps every call as a tuple: name, arguments."""

    def __init__(self) -> None:
        """Nothing counted."""
        self.calls: list[tuple[Any, ...]] = []

    def message(self, action: str, _seconds: float) -> None:
        """Count a verdict."""
        self.calls.append(("message", action))

    def check(self, name: str, outcome: str) -> None:
        """Count a check."""
        self.calls.append(("check", name, outcome))

    def inspector_failed(self, kind: str) -> None:
        """Count a failure."""
        self.calls.append(("inspector_failed", kind))

    def custody_failed(self) -> None:
        """Count a message that could not be kept."""
        self.calls.append(("custody_failed",))

    def held_in_part(self) -> None:
        """Count a message that is held for some."""
        self.calls.append(("held_in_part",))

    def lookups(self, asked: int, wire: int) -> None:
        """Count questions."""
        self.calls.append(("lookups", asked, wire))

    def session(self, change: int) -> None:
        """Count a connection."""
        self.calls.append(("session", change))

    def callback_crashed(self) -> None:
        """Count a crash."""
        self.calls.append(("callback_crashed",))


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: float = 1_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@dataclass
class Front:
    """Everything a transaction works with, each part within a test's reach."""

    loop: LoopThread
    checks: tuple[FakeCheck, ...] = ()
    resolver: FakeResolver = field(default_factory=FakeResolver)
    inspectors: FakeInspectors = field(default_factory=FakeInspectors)
    custodian: FakeCustodian = field(default_factory=FakeCustodian)
    journal: FakeJournal = field(default_factory=FakeJournal)
    counters: FakeCounters = field(default_factory=FakeCounters)
    store: MemoryStore = field(default_factory=MemoryStore)
    trust: TrustPolicy = field(default_factory=lambda: TrustPolicy.of(["127.0.0.0/8"], ["192.0.2.0/28"], {}))
    policy: DecisionPolicy = POLICY
    policies: Policies | None = None
    limits: Limits = LIMITS
    epoch: Clock = field(default_factory=lambda: Clock(NOW))
    monotonic: Clock = field(default_factory=Clock)
    early: int = MAX_QUESTIONS  # questions before the end of a message
    random: Random = field(default_factory=lambda: Random(1))

    def lookups(self) -> Lookups:
        """The lookups of one message."""
        return Lookups(self.resolver, self.loop.loop, most=self.early)

    def parts(self) -> Parts:
        """As the composition root makes them."""
        return Parts(
            schedule=Schedule.of(self.checks),
            lookups=self.lookups,
            inspectors=self.inspectors,
            poison=PoisonLedger(self.store),
            deferrals=Deferrals(self.store),
            trust=self.trust,
            policy=self.policy,
            policies=self.policies,
            scores=SCORES,
            replies=Replies(Texts()),
            custodian=self.custodian,
            journal=self.journal,
            counters=self.counters,
            limits=self.limits,
            authserv_id=US,
            config_id="config-1",
            rules_id="scores-1",
            log_addresses="full",
            clock=self.epoch,
            monotonic=self.monotonic,
            randomness=self.random.randbytes,
        )

    def deciding(self, **changes: Any) -> "Front":
        """The same with a changed policy."""
        return replace(self, policy=replace(self.policy, **changes))


def everywhere(action: Action) -> Mapping[TrustClass, Action]:
    """One action for all trust classes."""
    return dict.fromkeys(TrustClass, action)


def reports_of(*reports: CheckReport) -> dict[str, CheckReport]:
    """Reports by the names of their checks."""
    return {report.check: report for report in reports}
