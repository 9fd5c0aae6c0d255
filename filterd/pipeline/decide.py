"""From score and reports to one action with one reason. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from filterd.model.report import CheckReport, Outcome
from filterd.model.session import TrustClass
from filterd.model.verdict import Action, ScoredSymbol, SmtpReply, Verdict
from filterd.pipeline.reasons import BY_CHECK, Reason
from filterd.pipeline.results import result_of
from filterd.score import Score

_NAMED: Final = 3  # symbols named in a verdict's text: enough to see why, short enough for a line


@dataclass(frozen=True, slots=True)
class DecisionPolicy:
    """The operator's thresholds (points) and what an unknown means, by check and trust class.

    `on_unknown` has `inspector` for a reader of content that died or overran: defer (where absent) or quarantine.
    `on_result` is what a result leads to at least, by check, result word and trust class; nothing where absent.
    `crashed` is what a check that crashed leads to. `name` is the policy's, empty for the site's own. With `off`
    nothing counts but `laws`, the symbols and their actions that go for every message, and faults of ours.
    """

    reject: float
    quarantine: float
    add_header: float
    on_unknown: Mapping[str, Mapping[TrustClass, Action]]
    crashed: Action = Action.DEFER
    observe: bool = False
    on_result: Mapping[str, Mapping[str, Mapping[TrustClass, Action]]] = field(default_factory=dict)
    name: str = ""
    off: bool = False
    laws: Mapping[str, Action] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What decide looks at. `failure` says why there is no inspection; `hold` why it must be held unseen."""

    score: Score
    reports: Mapping[str, CheckReport]
    trust: TrustClass
    failure: str = ""
    hold: str = ""


@dataclass(frozen=True, slots=True)
class _Candidate:
    action: Action
    code: str
    text: str


def decide(facts: Facts, policy: DecisionPolicy, reply: Callable[[Action, str], SmtpReply | None]) -> Verdict:
    """The severest of what score, floors, results, unknowns and failures ask for; on a tie the first in that order.

    In observe-only mode the action is `accept` and `observed` says what it would have been.
    """
    if policy.off:
        candidates = [_Candidate(Action.ACCEPT, Reason.UNFILTERED, f"not filtered; score {facts.score.total:.1f}")]
        candidates += _by_law(facts, policy)
    else:
        candidates = [_by_score(facts.score, policy), *_by_floor(facts.score)]
        if policy.on_result:
            candidates += _by_result(facts, policy)
        candidates += _by_unknown(facts, policy)
    if facts.failure:
        action = policy.on_unknown.get("inspector", {}).get(facts.trust, Action.DEFER)
        candidates.append(_Candidate(action, Reason.INSPECTION_FAILED, facts.failure))
    if facts.hold:  # held unseen whatever else is known: another attempt would end the same way
        candidates = [_Candidate(Action.QUARANTINE, Reason.POISON, facts.hold)]
    best = max(candidates, key=lambda candidate: candidate.action.rank)
    score, symbols = round(facts.score.total, 2), facts.score.symbols
    if policy.observe and best.action is not Action.ACCEPT:
        return Verdict(Action.ACCEPT, best.code, best.text, score, symbols, None, best.action, policy.name)
    told = reply(best.action, best.code)
    return Verdict(best.action, best.code, best.text, score, symbols, told, policy=policy.name)


def _by_score(score: Score, policy: DecisionPolicy) -> _Candidate:
    for action, threshold in (
        (Action.REJECT, policy.reject),
        (Action.QUARANTINE, policy.quarantine),
        (Action.ADD_HEADER, policy.add_header),
    ):
        if score.total >= threshold:
            names = ", ".join([symbol.finding.symbol for symbol in _heaviest(score)])
            return _Candidate(action, _cause(score), f"score {score.total:.1f} of {threshold:g}: {names}")
    return _Candidate(Action.ACCEPT, Reason.CLEAN, f"score {score.total:.1f}")


def _heaviest(score: Score) -> list[ScoredSymbol]:
    return sorted(score.symbols, key=lambda symbol: -symbol.weight)[:_NAMED]


def _cause(score: Score) -> Reason:
    """What weighed most: the check whose symbols together brought the most points."""
    sums: dict[Reason, float] = {}
    for symbol in score.symbols:
        reason = BY_CHECK.get(symbol.check, Reason.SCORE)
        sums[reason] = sums.get(reason, 0.0) + symbol.weight
    return max(sums, key=lambda reason: sums[reason], default=Reason.SCORE)


def _by_floor(score: Score) -> list[_Candidate]:
    return [] if score.floor is None else [_asked(score.floor_symbol, score.floor)]


def _asked(symbol: str, action: Action) -> _Candidate:
    return _Candidate(action, symbol.lower().replace("_", "-"), f"{symbol} asks for {action} at least")


def _by_law(facts: Facts, policy: DecisionPolicy) -> list[_Candidate]:
    """What unfiltered mail is not spared: nobody gets what cannot be read whole, nor what we failed to look at."""
    symbols = [symbol.finding.symbol for symbol in facts.score.symbols]
    found = [_asked(symbol, policy.laws[symbol]) for symbol in symbols if symbol in policy.laws]
    return found + [_crash(report, policy) for report in facts.reports.values() if report.outcome is Outcome.CRASHED]


def _by_result(facts: Facts, policy: DecisionPolicy) -> list[_Candidate]:
    found = []
    for name, rows in policy.on_result.items():
        report = facts.reports.get(name)
        word = "" if report is None else result_of(report.auth_results)
        action = rows.get(word, {}).get(facts.trust)
        if action is not None:
            found.append(_Candidate(action, f"{name}-{word}", f"{name} is {word}: {action} is asked for"))
    return found


def _by_unknown(facts: Facts, policy: DecisionPolicy) -> list[_Candidate]:
    found = []
    for name, report in facts.reports.items():
        if report.outcome is Outcome.CRASHED:
            found.append(_crash(report, policy))
        elif report.outcome is Outcome.UNKNOWN and not facts.failure:
            action = policy.on_unknown.get(name, {}).get(facts.trust, Action.ACCEPT)
            if action is not Action.ACCEPT:
                found.append(_Candidate(action, f"{name}-unknown", f"{name} could not be checked: {report.cause}"))
    return found


def _crash(report: CheckReport, policy: DecisionPolicy) -> _Candidate:
    return _Candidate(policy.crashed, Reason.CHECK_CRASHED, f"{report.check} crashed: {report.cause}")
