"""The end of a message: what is inspected, decided, kept, told and noted, and what happens where any of it fails."""

import hashlib
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any

import pytest

from filterd.checks.clamd import ClamdCheck
from filterd.checks.spf import SpfCheck
from filterd.inspectors import InspectorBusy, InspectorCrashed, InspectorDied, InspectorFailure, InspectorTimeout
from filterd.model.custody import Evidence
from filterd.model.inspection import Author, Inspection, Mailbox, RuleHit
from filterd.model.message import RawMessage
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.model.scanning import Scanned
from filterd.model.session import Client, Envelope, Recipient, TrustClass
from filterd.model.verdict import Action, DeleteHeader, InsertHeader, SmtpReply
from filterd.pipeline.deferral import MAX_DEFERRAL
from filterd.pipeline.finish import MARGIN, Decision, finish
from filterd.pipeline.rule_watch import RuleWatch, Use, uses
from filterd.pipeline.runner import Runner
from filterd.pipeline.schedule import Schedule
from filterd.pipeline.transaction import Peer, Transaction
from filterd.pipeline.trust import TrustPolicy
from filterd.reputation import Memory, Tally
from filterd.reputation.keys import digest
from filterd.store import MemoryStore
from tests.pipeline.fakes import LIMITS, NOW, FakeCheck, FakeCustodian, FakeInspectors, Front, Gate, everywhere
from tests.support.process import wait_until

RAW = b"Subject: x\r\nFrom: anna@sender.test\r\n\r\nHello\r\n"
FORGED = (b"Authentication-Results", b" mx.filterd.test; dmarc=pass")
FAILURES = [InspectorDied("it died"), InspectorTimeout("it overran"), InspectorCrashed("it crashed")]


def _transaction(front: Front, *more: tuple[bytes, bytes], sender: str = "anna@sender.test") -> Transaction:
    transaction = Transaction(front.parts(), Peer(Client("198.51.100.7", 4711, "mail.sender.test")))
    transaction.hello("mail.sender.test")
    transaction.mail(sender, ("SIZE=46",), {"i": "4XQ1", "j": "mx.filterd.test"})
    transaction.rcpt("user@local.test", "<User@local.test>")
    for name, value in ((b"Subject", b" x"), (b"From", b" anna@sender.test"), *more):
        transaction.header(name, value)
    transaction.end_of_headers()
    transaction.chunk(b"Hello\r\n")
    return transaction


def _finished(front: Front, *more: tuple[bytes, bytes]) -> Decision:
    transaction = _transaction(front, *more)
    try:
        return finish(transaction)
    finally:
        transaction.close()


def _saying(front: Front, *symbols: str) -> Front:
    return replace(front, checks=(FakeCheck("content", symbols=frozenset(symbols)),))


def test_a_clean_message_is_accepted_with_our_fields(front: Front) -> None:
    """Forged fields go, ours come, the client is told 250."""
    decision = _finished(front, FORGED)
    assert (decision.verdict.action, decision.verdict.reply) == (Action.ACCEPT, None)
    assert decision.edits[0] == DeleteHeader("Authentication-Results", 1)
    assert len(decision.edits) == 4


@pytest.mark.threat("AR-03")
def test_received_spf_is_written_where_it_is_wanted(front: Front) -> None:
    """Two fields below ours, and one that somebody sent without saying whose it is goes; off, both stay out of it."""
    forged = (b"Received-SPF", b" pass")
    for wanted in (False, True):
        parts = replace(front.parts(), schedule=Schedule.of((SpfCheck(),)), received_spf=wanted)
        transaction = Transaction(parts, Peer(Client("198.51.100.7")))
        transaction.hello("mail.sender.test")
        transaction.mail("anna@sender.test", (), {})
        transaction.header(*forged)
        transaction.end_of_headers()
        edits = finish(transaction).edits
        transaction.close()
        named = [
            (type(edit), edit.value.split()[0] if isinstance(edit, InsertHeader) else "")
            for edit in edits
            if isinstance(edit, InsertHeader | DeleteHeader) and edit.name == "Received-SPF"
        ]
        assert named == ([(DeleteHeader, ""), (InsertHeader, "none"), (InsertHeader, "none")] if wanted else [])


