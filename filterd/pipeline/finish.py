"""End of message: inspect, wait, score, decide, keep, and say what to change. Blocks, within one deadline."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from filterd.inspectors import InspectorBusy, InspectorDied, InspectorFailure, InspectorTimeout
from filterd.model.authentication import SpfResult
from filterd.model.custody import CustodyError
from filterd.model.inspection import Inspection, InspectionJob
from filterd.model.message import RawMessage
from filterd.model.report import Stage
from filterd.model.scanning import Scanned
from filterd.model.verdict import Action, Edit, InsertHeader, Verdict
from filterd.pipeline import aggregate
from filterd.pipeline.admission import admitted, not_again, token_edits
from filterd.pipeline.body import Body
from filterd.pipeline.case import Case, common_domain
from filterd.pipeline.decide import Facts, decide
from filterd.pipeline.digest import identify
from filterd.pipeline.edits import added, edits, removed, traced, unflagged
from filterd.pipeline.greylisting import come_again
from filterd.pipeline.hold import PLACE, hold_reason, in_hold_queue
from filterd.pipeline.lessons import learn
from filterd.pipeline.notes import DEFERRED, POISON, note_failure, note_job, note_suspended
from filterd.pipeline.reasons import Reason
from filterd.pipeline.records import evidence_of, journal_row, log_message
from filterd.pipeline.shares import DELIVERED, Share, by_policy, changed, combined, whole
from filterd.pipeline.transaction import Transaction
from filterd.score import Score, score, settle
from filterd.telemetry.events import Event

STRIKES: Final = 2  # inspectors a message may end before it is held unread
MARGIN: Final = 2.0  # seconds kept back at the end for custody and the reply
_KINDS: Final = {InspectorBusy: "busy", InspectorDied: "died", InspectorTimeout: "overran"}
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict and the edits to make, in order. `edits` is empty where the message is not delivered now.

    `shares` say what becomes of it for whom, where recipients have different policies; else it is one, of all. `hold`
    is what the MTA is told where it is to hold the message itself; empty where it is not.
    """

    verdict: Verdict
    edits: tuple[Edit, ...]
    shares: tuple[Share, ...] = ()
    hold: str = ""


@dataclass(slots=True)
class _End:
    """One message at its end: what it is, when it must be over, and where its time went."""

    transaction: Transaction
    message: RawMessage
    digest: str
    started: float
    deadline: float
    stages: dict[str, float] = field(default_factory=dict)  # milliseconds
    score: Score | None = None  # once it is known
    lesson: tuple[bytes, bytes] = (b"", b"")  # digest and features, where the message may be learnt
    _since: float = 0.0

    def lap(self, stage: str) -> None:
        """Book the time since the last lap."""
        now = self.transaction.parts.monotonic()
        self.stages[stage] = (now - (self._since or self.started)) * 1000
        self._since = now


def finish(transaction: Transaction) -> Decision:
    """Decide what becomes of the message. Never raises for what a message holds; the caller still guards."""
    parts = transaction.parts
    started = parts.monotonic()
    if transaction.body is None:
        transaction.body = Body()
    message = RawMessage(tuple(transaction.fields), transaction.body.fd, transaction.body.size)
    digest, transaction.size = identify(message)
    end = _End(transaction, message, digest, started, started + parts.limits.deadline)
    if (known := admitted(transaction, message)) is not None:
        return _given_back(end, known)
    scanned = _scanned(end)
    failure, hold = _inspect(end)
    end.lap("inspect")
    if scanned:
        transaction.scanned = {name: wait() for name, wait in scanned.items()}
        end.lap("scanners")
    transaction.lookups.budget(parts.limits.questions, parts.limits.dns_wait)
    transaction.runner.reach(Stage.EOM)
    reports = transaction.runner.wait(min(parts.limits.dns_wait, end.deadline - MARGIN - parts.monotonic()))
    end.lap("lookups")
    hits = transaction.inspection.hits if transaction.inspection else ()
    end.score = score(list(reports.values()), parts.scores, hits)
    facts = Facts(end.score, reports, transaction.trust, failure, hold)
    verdict, shares = _keep(end, come_again(transaction, _decided(end, facts)))
    end.lap("decide")
    return _conclude(end, verdict, shares)


