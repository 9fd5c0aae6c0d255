"""A held message judged again: same bytes, same session, same clock; what was asked then is answered as it was then.

What is recorded is given back: DNS answers, what shared state told (`Evidence.state`), the classifier's opinion, what
scanners of other makes said, an inspection that failed, a check that was not done in time. All else is done anew by the
daemon's own code: an inspector reads the content, checks run, points are added, the verdict is made.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from filterd.checks.allow import recalled
from filterd.checks.contract import Check, View
from filterd.checks.listing import suspension_note
from filterd.checks.registry import ALL, Tools
from filterd.checks.replay import count_note
from filterd.dns.lookups import Lookups
from filterd.dns.plans import nothing
from filterd.dns.recording import ReplayResolver
from filterd.inspectors import PoisonLedger
from filterd.inspectors.poison import ANY_KEY, KEY_PREFIX
from filterd.model.custody import Evidence
from filterd.model.dns import Plan, Question
from filterd.model.ids import randomness_of
from filterd.model.inspection import Inspection, InspectionJob
from filterd.model.message import HeaderField, RawMessage
from filterd.model.report import CheckReport, Outcome, Stage
from filterd.model.scanning import Scanned
from filterd.model.verdict import Verdict
from filterd.operations.scan import Session, scan
from filterd.operations.scan_recording import Offline, Recording
from filterd.pipeline.deferral import DEFERRED_PREFIX, Deferrals
from filterd.pipeline.finish import finish
from filterd.pipeline.notes import DEFERRED, POISON, SPF, RecalledRules, failure_of
from filterd.pipeline.parts import Inspect, Parts, Scan
from filterd.pipeline.runner import LATE
from filterd.pipeline.schedule import STAGES, Schedule
from filterd.pipeline.shares import Share, concerning, severest
from filterd.pipeline.transaction import Peer, Transaction
from filterd.quarantine.layout import fields_of
from filterd.reputation import RecalledMemory
from filterd.store import MemoryStore

CHUNK: Final = 1 << 20  # bytes of a body handed over at once
_KEEP: Final = 3_600  # seconds; longer than one message is judged
_LISTS: Final = ("dnsbl", "uribl", "dkimbl")  # the checks that note which lists were suspended


class ReplayError(ValueError):
    """This evidence cannot be replayed; the text says why."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What judges again: a scanner's parts and what its checks are made with.

    `remembers` and `classifies` say whether the configuration wants reputation and classifier asked.
    """

    parts: Parts
    tools: Tools
    remembers: bool
    classifies: bool


@dataclass(frozen=True, slots=True)
class Replayed:
    """The verdict of a replay, and of what the record had nothing to say: questions, and keys of shared state.

    `rules_id` is as `Evidence.rule_set`. The verdict is the severest for those whom the message was held for; `shares`
    are theirs, where they have different policies now.
    """

    verdict: Verdict
    reports: tuple[CheckReport, ...]
    missing: tuple[Question, ...]
    unrecorded: tuple[str, ...]
    rules_id: str
    shares: tuple[Share, ...] = ()


def replay(bench: Bench, evidence: Evidence, raw: bytes, *, live: bool = False) -> Replayed:
    """Judge a held message again, its raw bytes being `raw`; `live`: ask for names anew. ReplayError."""
    if hashlib.sha256(raw).hexdigest() != evidence.sha256:
        raise ReplayError("the message is not the one that the evidence describes")
    try:
        fields, offset = fields_of(raw, evidence.state)
        randomness = randomness_of(evidence.id)
    except ValueError as error:
        raise ReplayError(str(error)) from error
    resolver = ReplayResolver(evidence.answers)
    unrecorded: dict[str, None] = {}
    parts = _parts(bench, evidence, resolver, unrecorded, live=live)
    parts = replace(parts, clock=lambda: evidence.received, randomness=lambda _: randomness)
    transaction = _brought(parts, evidence, fields)
    try:
        for start in range(offset, len(raw), CHUNK):
            transaction.chunk(raw[start : start + CHUNK])
        shares = concerning(finish(transaction).shares, evidence.held_for)
        facts = transaction.inspection
        rules_id = f"{parts.rules_id}+{facts.rule_set}" if facts else parts.rules_id
        reports = tuple(transaction.reports.values())
        missing, verdict = tuple(resolver.missing), severest(shares)
        return Replayed(verdict, reports, missing, tuple(unrecorded), rules_id, shares)
    finally:
        transaction.close()


def replay_file(bench: Bench, name: str, raw: bytes, now: float, *, live: bool) -> Replayed:
    """Judge a message of which nothing is recorded: no session, and no answers unless they are asked for."""
    offline = None if live else Offline(bench.parts, Recording(now, ()))
    outcome = scan(bench.parts if offline is None else offline.parts, name, raw, Session())
    facts = outcome.transaction.inspection
    rules_id = f"{bench.parts.rules_id}+{facts.rule_set}" if facts else bench.parts.rules_id
    reports = tuple(outcome.transaction.reports.values())
    missing = () if offline is None else tuple(offline.missing)
    return Replayed(outcome.verdict, reports, missing, (), rules_id, outcome.shares)


def _brought(parts: Parts, evidence: Evidence, fields: tuple[HeaderField, ...]) -> Transaction:
    """The transaction with everything that came before the body."""
    helo = evidence.helo if evidence.relay is None else evidence.relay_helo
    transaction = Transaction(parts, Peer(evidence.relay or evidence.client))
    if helo:
        transaction.hello(helo)
    transaction.mail(evidence.envelope.sender, evidence.envelope.parameters, evidence.macros)
    for recipient in evidence.envelope.recipients:
        transaction.rcpt(recipient.address, recipient.exact, recipient.resolved)
    for name, value in fields:
        transaction.header(name, value)
    transaction.end_of_headers()
    return transaction


def _parts(
    bench: Bench, evidence: Evidence, resolver: ReplayResolver, unrecorded: dict[str, None], *, live: bool
) -> Parts:
    """The bench's parts with the record in the place of whatever was asked."""
    parts, state = bench.parts, evidence.state
    memory = RecalledMemory(state, unrecorded, ours=parts.trust.is_ours) if bench.remembers else None
    store = _store(evidence)
    return replace(
        parts,
        schedule=_schedule(bench.tools, memory, evidence, live=live),
        lookups=parts.lookups if live else lambda: Lookups(resolver, _NO_LOOP, clock=lambda: evidence.received),
        inspectors=_Reader(parts.inspectors, evidence, bench, live=live),
        poison=PoisonLedger(store),
        deferrals=Deferrals(store),
        scanners=_scanners(parts.scanners, evidence),
        memory=memory,
        rules=RecalledRules(state),
        autolearn=None,
    )


