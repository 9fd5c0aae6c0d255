"""Why a message got its verdict, in words: every point with its meaning, every result, what had no answer."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from filterd.mime.header import split
from filterd.model.custody import Evidence
from filterd.model.inspection import Inspection, InspectionJob
from filterd.model.verdict import Action, ScoredSymbol
from filterd.operations.scan_json import auth
from filterd.operations.turning import turning, words
from filterd.pipeline.body import Body
from filterd.pipeline.case import common_domain
from filterd.pipeline.greylisting import NOTE
from filterd.pipeline.parts import Inspect
from filterd.pipeline.shares import Share
from filterd.quarantine.marks import came_back
from filterd.score import ScoreRules

REASONS: Final = 12  # features that weighed most with the classifier: what a person reads
SECONDS: Final = 60.0  # an inspector may take for one message: nobody waits for a reply here
_REFUSALS: Final = {Action.GREYLIST: "4xx", Action.DEFER: "4xx", Action.REJECT: "5xx"}
_WIDTH: Final = 14  # columns of the words in front


@dataclass(frozen=True, slots=True)
class Scale:
    """What scores mean now: rules, thresholds in points by action, and the id of the configuration they stand in."""

    rules: ScoreRules
    thresholds: dict[str, float]
    config_id: str


def explain(evidence: Evidence, scale: Scale, shares: Sequence[Share] = ()) -> dict[str, Any]:
    """All of it as plain values. Descriptions are today's, points and results are those of the verdict.

    `shares` are what becomes of the message for whom, where recipients have different policies and that is known.
    """
    verdict = evidence.verdict
    answers = {answer.question: answer for answer in evidence.answers}
    found = {
        "id": evidence.id,
        "received": evidence.received,
        "client": evidence.client.address,
        "helo": evidence.helo,
        "sender": evidence.envelope.sender,
        "author": _author(evidence.inspection),
        "subject": evidence.inspection.subject if evidence.inspection else "",
        "recipients": [recipient.address for recipient in evidence.envelope.recipients],
        "held_for": list(evidence.held_for),
        "policy": verdict.policy,
        "shares": [
            {
                "policy": share.verdict.policy,
                "action": share.verdict.action.value,
                "code": share.verdict.code,
                "recipients": [one.address for one in share.recipients],
            }
            for share in shares
        ],
        "trust": evidence.trust,
        "action": verdict.action.value,
        "observed": None if verdict.observed is None else verdict.observed.value,
        "score": verdict.score,
        "reason": {"code": verdict.code, "text": verdict.text},
        "reply": None
        if verdict.reply is None
        else f"{verdict.reply.code} {verdict.reply.enhanced} {verdict.reply.text}",
        "told": _told(evidence),
        "unconfirmed": _unconfirmed(evidence),
        "greylist": evidence.state.get(NOTE),
        "came_back": next(came_back(evidence.state), None),
        "thresholds": dict(scale.thresholds),
        "symbols": [_symbol(one, scale.rules) for one in verdict.symbols],
        "auth": auth({report.check: report for report in evidence.reports}, verdict, answers.get),
        "classifier": _classifier(evidence.inspection),
        "checks": [
            {"name": one.check, "outcome": one.outcome.value, "cause": one.cause, "ms": one.ms}
            for one in evidence.reports
        ],
        "lookups": {
            "asked": len(evidence.answers),
            "unanswered": [
                {"name": one.question.name, "type": one.question.rtype.value, "cause": one.cause}
                for one in evidence.answers
                if one.failed
            ],
        },
        "config_id": evidence.config_id,
        "same_configuration": evidence.config_id == scale.config_id,
        "rules_id": evidence.rule_set,
    }
    return found | {"turning": turning(found)}


def _unconfirmed(evidence: Evidence) -> bool:
    """Whether the client may have heard something else than 250 after all: what is held for some goes on for others.

    A milter behind this one can still refuse it then. Nobody is asked after a message that is held for everybody.
    """
    return bool(evidence.held_for) and len(evidence.held_for) < len(evidence.envelope.recipients)


def _told(evidence: Evidence) -> str:
    """What the client has heard: our reply, or the MTA's own, which does not say what becomes of the message."""
    verdict = evidence.verdict
    if verdict.reply is not None:
        return f"{verdict.reply.code} {verdict.reply.enhanced} {verdict.reply.text}"
    if verdict.action in _REFUSALS:
        return f"{_REFUSALS[verdict.action]}, in words that were not recorded"
    number = f", queue id {evidence.queue_id}" if evidence.queue_id else ""
    held = "; not that it is held" if verdict.action is Action.QUARANTINE else ""
    unless = "; unconfirmed: a filter behind this one can have refused it later" if _unconfirmed(evidence) else ""
    return f"250, in the MTA's own words{number}{held}{unless}"