def _given_back(end: _End, verdict: Verdict) -> Decision:
    """A message that comes back from the quarantine: as it was handed over, and nobody learns from it."""
    transaction, parts = end.transaction, end.transaction.parts
    shares = (Share(transaction.id, transaction.envelope.recipients, verdict),)
    seconds = parts.monotonic() - end.started
    _trace(end, verdict, shares, seconds)
    parts.counters.message(verdict.action.value, seconds)
    changes = token_edits(end.message.fields, parts.authserv_id) if verdict.action in DELIVERED else ()
    return Decision(verdict, changes, shares)


def _decided(end: _End, facts: Facts) -> tuple[Share, ...]:
    """From the same results, what each policy makes of them."""
    transaction, parts = end.transaction, end.transaction.parts
    found = []
    for policy, recipients in by_policy(transaction.envelope.recipients, parts.policies):
        known = facts
        if policy is not None and policy.scores is not parts.scores:
            hits = transaction.inspection.hits if transaction.inspection else ()
            known = replace(facts, score=score(list(facts.reports.values()), policy.scores, hits))
        rules = parts.policy if policy is None else policy.decision
        verdict = decide(known, rules, lambda action, code: parts.replies.reply(action, code, transaction.id))
        found.append(Share(transaction.id, recipients, not_again(transaction, verdict)))
    return tuple(found)


def _scanned(end: _End) -> dict[str, Callable[[], Scanned]]:
    """Have the scanners of other makes scan the message meanwhile, those that are for this client."""
    transaction, parts = end.transaction, end.transaction.parts
    skipped = parts.trust.skipped(transaction.trust)
    asked = {name: scanner for name, scanner in parts.scanners.items() if name not in skipped}
    return {name: scanner.begin(end.message, end.deadline - MARGIN) for name, scanner in asked.items()}


def _inspect(end: _End) -> tuple[str, str]:
    """Have the content read; give back why that failed and why the message must be held unread, both usually empty."""
    transaction, parts = end.transaction, end.transaction.parts
    strikes = parts.poison.strikes(end.digest)
    if strikes:
        transaction.state[POISON] = str(strikes)
    if strikes >= STRIKES:
        _log.warning(Event.POISON, id=transaction.id, strikes=strikes)
        return "", f"{strikes} inspectors died on this message"
    job = InspectionJob(
        id=transaction.id,
        fields=end.message.fields,
        body_size=end.message.body_size,
        seconds=min(parts.limits.inspection, end.deadline - MARGIN - parts.monotonic()),
        now=transaction.now,
        client_address=transaction.client.address,
        sender=_encodable(transaction.envelope.sender),
        helo=_encodable(transaction.helo),
        trust=transaction.trust.value,
        spf=_spf(transaction),
        excused=parts.rules.excused() if parts.rules is not None else (),
        first_contact=_first_contact(transaction),
        features=parts.autolearn is not None,
        domain=common_domain(transaction.envelope),
        reasons=parts.reasons,
    )
    note_job(transaction.state, job)
    try:
        facts = parts.inspectors.inspect(job, end.message.body_fd, end.deadline - MARGIN)
        suspended = parts.rules.suspended(facts) if parts.rules is not None else {}
        note_suspended(transaction.state, suspended)
        end.lesson = (facts.digest, facts.features)
        facts = replace(facts, digest=b"", features=b"") if facts.features else facts  # of no use to anybody else
        transaction.inspection = settle(facts, transaction.now, suspended)
    except InspectorFailure as error:
        return _failed(end, error)
    return "", ""


def _spf(transaction: Transaction) -> str:
    """The result for MAIL FROM where it is known already: rules do not wait for it."""
    report = transaction.reports.get("spf")
    results = [result.status.value for result in report.auth_results if isinstance(result, SpfResult)] if report else []
    return results[-1] if results else "unknown"