def _loop() -> asyncio.AbstractEventLoop:
    """A closed loop: a recording answers every question at once, so nothing is ever handed to it."""
    loop = asyncio.new_event_loop()
    loop.close()
    return loop


_NO_LOOP: Final = _loop()


def _store(evidence: Evidence) -> MemoryStore:
    """What the shared state said of this message: its strikes, and whether its deferral was over."""
    store = MemoryStore()
    strikes = evidence.state.get(POISON, "")
    if strikes:
        store.put(KEY_PREFIX + evidence.sha256, strikes.encode("ascii", "replace"), _KEEP)
        store.put(ANY_KEY, b"1", _KEEP)
    if DEFERRED in evidence.state:
        store.put(DEFERRED_PREFIX + evidence.sha256, b"0", _KEEP)  # long ago
    return store


def _schedule(tools: Tools, memory: RecalledMemory | None, evidence: Evidence, *, live: bool) -> Schedule:
    """The checks, each told what it was told then; one that was not done in time is not done again."""
    state = evidence.state
    late = set() if live else {one.check for one in evidence.reports if one.cause == LATE}
    book = recalled(state)
    common = replace(tools, selectors=_NoSelectors(), memory=memory, replays=_Counted(state), book=lambda: book)
    checks: list[Check] = []
    for name, make in ALL.items():
        suspended = _suspended(state, name, tools) if name in _LISTS else ()
        check = make(replace(common, suspended=lambda suspended=suspended: suspended))  # type: ignore[misc]  # bound here
        checks.append(_Late(check) if name in late else check)
    # Guesses only have answers asked for ahead. One that came too late was never used, so that it is not recorded.
    return replace(Schedule.of(checks), guessing=dict.fromkeys(STAGES, ()))