def _author(facts: Inspection | None) -> str:
    """The first mailbox of From, with the name that readers see; hostile."""
    if facts is None or not facts.author.mailboxes:
        return ""
    first = facts.author.mailboxes[0]
    address = f"{first.local_part}@{first.domain}"
    return f"{first.display} <{address}>" if first.display else address


def _classifier(facts: Inspection | None) -> dict[str, Any] | None:
    found = None if facts is None else facts.classified
    if found is None:
        return None
    return {
        "probability": round(found.probability, 4),
        "margin": round(found.margin, 3),
        "domain": round(found.layer, 3),
        "model": found.model,
        "spam": found.spam,
        "ham": found.ham,
        "reasons": list(found.reasons),
    }


def with_reasons(evidence: Evidence, inspect: Inspect, raw: bytes) -> Evidence:
    """The evidence with what the classifier, as it is now, goes by in that message.

    Where the classifier had no opinion then, or has none now, there are no reasons. InspectorFailure.
    """
    facts = evidence.inspection
    if facts is None or facts.classified is None:
        return evidence
    fields, offset = split(raw)
    domain = common_domain(evidence.envelope)
    with contextlib.closing(Body()) as body:
        body.append(raw[offset:])
        job = InspectionJob(evidence.id, fields, body.size, SECONDS, evidence.received, domain=domain, reasons=REASONS)
        now = inspect.inspect(job, body.fd, time.monotonic() + SECONDS + 1).classified
    reasons = () if now is None else now.reasons
    return replace(evidence, inspection=replace(facts, classified=replace(facts.classified, reasons=reasons)))


def _symbol(symbol: ScoredSymbol, rules: ScoreRules) -> dict[str, Any]:
    row = rules.symbols.get(symbol.finding.symbol)
    return {
        "name": symbol.finding.symbol,
        "score": round(symbol.weight, 3),
        "capped": round(symbol.capped, 3),
        "replaced": symbol.replaced,
        "check": symbol.check,
        "group": "" if row is None else row.group,
        "floor": None if row is None or row.floor is None else row.floor.value,
        "description": "" if row is None else row.description,
        "evidence": list(symbol.finding.evidence),
    }


def lines(explained: dict[str, Any]) -> Iterator[str]:
    """The same for a person. Texts are hostile: the caller makes them safe for a terminal."""
    yield from _head(explained)
    yield "symbols"
    for one in sorted(explained["symbols"], key=lambda symbol: -abs(symbol["score"])):
        yield from _points(one)
    if explained["turning"]:
        yield "what would have changed it"
        yield from (f"  {line}" for line in words(explained["turning"]))
    yield "authentication"
    yield from _authentication(explained["auth"])
    if (classifier := explained["classifier"]) is not None:
        yield from _opinion(classifier)
    yield "checks"
    for check in explained["checks"]:
        cause = f": {check['cause']}" if check["cause"] else ""
        yield f"  {check['name']:<{_WIDTH - 2}}{check['outcome']}{cause}  ({check['ms']:g} ms)"
    lookups = explained["lookups"]
    yield f"{'lookups':<{_WIDTH}}{lookups['asked']} answers used, {len(lookups['unanswered'])} questions unanswered"
    yield from (f"  {one['name']} {one['type']}: {one['cause']}" for one in lookups["unanswered"])


