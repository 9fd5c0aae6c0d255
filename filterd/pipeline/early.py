"""What is said about a recipient before the content is there, whichever way the MTA asks: policy service or milter."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final, Protocol

import structlog

from filterd.checks.contract import Check, View
from filterd.checks.reputation import network_findings
from filterd.domains import hello
from filterd.model.early import GATE_SECONDS, PASS, EarlyFacts, EarlyGate, GateAnswer
from filterd.model.identity import Identities, Proved
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.model.session import Client, TrustClass
from filterd.model.verdict import Action, ScoredSymbol, SmtpReply, Verdict
from filterd.pipeline.reasons import BY_CHECK, Reason
from filterd.reputation import Memory
from filterd.score import Score, ScoreRules, score
from filterd.score.composites import Composites
from filterd.telemetry.events import Event

HELO: Final = frozenset({"HELO_BARE_ADDRESS", "HELO_UNQUALIFIED", "HELO_FALSE_ADDRESS"})
SPF: Final = "spf"
_MAX_EVIDENCE: Final = 200  # characters
_NAMED: Final = 3  # symbols named in a verdict's text
_STAGES: Final = frozenset({Stage.CONNECT, Stage.HELO, Stage.MAIL, Stage.RCPT})
# RFC 7372 3.2 and 3.3 have codes of their own for these.
_CODES: Final = {
    "SPF_FAIL": "spf-fail",
    "SPF_HELO_FAIL": "spf-fail",
    "SPF_SOFTFAIL": "spf-softfail",
    "SPF_PERMERROR": "spf-permerror",
    "IPREV_FAIL": "iprev-fail",
    "IPREV_NONE": "iprev-fail",
}
_log = structlog.get_logger()


class EarlyCounters(Protocol):
    """Where what was said early is counted."""

    def recipient(self, by: str, action: str) -> None:
        """Count a recipient that was judged; `by` is policy or milter."""

    def gate_failed(self, kind: str) -> None:
        """Count a gate that gave no answer: late, busy or crashed."""


@dataclass(frozen=True, slots=True)
class EarlyPolicy:
    """What the operator wants refused before its content is seen: by symbol, and by the score of the early checks.

    `spared` are local parts that are only ever judged with their content (RFC 5321, section 4.5.1: postmaster).
    """

    reject: frozenset[str] = frozenset()
    defer: frozenset[str] = frozenset()
    reject_score: float = inf
    defer_score: float = inf
    spared: frozenset[str] = frozenset()
    observe: bool = False

    @property
    def idle(self) -> bool:
        """Whether nothing that checks find is refused."""
        return not (self.reject or self.defer) and min(self.reject_score, self.defer_score) == inf


@dataclass(frozen=True, slots=True)
class EarlyCase:
    """One message before its content, for all its recipients. `allowed` is the entry of `[trust] allow` it is of."""

    id: str
    now: float
    client: Client
    helo: str
    sender: str
    user: str
    trust: TrustClass
    reports: Mapping[str, CheckReport]
    score: Score
    allowed: str = ""

    def again(self, identifier: str, now: float, client: Client, sender: str) -> "EarlyCase":
        """The same of another message; `client` may differ in its port, `sender` in its local part."""
        return EarlyCase(
            identifier,
            now,
            client,
            self.helo,
            sender,
            self.user,
            self.trust,
            self.reports,
            self.score,
            self.allowed,
        )


@dataclass(frozen=True, slots=True)
class Hearing:
    """One recipient under judgement, and what gates have said of it: none is asked twice."""

    case: EarlyCase
    facts: EarlyFacts
    said: dict[str, GateAnswer] = field(default_factory=dict)

    @classmethod
    def of(cls, case: EarlyCase, recipient: str, *, earlier: int = 0, stress: bool = False) -> "Hearing":
        """Before anybody has said anything; `earlier` and `stress` as in EarlyFacts."""
        facts = EarlyFacts(
            case.id,
            case.now,
            case.client,
            case.helo,
            case.sender,
            recipient,
            case.user,
            case.trust,
            case.score.total,
            case.reports,
            earlier,
            stress,
        )
        return cls(case, facts)


def early_checks(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Those that need no content. None of them guesses: what comes later is the milter's to ask for."""
    return tuple([check for check in checks if check.stage in _STAGES])


def early_symbols(checks: Iterable[Check]) -> frozenset[str]:
    """Every symbol that is known before the content."""
    named = frozenset[str]().union(*[check.symbols for check in early_checks(checks)])
    return named | HELO | {f"REPUTATION_NETWORK_{level}" for level in ("GOOD", "POOR", "BAD")}