def test_the_inspector_is_told_what_is_known(front: Front) -> None:
    """The whole message, the envelope, and how long it may take."""
    transaction = _transaction(front)
    finish(transaction)
    job, deadline = front.inspectors.jobs[0]
    assert (job.fields, job.body_size) == (tuple(transaction.fields), 7)
    assert (job.sender, job.helo, job.client_address) == ("anna@sender.test", "mail.sender.test", "198.51.100.7")
    assert (job.id, job.trust, job.now) == (transaction.id, "stranger", NOW)
    assert job.seconds == LIMITS.inspection
    assert deadline == front.monotonic() + LIMITS.deadline - MARGIN
    assert (job.spf, job.excused) == ("unknown", ())
    transaction.close()


class Clamd:
    """Answers when it is waited for, and notes what was inspected by then."""

    def __init__(self, front: Front) -> None:
        """Nothing was asked yet."""
        self.front = front
        self.inspected: list[int] = []
        self.asked: list[tuple[int, float]] = []

    def begin(self, message: RawMessage, deadline: float) -> Callable[[], Scanned]:
        """As the pool does."""
        self.inspected.append(len(self.front.inspectors.jobs))
        self.asked.append((message.body_size, deadline))
        return self._answer

    def _answer(self) -> Scanned:
        self.inspected.append(len(self.front.inspectors.jobs))
        return Scanned("Some.Name")


def test_clamd_works_while_the_inspector_does(front: Front) -> None:
    """It is begun before and waited for afterwards, and its answer is a finding."""
    clamd = Clamd(front)
    transaction = Transaction(
        replace(front.parts(), schedule=Schedule.of((ClamdCheck(),)), scanners={"clamd": clamd}),
        Peer(Client("198.51.100.7")),
    )
    transaction.end_of_headers()
    transaction.chunk(b"Hello\r\n")
    finish(transaction)
    assert transaction.reports["clamd"].findings == (Finding("CLAMD_VIRUS", ("Some.Name",)),)
    assert clamd.inspected == [0, 1]
    assert clamd.asked == [(7, front.monotonic() + LIMITS.deadline - MARGIN)]
    transaction.close()


def test_clamd_is_not_asked_about_mail_it_is_skipped_for(front: Front) -> None:
    """`[trust.skip]` spares the scan, too."""
    clamd = Clamd(front)
    trusting = replace(front, trust=TrustPolicy.of([], [], {TrustClass.STRANGER: ["clamd"]}))
    parts = replace(trusting.parts(), schedule=Schedule.of((ClamdCheck(),)), scanners={"clamd": clamd})
    transaction = Transaction(parts, Peer(Client("198.51.100.7")))
    transaction.end_of_headers()
    finish(transaction)
    assert (clamd.asked, transaction.reports["clamd"].outcome) == ([], Outcome.SKIPPED)
    transaction.close()


def test_the_rules_are_told_of_spf_where_it_is_known(front: Front) -> None:
    """The result for MAIL FROM; nobody waits for it."""
    parts = replace(front.parts(), schedule=Schedule.of((SpfCheck(),)))
    transaction = Transaction(parts, Peer(Client("198.51.100.7")))
    transaction.hello("mail.sender.test")
    transaction.mail("anna@sender.test", (), {})
    transaction.end_of_headers()
    transaction.runner.wait(5)
    finish(transaction)
    transaction.close()
    assert front.inspectors.jobs[0][0].spf == "none"


def test_the_rules_are_told_whether_the_sender_is_new(front: Front) -> None:
    """As far as it was read at MAIL; nothing is read for it, and without a memory nobody knows."""
    memory = Memory(MemoryStore(), Tally(MemoryStore()))
    for read in (False, True):
        transaction = Transaction(replace(front.parts(), memory=memory), Peer(Client("198.51.100.7")))
        transaction.mail("anna@sender.test", (), {})
        transaction.end_of_headers()
        if read:
            memory.announced("", "anna@sender.test", NOW)
        finish(transaction)
        transaction.close()
    assert [job.first_contact for job, _ in front.inspectors.jobs] == ["unknown", "true"]