def _first_contact(transaction: Transaction) -> str:
    """What was read of the envelope sender at MAIL; nothing is asked for it now."""
    memory = transaction.parts.memory
    new = None if memory is None else memory.first_contact(transaction.envelope.sender, transaction.now)
    return "unknown" if new is None else str(new).lower()


def _encodable(text: str) -> str:
    """The text without lone surrogates, which is how undecodable bytes of an address arrive."""
    return text.encode("utf-8", "replace").decode()


def _failed(end: _End, error: InspectorFailure) -> tuple[str, str]:
    """Count an inspection that failed; our own overload says nothing about the message and is no strike."""
    transaction, parts = end.transaction, end.transaction.parts
    parts.counters.inspector_failed(_KINDS.get(type(error), "crashed"))
    note_failure(transaction.state, error)
    if isinstance(error, InspectorBusy):
        return str(error), ""
    event = Event.INSPECTOR_OVERRAN if isinstance(error, InspectorTimeout) else Event.INSPECTOR_DIED
    strikes = parts.poison.strike(end.digest, str(error))
    _log.error(event, id=transaction.id, cause=str(error), strikes=strikes)
    if strikes >= STRIKES:
        _log.warning(Event.POISON, id=transaction.id, strikes=strikes)
        return "", f"the second inspector failed on this message: {error}"
    return str(error), ""


def _keep(end: _End, decided: tuple[Share, ...]) -> tuple[Verdict, tuple[Share, ...]]:
    """Find the answer to all shares; turn an exhausted deferral into a hold; put what is held into custody."""
    transaction, parts = end.transaction, end.transaction.parts
    verdict, shares = combined(decided)
    if verdict.action is Action.DEFER and parts.deferrals.exhausted(end.digest, transaction.now):
        transaction.state[DEFERRED] = "too long"
        verdict, shares = combined(changed(decided, _too_long))
    try:
        _hold(end, shares)
    except CustodyError as error:
        # Nobody has got anything. A share that was stored before comes again with the retry, and is merged with it.
        _log.error(Event.CUSTODY_FAILED, id=transaction.id, cause=str(error))
        parts.counters.custody_failed()
        reply = parts.replies.reply(Action.DEFER, Reason.CUSTODY, transaction.id)
        text = f"could not be stored: {error}"
        verdict = replace(verdict, action=Action.DEFER, code=Reason.CUSTODY, text=text, reply=reply, observed=None)
        return verdict, (whole(shares, verdict),)
    return verdict, shares


def _too_long(verdict: Verdict) -> Verdict:
    if verdict.action is not Action.DEFER:
        return verdict
    text = f"deferred for too long: {verdict.text}"
    return replace(verdict, action=Action.QUARANTINE, code=Reason.DEFERRED_TOO_LONG, text=text, reply=None)


def _hold(end: _End, shares: Sequence[Share]) -> None:
    """Put what is held into custody, an entry for each policy: fsynced before anybody is told. CustodyError."""
    transaction, parts = end.transaction, end.transaction.parts
    if in_hold_queue(parts, shares):
        return  # the MTA has it, and keeps it
    for share in shares:
        if share.verdict.action is not Action.QUARANTINE:
            continue
        if parts.monotonic() > end.deadline:  # the MTA may have given up: what we store now nobody would be told of
            raise CustodyError("the deadline passed before the message could be stored")
        only = tuple([one.address for one in share.recipients]) if len(shares) > 1 else ()
        parts.custodian.hold(evidence_of(transaction, share.verdict, end.digest, share.id, only), end.message)