def _suspended(state: Mapping[str, str], check: str, tools: Tools) -> frozenset[str]:
    return frozenset([zone.name for zone in tools.zones if suspension_note(check, zone.name) in state])


def _scanners(asked: Mapping[str, Scan], evidence: Evidence) -> dict[str, Scan]:
    """Those that are asked now and were asked then, saying what they said."""
    reports = {report.check: report for report in evidence.reports}
    found: dict[str, Scan] = {}
    for name in asked:
        report = reports.get(name)
        if report is not None and report.outcome is not Outcome.SKIPPED:
            virus = report.findings[0].evidence[0] if report.findings and report.findings[0].evidence else ""
            found[name] = _Said(Scanned(virus, report.cause))
    return found


class _Reader:
    """The inspectors, told what they were told then. Implements Inspect."""

    def __init__(self, inspectors: Inspect, evidence: Evidence, bench: Bench, *, live: bool) -> None:
        self._inspectors = inspectors
        then = (evidence.config_id, evidence.rule_set.partition("+")[0])
        # Under another configuration or other rules a failure is tried again: it may be why they were changed.
        same = then == (bench.parts.config_id, bench.parts.rules_id)
        self._failure = failure_of(evidence.state) if same else None
        self._spf = "" if live else evidence.state.get(SPF, "")
        self._then = evidence.inspection
        self._classifies = bench.classifies

    def inspect(self, job: InspectionJob, body_fd: int, deadline: float) -> Inspection:
        if self._failure is not None:
            raise self._failure
        if self._spf:
            job = replace(job, spf=self._spf)
        facts = self._inspectors.inspect(job, body_fd, deadline)
        if not self._classifies:
            return replace(facts, classified=None)
        # The model has learnt since: what it thought then is a part of the record.
        return facts if self._then is None else replace(facts, classified=self._then.classified)


class _Late:
    """A check that is not done. Implements Check."""

    foresees = frozenset[Stage]()

    def __init__(self, check: Check) -> None:
        self.name = check.name
        self.stage = check.stage
        self.needs = check.needs
        self.symbols = check.symbols

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:  # noqa: ARG002  # the contract's arguments
        return None

    def run(self, view: View) -> Plan[CheckReport]:  # noqa: ARG002  # the contract's argument
        yield from nothing()
        return CheckReport(self.name, Outcome.UNKNOWN, cause=LATE)


class _Said:
    """A scanner of another make that has said this. Implements Scan."""

    def __init__(self, said: Scanned) -> None:
        self._said = said

    def begin(self, message: RawMessage, deadline: float) -> Callable[[], Scanned]:  # noqa: ARG002  # the protocol's
        return lambda: self._said


class _NoSelectors:
    """Remembers none: they would only have answers asked for ahead. Implements checks.dkim.Selectors."""

    def recall(self, domain: str) -> tuple[str, ...]:  # noqa: ARG002  # the protocol's argument
        return ()

    def remember(self, domain: str, selector: str) -> None:
        pass


class _Counted:
    """The deliveries that were known then. Implements checks.replay.Counter."""

    def __init__(self, state: Mapping[str, str]) -> None:
        self._state = state

    def count(self, message: str, deliveries: int) -> int:
        noted = self._state.get(count_note(message), "")
        return int(noted) if noted.isascii() and noted.isdigit() else deliveries