def test_a_suspended_or_expired_rule_is_as_in_shadow(front: Front) -> None:
    """What is known of it is asked for each message with hits, and what it does is counted for the next ones."""
    hits = (
        RuleHit("greedy", "family", "YARA_GREEDY", "1", meta={"score": 20}),
        RuleHit("old", "family", "YARA_OLD", "1", meta={"score": 20, "expires": "2020-12-31"}),
    )
    front.inspectors.facts = Inspection(hits=hits, slow=("dull",))
    store = MemoryStore()
    watch = RuleWatch(store, 0.2)
    parts = replace(front.parts(), rules=watch)

    def judged() -> tuple[Action, float]:
        transaction = Transaction(parts, Peer(Client("198.51.100.7")))
        transaction.mail("anna@sender.test", (), {})
        transaction.end_of_headers()
        verdict = finish(transaction).verdict
        transaction.close()
        return verdict.action, verdict.score

    assert judged() == (Action.REJECT, 20.0)
    watch.flush()
    assert uses(store, ["greedy", "old"]) == {"greedy": Use(1, NOW), "old": Use(1, NOW)}
    store.put(f"suspended:rule:{digest('rule', 'greedy')}", b"hits too much", 60)
    parts = replace(parts, rules=RuleWatch(store, 0.2))
    assert judged() == (Action.ACCEPT, 0.0)


@pytest.mark.parametrize(
    ("symbol", "action", "reply"),
    [
        ("MILD", Action.ACCEPT, None),
        ("TAGGED", Action.ADD_HEADER, None),
        ("HELD", Action.QUARANTINE, None),
        ("REFUSED", Action.REJECT, (550, "5.7.1")),
        ("UNSCANNABLE_ARCHIVE", Action.QUARANTINE, None),
    ],
)
def test_findings_lead_to_their_action(
    front: Front, symbol: str, action: Action, reply: tuple[int, str] | None
) -> None:
    """From a check's symbol to the reply, through score and thresholds; only what is delivered is edited."""
    decision = _finished(_saying(front, symbol))
    told = decision.verdict.reply
    assert decision.verdict.action is action
    assert (told and (told.code, told.enhanced)) == reply
    assert bool(decision.edits) == (action in {Action.ACCEPT, Action.ADD_HEADER})
    assert bool(front.custodian.held) == (action is Action.QUARANTINE)


def test_a_rule_hit_counts_without_a_check_for_it(front: Front) -> None:
    """What YARA found is scored as its author declared."""
    hit = RuleHit("bad", "family", "YARA_BAD", "1.2", meta={"score": 20})
    decision = _finished(replace(front, inspectors=FakeInspectors(Inspection(hits=(hit,)))))
    assert (decision.verdict.action, decision.verdict.code) == (Action.REJECT, "malware")


def test_the_checks_see_the_inspection(front: Front) -> None:
    """Checks of the last stage start only when the facts are there."""
    check = FakeCheck("content", Stage.EOM)
    seen: list[int] = []
    front.inspectors.meanwhile = lambda: seen.append(len(check.saw))
    _finished(replace(front, checks=(check,)))
    assert (seen, len(check.saw)) == ([0], 1)


def test_a_message_of_nothing_is_judged(front: Front) -> None:
    """End of message without header, body or recipients: a verdict, no exception."""
    transaction = Transaction(front.parts(), Peer(Client()))
    assert finish(transaction).verdict.action is Action.ACCEPT
    transaction.close()
    assert front.journal.rows[0].sha256 == hashlib.sha256(b"\r\n").hexdigest()


@pytest.mark.threat("RES-02")
def test_a_busy_pool_defers_and_is_no_strike(front: Front) -> None:
    """Our overload says nothing about the message: however often, it is never held as poison."""
    busy = replace(front, inspectors=FakeInspectors(InspectorBusy("no inspector was free in time")))
    for _ in range(3):
        verdict = _finished(busy).verdict
        assert (verdict.action, verdict.code) == (Action.DEFER, "inspection-failed")
        assert verdict.reply == SmtpReply(451, "4.3.0", f"Please try again later; id {_public(front)}")
    assert front.counters.calls.count(("inspector_failed", "busy")) == 3
    assert front.custodian.held == []