def _conclude(end: _End, verdict: Verdict, shares: tuple[Share, ...]) -> Decision:
    """Say what to change in the message, and leave its traces: journal, log line, counters."""
    transaction, parts = end.transaction, end.transaction.parts
    kept = in_hold_queue(parts, shares)
    ours = _ours(transaction, verdict, kept=kept) if verdict.observed is None else ()
    changes = edits(verdict, end.message.fields, ours, parts.authserv_id, kept=kept)
    if len(shares) > 1 and verdict.action in DELIVERED:
        others = [share for share in shares if share.verdict.action not in DELIVERED]
        changes += removed([recipient for share in others for recipient in share.recipients])
        if any(share.verdict.action is Action.QUARANTINE for share in others):
            parts.counters.held_in_part()
    decision = Decision(verdict, changes, shares, hold_reason(transaction.id, verdict) if kept else "")
    seconds = parts.monotonic() - end.started
    _trace(end, verdict, shares, seconds)
    counters = parts.counters
    counters.message(verdict.action.value, seconds)
    counters.lookups(len(transaction.lookups.answers), transaction.lookups.wire)
    for report in transaction.reports.values():
        counters.check(report.check, report.outcome.value)
    _learn(end, verdict)
    _count(end, verdict)
    return decision


def _ours(transaction: Transaction, verdict: Verdict, *, kept: bool) -> tuple[InsertHeader, ...]:
    """Our fields in a message that is delivered: now or, where the MTA has it `kept`, once somebody has seen it."""
    parts = transaction.parts
    if verdict.action not in DELIVERED and not kept:
        return ()
    spf, client = transaction.reports.get("spf"), transaction.client.address
    envelope, helo = transaction.envelope, transaction.helo
    ours = added(verdict, transaction.id, parts.authserv_id, transaction.reports, envelope, helo)
    if kept:
        ours = unflagged(ours)
    return traced(ours, spf, parts.authserv_id, client, envelope, helo) if parts.received_spf else ours


def _trace(end: _End, verdict: Verdict, shares: Sequence[Share], seconds: float) -> None:
    """One log line of the message; in the journal a row for each share, so that each recipient's is found."""
    transaction, journal = end.transaction, end.transaction.parts.journal
    row = journal_row(transaction, verdict, end.digest, seconds)
    if in_hold_queue(transaction.parts, shares):
        row = replace(row, place=PLACE)
    if len(shares) == 1:
        journal.record(row)
        log_message(transaction, row, end.stages)
        return
    rows = [journal_row(transaction, share.verdict, end.digest, seconds, share) for share in shares]
    for one in rows:
        journal.record(one)
    log_message(transaction, row, end.stages, rows)


def _learn(end: _End, verdict: Verdict) -> None:
    transaction, memory, rules = end.transaction, end.transaction.parts.memory, end.transaction.parts.rules
    if rules is not None and end.score is not None and transaction.inspection is not None:
        tag = transaction.parts.policy.add_header
        rules.saw(transaction.inspection, end.score, tag, transaction.client.address, transaction.now)
    autolearn = transaction.parts.autolearn
    if end.score is not None:
        try:
            if memory is not None:
                learn(memory, transaction, end.score, verdict)
            if autolearn is not None and transaction.inspection is not None:
                autolearn.saw(_case(end, end.score, transaction.inspection, verdict))
        except Exception:  # noqa: BLE001  # the named border of learning: the verdict stands without it
            _log.exception(Event.CHECK_CRASHED, check="reputation", id=transaction.id)


def _count(end: _End, verdict: Verdict) -> None:
    """For the reports that the author's domain asks for."""
    counted = end.transaction.parts.aggregates
    if counted is None:
        return
    try:
        found = aggregate.seen(end.transaction, verdict)
        if found is not None:
            counted.record(found)
    except Exception:  # noqa: BLE001  # the named border of counting: the verdict stands without it
        _log.exception(Event.CHECK_CRASHED, check="dmarc reports", id=end.transaction.id)


def _case(end: _End, found: Score, facts: Inspection, verdict: Verdict) -> Case:
    """The message as it may be learnt from."""
    transaction = end.transaction
    digest, features = end.lesson
    return Case(
        now=transaction.now,
        client=transaction.client.address,
        sender=transaction.envelope.sender,
        trust=transaction.trust,
        inspection=facts,
        reports=transaction.reports,
        rules=transaction.parts.scores,
        score=found,
        verdict=verdict,
        digest=digest,
        features=features,
    )