def _head(explained: dict[str, Any]) -> Iterator[str]:
    reason = explained["reason"]
    action = explained["action"]
    if explained["observed"]:
        action = f"{action} (observed only; would be {explained['observed']})"
    limits = ", ".join([f"{name} {points:g}" for name, points in explained["thresholds"].items()])
    rows = [
        ("message", explained["id"]),
        ("client", f"{explained['client'] or 'unknown'}  helo {explained['helo'] or '-'}  trust {explained['trust']}"),
        ("sender", explained["sender"] or "<>"),
        *_recipients(explained),
        *([("author", explained["author"])] if explained["author"] else []),
        *([("subject", explained["subject"])] if explained["subject"] else []),
        ("action", action),
        *([("policy", explained["policy"])] if explained["policy"] else []),
        ("reason", f"{reason['code']}: {reason['text']}"),
        ("score", f"{explained['score']:.2f} of {limits}"),
        *([("greylist", explained["greylist"])] if explained["greylist"] else []),
        *([("came back", explained["came_back"])] if explained["came_back"] else []),
        ("sender told", explained["told"]),
    ]
    yield from (f"{name:<{_WIDTH}}{text}" for name, text in rows)
    if not explained["same_configuration"]:
        yield f"{'':<{_WIDTH}}decided under configuration {explained['config_id']}, which is not the present one"


def _recipients(explained: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Who they are, and for whom the verdict is not, or what it is for them."""
    fates = {address: one for one in explained["shares"] for address in one["recipients"]}
    for address in explained["recipients"]:
        if (fate := fates.get(address)) is not None:
            policy = f", policy {fate['policy']}" if fate["policy"] else ""
            yield "recipient", f"{address}  {fate['action']} ({fate['code']}{policy})"
        elif explained["held_for"] and address not in explained["held_for"]:
            yield "recipient", f"{address}  (not held for this one; filterd trace says what became of it)"
        else:
            yield "recipient", address


def _points(symbol: dict[str, Any]) -> Iterator[str]:
    notes = []
    if symbol["capped"]:
        notes.append(f"{symbol['capped']:+g} cut by the cap of {symbol['group']}")
    if symbol["replaced"]:
        notes.append(f"counts as {symbol['replaced']}")
    if symbol["floor"]:
        notes.append(f"{symbol['floor']} at least")
    note = f"  ({', '.join(notes)})" if notes else ""
    yield f"  {symbol['score']:+7.2f}  {symbol['name']}  {symbol['description'] or symbol['check']}{note}"
    yield from (f"           {text}" for text in symbol["evidence"] if text)


def _opinion(found: dict[str, Any]) -> Iterator[str]:
    learnt = f"{found['spam']} spam and {found['ham']} ham messages"
    yield f"{'classifier':<{_WIDTH}}spam with probability {found['probability']:g}, by a model of {learnt}"
    yield from (f"  {line}" for line in found["reasons"])


def _authentication(found: dict[str, Any]) -> Iterator[str]:
    if (spf := found["spf"]) is not None:
        yield f"  {'spf':<{_WIDTH - 2}}{spf['result']} for {spf['domain'] or '-'} ({spf['scope']})"
    for one in found["dkim"]:
        why = f": {one['reason']}" if one["reason"] else ""
        key = f" {one['algorithm']}, {one['key_bits']} bits" if one["key_bits"] else ""
        yield f"  {'dkim':<{_WIDTH - 2}}{one['result']} for {one['domain'] or '-'}{key}{why}"
    if (dmarc := found["dmarc"]) is not None:
        yield from _dmarc(dmarc)
    if (arc := found["arc"]) is not None:
        yield f"  {'arc':<{_WIDTH - 2}}{arc['result']}, {arc['instance']} sets"


def _dmarc(dmarc: dict[str, Any]) -> Iterator[str]:
    asked = f", {dmarc['policy_domain']} asks for {dmarc['policy']}" if dmarc["policy_domain"] else ""
    yield f"  {'dmarc':<{_WIDTH - 2}}{dmarc['result']} for {dmarc['domain'] or '-'}{asked}"
    if dmarc["override"]:
        yield f"  {'':<{_WIDTH - 2}}{dmarc['disposition']} was applied by {dmarc['override']}: {dmarc['comment']}"
    if (old := dmarc["rfc7489"]) is not None:
        place = f" of {old['policy_domain']}" if old["policy_domain"] else ""
        yield f"  {'':<{_WIDTH - 2}}RFC 7489 would have said {old['result']} under policy {old['policy']}{place}"