@pytest.mark.parametrize("failure", FAILURES, ids=["died", "overran", "crashed"])
@pytest.mark.threat("RES-01")
def test_the_first_failure_defers_and_the_second_holds(
    front: Front, failure: InspectorFailure, log: list[MutableMapping[str, Any]]
) -> None:
    """An inspector's end is counted against the message's bytes; what ends two is held raw, without a third."""
    failing = replace(front, inspectors=FakeInspectors(failure))
    first, second, third = (_finished(failing).verdict for _ in range(3))
    assert (first.action, first.code) == (Action.DEFER, "inspection-failed")
    assert (second.action, second.code) == (Action.QUARANTINE, "poison")
    assert (third.action, third.code) == (Action.QUARANTINE, "poison")
    assert len(failing.inspectors.jobs) == 2
    assert [raw for _, raw in front.custodian.held] == [RAW, RAW]
    assert [evidence.inspection for evidence, _ in front.custodian.held] == [None, None]
    assert [event["strikes"] for event in log if event["event"] == "poison"] == [2, 2]


def test_strikes_are_of_a_message_not_of_a_sender(front: Front) -> None:
    """Another message of the same sender starts at none."""
    failing = replace(front, inspectors=FakeInspectors(FAILURES[0]))
    assert _finished(failing).verdict.action is Action.DEFER
    assert _finished(failing, (b"X-Other", b" y")).verdict.action is Action.DEFER


def test_strikes_read_are_part_of_the_evidence(front: Front) -> None:
    """A replay must know that the message had two strikes when it was held unread."""
    failing = replace(front, inspectors=FakeInspectors(FAILURES[0]))
    for _ in range(3):
        _finished(failing)
    assert [evidence.state["poison"] for evidence, _ in front.custodian.held] == ["1", "2"]


def test_the_kind_of_failure_is_counted_and_logged(front: Front, log: list[MutableMapping[str, Any]]) -> None:
    """Died, overran and crashed are told apart by whoever watches."""
    for failure in FAILURES:
        _finished(replace(front, inspectors=FakeInspectors(failure)), (b"X", str(failure).encode()))
    kinds = [call[1] for call in front.counters.calls if call[0] == "inspector_failed"]
    assert kinds == ["died", "overran", "crashed"]
    assert [event["event"] for event in log if event["log_level"] == "error"] == [
        "inspector_died",
        "inspector_overran",
        "inspector_died",
    ]


@pytest.mark.threat("RES-04")
def test_what_cannot_be_stored_is_deferred_and_never_accepted(
    front: Front, log: list[MutableMapping[str, Any]]
) -> None:
    """A full disk turns a hold into 451 with our own code; nothing counts as kept."""
    decision = _finished(_saying(replace(front, custodian=FakeCustodian("No space left on device")), "HELD"))
    verdict = decision.verdict
    assert (verdict.action, verdict.code, decision.edits) == (Action.DEFER, "custody", ())
    assert verdict.reply == SmtpReply(451, "4.3.0", f"Please try again later; id {_public(front)}")
    assert ("custody_failed",) in front.counters.calls
    assert [event["cause"] for event in log if event["event"] == "custody_failed"] == ["No space left on device"]
    assert [(row.action, row.code) for row in front.journal.rows] == [("defer", "custody")]


@pytest.mark.threat("MTA-03")
def test_past_the_deadline_nothing_is_committed(front: Front) -> None:
    """The MTA may have told the client 451 already: a hold now would be a copy nobody knows of."""
    front.inspectors.meanwhile = lambda: setattr(front.monotonic, "now", front.monotonic.now + LIMITS.deadline + 1)
    verdict = _finished(_saying(front, "HELD")).verdict
    assert (verdict.action, verdict.code) == (Action.DEFER, "custody")
    assert front.custodian.held == []