class Early:
    """Judges recipients. One for each front; thread-safe."""

    def __init__(  # noqa: PLR0913  # what it judges by, and whom it asks
        self,
        policy: EarlyPolicy,
        scores: ScoreRules,
        reply: Callable[[Action, str, str], SmtpReply | None],
        counters: EarlyCounters,
        *,
        awaited: frozenset[str] = frozenset(),
        gates: Sequence[EarlyGate] = (),
        allow: Identities | None = None,
        memory: Memory | None = None,
        exempt: Callable[[str], bool] = lambda _recipient: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`awaited` names the early checks.

        `exempt` says which recipients are only judged with their content, beside those of the policy.
        """
        self.counters = counters
        self.awaited = awaited
        self._policy = policy
        # A composite may hold because something is absent that the content would bring: none is asked here.
        self._scores = replace(scores, composites=Composites())
        self._reply = reply
        self._ahead = tuple([gate for gate in gates if gate.ahead])
        self._behind = tuple([gate for gate in gates if not gate.ahead])
        self._allow = allow or Identities()
        self._memory = memory
        self._exempt = exempt
        self._clock = clock

    @property
    def idle(self) -> bool:
        """Whether no recipient can be refused: nothing is configured that would."""
        return self._policy.idle and not self._ahead and not self._behind

    @property
    def blocking(self) -> bool:
        """Whether `case` and `judge` may wait for the store."""
        return bool(self._ahead or self._behind) or self._memory is not None

    def at_hand(self, view: View) -> bool:
        """Whether `case` waits for nothing."""
        return (
            self._memory is None or view.trust is not TrustClass.STRANGER or self._memory.at_hand(view.client.address)
        )

    def case(self, view: View, user: str = "") -> EarlyCase:
        """What is known by now; checks that are not done are not in it."""
        client, sender = view.client, view.envelope.sender
        # By name, not as answers came: of two reasons to refuse, the same one is told whoever asks, and every time.
        done = sorted(view.reports.items())
        reports = {name: report for name, report in done if report.outcome is not Outcome.SKIPPED}
        if view.trust is TrustClass.STRANGER:
            for report in (_hello(view.helo, client.address), self._standing(client.address, view.now)):
                if report.findings:
                    reports[report.check] = report
        # The null sender's SPF is that of the HELO name: bounces of a host whose admin forgot that are wanted.
        counted = [report for name, report in reports.items() if sender or name != SPF]
        allowed = self._allowed(reports, client.address) if self._allow else ""
        found = score(counted, self._scores)
        return EarlyCase(view.id, view.now, client, view.helo, sender, user, view.trust, reports, found, allowed)

    def judge(
        self, case: EarlyCase, recipient: str, identifier: str, *, earlier: int = 0, stress: bool = False
    ) -> Verdict:
        """What the client is told about this recipient; `identifier` is what names this answer to people."""
        return self.judge_on(Hearing.of(case, recipient, earlier=earlier, stress=stress), identifier)

    def judge_on(self, hearing: Hearing, identifier: str) -> Verdict:
        """The same, from where `at_once` had to stop."""
        until = self._clock() + GATE_SECONDS
        said = self._hear(hearing, until)
        assert said is not None  # noqa: S101  # who may wait has an answer
        return self._verdict(hearing.case, said, identifier)

    def at_once(self, hearing: Hearing, identifier: str) -> Verdict | None:
        """The same where no gate has to wait; None where one has: then `judge_on` goes on, in a thread that may."""
        said = self._hear(hearing, None)
        return None if said is None else self._verdict(hearing.case, said, identifier)

    def _hear(self, hearing: Hearing, until: float | None) -> GateAnswer | None:
        case, recipient = hearing.case, hearing.facts.recipient
        said = self._ask(self._ahead, hearing, until)
        if said is PASS and case.allowed:
            said = GateAnswer(text=f"{case.allowed} is allowed", settled=True)
        if said is PASS and not self.spares(recipient):
            said = by_checks(case, self._policy)
        return self._ask(self._behind, hearing, until) if said is PASS else said

    def by_checks(self, case: EarlyCase, recipient: str, identifier: str, *, spared: bool = False) -> Verdict:
        """The same where no gate is asked; for a message as a whole where no recipient is named.

        `spared` says that one of its recipients is judged with the content only: then so is the message.
        """
        spared = bool(case.allowed) or spared or (recipient != "" and self.spares(recipient))
        return self._verdict(case, PASS if spared else by_checks(case, self._policy), identifier)

    def spares(self, recipient: str) -> bool:
        """Whether the checks' findings refuse nothing to this recipient before the content is seen."""
        return recipient.rpartition("@")[0].lower() in self._policy.spared or self._exempt(recipient)

    def _ask(self, gates: Sequence[EarlyGate], hearing: Hearing, until: float | None) -> GateAnswer | None:
        """What the first of them says that does not pass; without `until` None where one would have to wait."""
        for gate in gates:
            said = hearing.said.get(gate.name)
            if said is None:
                if until is not None and self._clock() > until:
                    self.counters.gate_failed("late")
                    return PASS
                said = self._answer(gate, hearing.facts, wait=until is not None)
                if said is None:
                    return None
                hearing.said[gate.name] = said
            if said.settled or said.action is not Action.ACCEPT:
                return said
        return PASS

    def _answer(self, gate: EarlyGate, facts: EarlyFacts, *, wait: bool) -> GateAnswer | None:
        try:
            return gate.ask(facts) if wait else gate.at_once(facts)
        except Exception:  # noqa: BLE001  # the named border of a gate: mail goes on without it
            self.counters.gate_failed("crashed")
            _log.exception(Event.CHECK_CRASHED, check=gate.name, id=facts.id)
            return PASS

    def _verdict(self, case: EarlyCase, said: GateAnswer, identifier: str) -> Verdict:
        total, symbols = round(case.score.total, 2), case.score.symbols
        code = said.code or Reason.CLEAN
        if said.action is Action.ACCEPT or self._policy.observe:
            observed = None if said.action is Action.ACCEPT else said.action
            return Verdict(Action.ACCEPT, code, said.text, total, symbols, None, observed)
        return Verdict(said.action, code, said.text, total, symbols, self._reply(said.action, code, identifier))

    def _allowed(self, reports: Mapping[str, CheckReport], address: str) -> str:
        results = reports[SPF].auth_results if SPF in reports else ()
        entry = self._allow.match(Proved.of(results, address))
        return "" if entry is None else str(entry)

    def _standing(self, address: str, now: float) -> CheckReport:
        findings = () if self._memory is None else network_findings(self._memory, address, now)
        return CheckReport("reputation", Outcome.OK, findings)


def by_checks(case: EarlyCase, policy: EarlyPolicy) -> GateAnswer:
    """What the early checks' findings lead to. Pure. Only strangers' mail is refused by what checks find.

    An operator's symbol comes before the score, and what is refused for good before what may come again.
    """
    if case.trust is not TrustClass.STRANGER:
        return PASS
    symbols, total = case.score.symbols, case.score.total
    for action, wanted in ((Action.REJECT, policy.reject), (Action.DEFER, policy.defer)):
        for symbol in symbols:
            if symbol.finding.symbol in wanted:
                return GateAnswer(action, _code(symbol), f"{symbol.finding.symbol}: {_evidence(symbol)}")
    for action, threshold in ((Action.REJECT, policy.reject_score), (Action.DEFER, policy.defer_score)):
        if total >= threshold:
            heavy = sorted(symbols, key=lambda symbol: -symbol.weight)[:_NAMED]
            names = ", ".join([symbol.finding.symbol for symbol in heavy])
            code = _code(heavy[0]) if heavy else str(Reason.SCORE)
            return GateAnswer(action, code, f"early score {total:.1f} of {threshold:g}: {names}")
    return PASS


def _code(symbol: ScoredSymbol) -> str:
    return _CODES.get(symbol.finding.symbol) or str(BY_CHECK.get(symbol.check, Reason.SCORE))


def _evidence(symbol: ScoredSymbol) -> str:
    return ", ".join(symbol.finding.evidence)[:_MAX_EVIDENCE]


def _hello(helo: str, address: str) -> CheckReport:
    """What the client's name for itself says; the content's check finds the same later."""
    found = (
        ("HELO_BARE_ADDRESS", hello.bare_address(helo)),
        ("HELO_UNQUALIFIED", hello.unqualified(helo)),
        ("HELO_FALSE_ADDRESS", hello.false_address(helo, address)),
    )
    findings = [
        Finding(symbol, tuple([text[:_MAX_EVIDENCE] for text in evidence]))
        for symbol, evidence in found
        if evidence is not None
    ]
    return CheckReport("content", Outcome.OK, tuple(findings))
