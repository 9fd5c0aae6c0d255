"""Recipients judged at RCPT in the milter: refused as by the policy service, and no part of the message then."""

from dataclasses import replace
from math import inf

import milter
import pytest

from filterd.milter.session import Session
from filterd.model.early import GateAnswer
from filterd.model.verdict import Action
from filterd.pipeline.early import Early, EarlyPolicy, early_checks
from filterd.pipeline.parts import Parts
from tests.milter.context import FakeContext, opened, send
from tests.pipeline.fakes import FakeCheck, Front, Gate
from tests.policy.asking import REFUSING, Counting, FakeGate, failing

OLIVE = b"<olive@local.test>"


def parts_of(
    front: Front, *gates: FakeGate, policy: EarlyPolicy = REFUSING, wait: float | None = 0.0
) -> tuple[Parts, Counting]:
    """Parts whose milter judges recipients."""
    counting = Counting()
    front.counters = counting
    parts = front.parts()
    names = frozenset([check.name for check in early_checks(front.checks)])
    early = Early(policy, parts.scores, parts.replies.reply, counting, awaited=names, gates=gates)
    return replace(parts, early=early, early_wait=wait), counting


def begun(
    parts: Parts, address: str = "198.51.100.7", macros: dict[str, str] | None = None
) -> tuple[Session, FakeContext]:
    """A session after MAIL."""
    context = FakeContext(macros)
    session = opened(parts, context)
    session.connect("mail.sender.test", 2, (address, 4711))
    session.hello("mail.sender.test")
    session.envelope_from(b"<anna@sender.test>")
    return session, context


def test_a_recipient_is_refused(front: Front) -> None:
    """With the reply that the end of the message would have, and a row in the journal."""
    parts, counting = parts_of(failing(front))
    session, context = begun(parts)
    assert session.envelope_recipient(OLIVE) == milter.REJECT
    assert context.reply is not None
    assert context.reply[:2] == ("550", "5.7.23")
    (row,) = front.journal.rows
    assert (row.action, row.recipients, row.queue_id) == ("reject", ("olive@local.test",), "NOQUEUE")
    assert ("recipient", "milter", "reject") in counting.calls


def test_a_refused_recipient_is_none_of_the_message(front: Front) -> None:
    """What is held or logged at the end names only those that were accepted."""
    parts, _ = parts_of(failing(front))
    session, _ = begun(parts)
    answers = [session.envelope_recipient(one) for one in (OLIVE, b"<postmaster@local.test>")]
    assert answers == [milter.REJECT, milter.CONTINUE]
    session.end_of_headers()
    session.end_of_message()
    assert [row.recipients for row in front.journal.rows] == [("olive@local.test",), ("postmaster@local.test",)]


def test_a_deferral_is_temporary(front: Front) -> None:
    """Greylisting says 451 through the milter, too."""
    parts, _ = parts_of(front, FakeGate(GateAnswer(Action.GREYLIST, "greylisted", "come again")))
    session, context = begun(parts)
    assert session.envelope_recipient(OLIVE) == milter.TEMPFAIL
    assert context.reply is not None
    assert context.reply[:2] == ("451", "4.7.1")


def test_nobody_is_judged_as_shipped(front: Front) -> None:
    """Without [early] milter the content is waited for."""
    parts, _ = parts_of(failing(front), wait=None)
    session, _ = begun(parts)
    assert session.envelope_recipient(OLIVE) == milter.CONTINUE


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_mail_of_this_machine_is_never_refused_at_rcpt(front: Front, address: str) -> None:
    """A bounce or sendmail(1)'s mail that is refused there is lost (MTA-24)."""
    gate = FakeGate(GateAnswer(Action.REJECT, "blocked", "by hand"), ahead=True)
    parts, _ = parts_of(front, gate)
    session, _ = begun(parts, address)
    assert session.envelope_recipient(OLIVE) == milter.CONTINUE
    assert gate.saw == []


def test_gates_know_who_has_authenticated_and_how_many_came_before(front: Front) -> None:
    """Rates by user count each recipient; the next message begins anew."""
    gate = FakeGate()
    parts, _ = parts_of(front, gate)
    session, _ = begun(parts, macros={"{auth_authen}": "anna", "{auth_type}": "PLAIN"})
    session.envelope_recipient(OLIVE)
    session.envelope_recipient(b"<paul@local.test>")
    session.abort()
    session.envelope_from(b"<anna@sender.test>")
    session.envelope_recipient(OLIVE)
    assert [(facts.user, facts.earlier) for facts in gate.saw] == [("anna", 0), ("anna", 1), ("anna", 0)]


def test_what_has_not_arrived_refuses_nobody(front: Front, gate: Gate) -> None:
    """Without a wait the milter uses what is there, and does not hold the session up."""
    front.checks = (FakeCheck("spf", rounds=(("a.test",),), symbols=frozenset({"SPF_FAIL"})),)
    front.resolver = gate
    parts, _ = parts_of(front)
    session, _ = begun(parts)
    assert session.envelope_recipient(OLIVE) == milter.CONTINUE


def test_a_wait_is_bounded(front: Front, gate: Gate) -> None:
    """Lookups that take longer count nothing."""
    front.checks = (FakeCheck("spf", rounds=(("a.test",),), symbols=frozenset({"SPF_FAIL"})),)
    front.resolver = gate
    parts, _ = parts_of(front, wait=0.02)
    session, _ = begun(parts)
    assert session.envelope_recipient(OLIVE) == milter.CONTINUE


def test_a_message_without_refusals_goes_its_way(front: Front) -> None:
    """Scores below the thresholds change nothing at RCPT."""
    parts, _ = parts_of(front, policy=EarlyPolicy(reject_score=100.0, defer_score=inf))
    session, _ = begun(parts)
    assert send(session) == milter.ACCEPT


@pytest.mark.crashes_expected
def test_a_bug_defers_the_recipient(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never accepted unjudged because of us, never refused for good."""
    parts, _ = parts_of(failing(front))
    session, _ = begun(parts)

    def crash(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(parts.early, "case", crash)
    assert session.envelope_recipient(OLIVE) == milter.TEMPFAIL