def test_checks_get_what_is_left_of_the_deadline(front: Front, gate: Gate) -> None:
    """An inspection that took nearly all of it leaves no time to wait for a slow answer: unknown, not later."""
    front.inspectors.meanwhile = lambda: setattr(front.monotonic, "now", front.monotonic.now + LIMITS.deadline - 1)
    transaction = _transaction(replace(front, checks=(FakeCheck("spf", rounds=(("a.test",),)),), resolver=gate))
    assert finish(transaction).verdict.action is Action.ACCEPT
    assert transaction.reports["spf"].outcome is Outcome.UNKNOWN
    transaction.close()


@pytest.mark.parametrize(("spent", "left"), [(0.0, 5.0), (50.0, 5.0), (57.0, 1.0), (59.0, -1.0)])
def test_every_stage_draws_on_what_remains(
    front: Front, monkeypatch: pytest.MonkeyPatch, spent: float, left: float
) -> None:
    """Checks wait their own time or what the deadline leaves, less what custody and the reply need."""
    waits: list[float] = []
    wait = Runner.wait

    def noted(runner: Runner, seconds: float) -> Mapping[str, CheckReport]:
        waits.append(seconds)
        return wait(runner, seconds)

    monkeypatch.setattr(Runner, "wait", noted)
    front.inspectors.meanwhile = lambda: setattr(front.monotonic, "now", front.monotonic.now + spent)
    _finished(front)
    assert waits == [left]


def test_an_inspection_has_no_more_time_than_the_message(front: Front) -> None:
    """A short deadline shortens the inspector's own."""
    _finished(replace(front, limits=replace(LIMITS, deadline=20.0)))
    assert front.inspectors.jobs[0][0].seconds == 20.0 - MARGIN


def test_custody_in_the_last_moment_counts(front: Front) -> None:
    """At the deadline itself the MTA still waits."""
    front.inspectors.meanwhile = lambda: setattr(front.monotonic, "now", front.monotonic.now + LIMITS.deadline)
    assert _finished(_saying(front, "HELD")).verdict.action is Action.QUARANTINE


def test_where_the_time_went_is_noted(front: Front, log: list[MutableMapping[str, Any]]) -> None:
    """Each stage has its own milliseconds, the row has their sum."""
    front.inspectors.meanwhile = lambda: setattr(front.monotonic, "now", front.monotonic.now + 3)
    _finished(front)
    line = next(event for event in log if event["event"] == "message")
    assert line["stages"] == {"inspect": 3_000.0, "lookups": 0.0, "decide": 0.0}
    assert (line["ms"], front.journal.rows[0].ms) == (3_000.0, 3_000.0)


def test_the_end_has_questions_left(front: Front) -> None:
    """What was guessed while the client talked may use up the early budget, not that of what is then known."""
    early = FakeCheck("early", Stage.MAIL, rounds=(("a.test", "b.test", "c.test"),))
    late = FakeCheck("late", rounds=(("d.test", "e.test"),))
    transaction = _transaction(replace(front, checks=(early, late), early=2))
    wait_until(lambda: "early" in transaction.reports, "the early check's report")
    finish(transaction)
    causes = {answer.question.name: answer.cause for answer in transaction.lookups.answers.values()}
    assert causes == {"a.test": "", "b.test": "", "c.test": "budget", "d.test": "", "e.test": ""}
    transaction.close()


def test_an_unknown_check_does_what_the_policy_says(front: Front) -> None:
    """From a check that could not look to the client's 451."""
    checks = (FakeCheck("spf", outcome=Outcome.UNKNOWN),)
    policy = replace(front.policy, on_unknown={"spf": everywhere(Action.DEFER)})
    verdict = _finished(replace(front, checks=checks, policy=policy)).verdict
    assert (verdict.action, verdict.code) == (Action.DEFER, "spf-unknown")


def test_a_message_deferred_for_hours_is_held_instead(front: Front) -> None:
    """Deferring is capped in time: the last attempt puts the message into custody and tells 250."""
    busy = replace(front, inspectors=FakeInspectors(InspectorBusy("no inspector was free in time")))
    assert _finished(busy).verdict.action is Action.DEFER
    front.epoch.now = NOW + MAX_DEFERRAL
    assert _finished(busy).verdict.action is Action.DEFER
    front.epoch.now = NOW + MAX_DEFERRAL + 1
    verdict = _finished(busy).verdict
    assert (verdict.action, verdict.code, verdict.reply) == (Action.QUARANTINE, "deferred-too-long", None)
    assert [raw for _, raw in front.custodian.held] == [RAW]


def test_a_store_that_fails_costs_memory_not_mail(front: Front) -> None:
    """Without shared state a message is inspected, judged and, where need be, deferred again."""
    front.store.fail = True
    assert _finished(front).verdict.action is Action.ACCEPT
    failing = replace(front, inspectors=FakeInspectors(FAILURES[0]))
    for _ in range(3):
        assert _finished(failing).verdict.action is Action.DEFER
    front.epoch.now = NOW + 2 * MAX_DEFERRAL
    assert _finished(failing).verdict.action is Action.DEFER


def test_observing_keeps_and_changes_nothing(front: Front) -> None:
    """Everything is computed and noted, the message goes on as it came."""
    decision = _finished(_saying(front, "HELD").deciding(observe=True), FORGED)
    assert (decision.verdict.action, decision.verdict.observed) == (Action.ACCEPT, Action.QUARANTINE)
    assert (decision.edits, front.custodian.held) == ((), [])
    assert [(row.action, row.observed, row.code) for row in front.journal.rows] == [("accept", "quarantine", "score")]


def test_the_evidence_holds_all_that_the_verdict_was_made_from(front: Front) -> None:
    """Raw bytes and their hash, client, envelope, macros, answers used, facts, reports, verdict, and what judged."""
    facts = Inspection(Author((Mailbox("anna", "sender.test"),)), rule_set="rules-1")
    check = FakeCheck("content", symbols=frozenset({"HELD"}), rounds=(("a.test",), ("b.test",)))
    transaction = _transaction(replace(front, checks=(check,), inspectors=FakeInspectors(facts)))
    verdict = finish(transaction).verdict
    evidence, raw = front.custodian.held[0]
    report = evidence.reports[0]
    assert raw == RAW
    assert evidence == Evidence(
        id=transaction.id,
        received=NOW,
        sha256=hashlib.sha256(RAW).hexdigest(),
        size=len(RAW),
        client=Client("198.51.100.7", 4711, "mail.sender.test"),
        helo="mail.sender.test",
        envelope=Envelope("anna@sender.test", (Recipient("user@local.test", "<User@local.test>"),), ("SIZE=46",)),
        trust="stranger",
        macros={"i": "4XQ1", "j": "mx.filterd.test"},
        answers=tuple(transaction.lookups.answers.values()),
        inspection=facts,
        reports=(report,),
        verdict=verdict,
        config_id="config-1",
        rule_set="scores-1+rules-1",
        state={"spf": "unknown", "first_contact": "unknown"},
        queue_id="4XQ1",
    )
    assert [answer.question.name for answer in evidence.answers] == ["a.test", "b.test"]
    assert report == CheckReport("content", Outcome.OK, report.findings, ms=report.ms)
    transaction.close()


@pytest.mark.parametrize("symbol", ["MILD", "TAGGED", "HELD", "REFUSED"])
def test_every_verdict_leaves_one_row_one_line_and_its_counts(
    front: Front, symbol: str, log: list[MutableMapping[str, Any]]
) -> None:
    """Accepted, tagged, held or refused: one journal row, one log line with the same id, one count."""
    verdict = _finished(_saying(front, symbol)).verdict
    assert len(front.journal.rows) == 1
    row = front.journal.rows[0]
    lines = [event for event in log if event["event"] == "message"]
    assert [(line["id"], line["action"], line["queue_id"]) for line in lines] == [(row.id, verdict.action, "4XQ1")]
    assert set(lines[0]["stages"]) == {"inspect", "lookups", "decide"}
    counted = [("message", verdict.action.value), ("lookups", 0, 0), ("check", "content", "ok")]
    assert front.counters.calls == counted


def _public(front: Front) -> str:
    return front.journal.rows[-1].id[-10:]
