"""The end of a message whose recipients have different policies: one answer, each recipient's own fate, all traces."""

from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

import pytest

from filterd.model.custody import CustodyError, Evidence
from filterd.model.ids import public_id
from filterd.model.message import RawMessage
from filterd.model.report import Outcome
from filterd.model.session import Client
from filterd.model.verdict import Action, DeleteHeader, DeleteRecipient, InsertHeader
from filterd.pipeline.deferral import MAX_DEFERRAL
from filterd.pipeline.finish import Decision, finish
from filterd.pipeline.policies import Policies, Policy, entry_key
from filterd.pipeline.transaction import Peer, Transaction
from filterd.score import ScoreRules, SymbolRule
from tests.pipeline.fakes import LIMITS, POLICY, SCORES, FakeCheck, FakeCustodian, Front, everywhere

A, B, C = "a@held.test", "b@tag.test", "c@off.test"
# For a message of 7 points: held, tagged, let through.
NAMED = {
    "held.test": replace(POLICY, name="strict", quarantine=5.0, add_header=5.0),
    "tag.test": replace(POLICY, name="tagging"),
    "off.test": replace(POLICY, name="open", off=True),
    "observed.test": replace(POLICY, name="watched", observe=True, quarantine=5.0),
    "refused.test": replace(POLICY, name="hard", reject=5.0, quarantine=5.0, add_header=5.0),
    "late.test": replace(POLICY, name="late", on_unknown={"spf": everywhere(Action.DEFER)}),
}
POLICIES = Policies({entry_key(entry): Policy(policy, SCORES, (entry,)) for entry, policy in NAMED.items()}, "+")


def _front(front: Front, *symbols: str) -> Front:
    """A site with these policies, where a check finds these symbols."""
    return replace(front, policies=POLICIES, checks=(FakeCheck("content", symbols=frozenset(symbols)),))


def _finished(front: Front, *recipients: str) -> Decision:
    """A message to these, each spelt by the MTA with a name in capitals."""
    transaction = Transaction(front.parts(), Peer(Client("198.51.100.7", 4711, "mail.sender.test")))
    transaction.hello("mail.sender.test")
    transaction.mail("anna@sender.test", (), {"i": "4XQ1"})
    for recipient in recipients:
        local, _, domain = recipient.partition("@")
        transaction.rcpt(recipient, f"<{local.upper()}@{domain}>")
    transaction.header(b"Authentication-Results", b" mx.filterd.test; dmarc=pass")
    transaction.end_of_headers()
    transaction.chunk(b"Hello\r\n")
    try:
        return finish(transaction)
    finally:
        transaction.close()


def _gone(decision: Decision) -> list[str]:
    return [edit.exact for edit in decision.edits if isinstance(edit, DeleteRecipient)]


def _fates(front: Front) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(row.policy, row.action, row.recipients) for row in front.journal.rows]


@pytest.mark.threat("MTA-18")
def test_held_for_one_tagged_for_another_let_through_to_the_third(front: Front) -> None:
    """A gets nothing and has an entry of its own; B and C get one message, with B's tag."""
    decision = _finished(_front(front, "TAGGED"), A, B, C)
    assert (decision.verdict.action, decision.verdict.policy) == (Action.ADD_HEADER, "tagging")
    assert _gone(decision) == ["<A@held.test>"]
    ((evidence, raw),) = front.custodian.held
    assert (evidence.held_for, evidence.verdict.policy, evidence.verdict.action) == ((A,), "strict", Action.QUARANTINE)
    assert [one.address for one in evidence.envelope.recipients] == [A, B, C]
    assert raw.endswith(b"Hello\r\n")
    assert _fates(front) == [
        ("strict", "quarantine", (A,)),
        ("tagging", "add_header", (B,)),
        ("open", "accept", (C,)),
    ]


@pytest.mark.parametrize(
    ("symbol", "recipients", "count"),
    [
        ("TAGGED", (A, B, C), 1),
        ("TAGGED", ("x@refused.test", B), 1),
        ("TAGGED", (A, "x@observed.test"), 1),
        ("TAGGED", (A,), 0),
        ("TAGGED", (A, "z@held.test"), 0),
        ("TAGGED", (B, C), 0),
        ("TAGGED", ("x@observed.test", C), 0),
        ("HELD", (A, B), 0),
        ("REFUSED", ("x@refused.test", B), 0),
    ],
)
def test_holds_in_part_are_counted(front: Front, symbol: str, recipients: tuple[str, ...], count: int) -> None:
    """Once a message that some get and that is held for others; not where nobody gets it, or everybody does."""
    _finished(_front(front, symbol), *recipients)
    assert front.counters.calls.count(("held_in_part",)) == count


@pytest.mark.threat("RES-04")
def test_a_hold_in_part_that_failed_is_not_counted(front: Front) -> None:
    """It was deferred for all."""
    _finished(replace(_front(front, "TAGGED"), custodian=FakeCustodian("No space left")), A, B)
    assert ("held_in_part",) not in front.counters.calls


def test_recipients_go_after_the_fields(front: Front) -> None:
    """Forged fields out, ours in, then who does not get it."""
    edits = _finished(_front(front, "TAGGED"), A, B).edits
    kinds = [type(edit) for edit in edits]
    assert kinds == [DeleteHeader, *[InsertHeader] * 4, DeleteRecipient]
    assert InsertHeader(3, "X-Spam-Flag", "YES") in edits


@pytest.mark.threat("MTA-19")
def test_every_spelling_of_a_held_recipient_is_removed(front: Front) -> None:
    """Two spellings of one mailbox are two recipients to the MTA; both go, each as it was written."""
    decision = _finished(_front(front, "TAGGED"), A, B, "a+tag@held.test", "A@Held.Test")
    assert _gone(decision) == ["<A@held.test>", "<A+TAG@held.test>", "<A@Held.Test>"]
    assert front.custodian.held[0][0].held_for == (A, "a+tag@held.test", "A@Held.Test")


@pytest.mark.threat("MTA-20")
def test_held_for_all_is_one_entry_for_each_policy(front: Front) -> None:
    """Discarded, 250; two policies are two entries, under ids that differ and whose public part is the same."""
    decision = _finished(_front(front, "HELD"), A, "x@tag.test", "y@tag.test", "z@held.test")
    assert (decision.verdict.action, decision.edits) == (Action.QUARANTINE, ())
    held = [evidence for evidence, _ in front.custodian.held]
    assert [one.held_for for one in held] == [(A, "z@held.test"), ("x@tag.test", "y@tag.test")]
    assert len({one.id for one in held}) == 2
    assert {public_id(one.id) for one in held} == {public_id(front.journal.rows[0].id)}
    assert [row.id for row in front.journal.rows] == [one.id for one in held]


@pytest.mark.threat("MTA-20")
def test_one_policy_for_all_is_one_entry_as_without_policies(front: Front) -> None:
    """No recipient is named: it is held for all there are."""
    _finished(_front(front, "TAGGED"), A, "z@held.test")
    ((evidence, _),) = front.custodian.held
    assert (evidence.held_for, evidence.verdict.policy) == ((), "strict")
    assert _fates(front) == [("strict", "quarantine", (A, "z@held.test"))]


def test_a_site_without_policies_decides_as_before(front: Front) -> None:
    """The same edits, traces and evidence as for a policy table that names nobody."""
    other = replace(front, **{name: type(getattr(front, name))() for name in ("custodian", "journal", "counters")})
    checks = (FakeCheck("content", symbols=frozenset({"HELD"})),)
    plain = _finished(replace(front, checks=checks), A, B)
    named = _finished(replace(other, checks=checks, policies=Policies({}, "+"), random=front.random), A, B)
    assert plain.edits == named.edits
    assert replace(plain.verdict, reply=None) == replace(named.verdict, reply=None)
    assert front.custodian.held[0][0].held_for == other.custodian.held[0][0].held_for == ()
    assert _fates(front) == _fates(other) == [("", "quarantine", (A, B))]


def test_refused_for_all_and_held_where_only_some_are(front: Front) -> None:
    """5xx only where everybody agrees."""
    refused = _finished(_front(front, "REFUSED"), "x@refused.test", B).verdict
    assert (refused.action, refused.reply and refused.reply.code) == (Action.REJECT, 550)
    assert front.custodian.held == []
    decision = _finished(_front(front, "TAGGED"), "x@refused.test", B)
    assert (decision.verdict.action, _gone(decision)) == (Action.ADD_HEADER, ["<X@refused.test>"])
    assert front.custodian.held[0][0].verdict.text.startswith("held, for not all recipients are refused: score 7.0")


def test_a_share_that_waits_makes_all_wait_for_hours_at_most(front: Front) -> None:
    """Deferred as a whole with nothing kept; past the longest deferral the share is held and the others get it."""
    late = replace(_front(front), checks=(FakeCheck("spf", outcome=Outcome.UNKNOWN),))
    first = _finished(late, "x@late.test", B)
    assert (first.verdict.action, first.verdict.code, first.edits) == (Action.DEFER, "spf-unknown", ())
    assert front.custodian.held == []
    assert _fates(front) == [("late", "defer", ("x@late.test", B))]
    front.epoch.now += MAX_DEFERRAL + 1
    last = _finished(late, "x@late.test", B)
    assert (last.verdict.action, _gone(last)) == (Action.ACCEPT, ["<X@late.test>"])
    assert front.custodian.held[0][0].verdict.code == "deferred-too-long"


@pytest.mark.threat("RES-04")
def test_a_share_that_cannot_be_stored_makes_all_wait(front: Front, log: list[MutableMapping[str, Any]]) -> None:
    """451 for everybody: nothing delivered, nobody removed."""
    decision = _finished(replace(_front(front, "TAGGED"), custodian=FakeCustodian("No space left")), A, B, C)
    assert (decision.verdict.action, decision.verdict.code, decision.edits) == (Action.DEFER, "custody", ())
    assert decision.verdict.reply is not None
    assert _fates(front) == [("tagging", "defer", (A, B, C))]
    assert ("custody_failed",) in front.counters.calls
    assert [event["event"] for event in log][-1] == "message"


class _SecondFails(FakeCustodian):
    """Stores one entry and no more."""

    def hold(self, evidence: Evidence, message: RawMessage) -> str:
        """As Quarantine.hold."""
        if self.held:
            raise CustodyError("No space left")
        return super().hold(evidence, message)


@pytest.mark.threat("RES-04")
def test_where_the_second_entry_fails_the_client_keeps_the_message(front: Front) -> None:
    """The first is there; the retry stores it again, for the same recipients: both count as one."""
    decision = _finished(replace(_front(front, "HELD"), custodian=_SecondFails()), A, B)
    assert (decision.verdict.action, decision.verdict.code) == (Action.DEFER, "custody")
    assert _fates(front) == [("strict", "defer", (A, B))]


@pytest.mark.threat("MTA-03")
def test_past_the_deadline_no_share_is_stored(front: Front) -> None:
    """The MTA may have told the client 451 already."""
    front.inspectors.meanwhile = lambda: setattr(front.monotonic, "now", front.monotonic.now + LIMITS.deadline + 1)
    assert _finished(_front(front, "TAGGED"), A, B).verdict.code == "custody"
    assert front.custodian.held == []


def test_who_only_observes_gets_what_the_others_get(front: Front) -> None:
    """Alone no field is touched; beside somebody who is filtered the message has that one's fields."""
    alone = _finished(_front(front, "TAGGED"), "x@observed.test")
    assert (alone.verdict.observed, alone.edits) == (Action.QUARANTINE, ())
    beside = _finished(_front(front, "TAGGED"), "x@observed.test", C)
    assert (beside.verdict.policy, len(beside.edits)) == ("open", 4)
    held = _finished(_front(front, "TAGGED"), "x@observed.test", A)
    assert held.edits == (DeleteRecipient("<A@held.test>"),)


def test_a_policy_weighs_the_same_findings_otherwise(front: Front) -> None:
    """Other scores for some: the results are the same, nothing is checked again."""
    rules = ScoreRules({**SCORES.symbols, "HELD": SymbolRule(1.0)}, SCORES.groups)
    lenient = Policy(replace(POLICY, name="lenient"), rules, ("soft.test",))
    checks = (FakeCheck("content", symbols=frozenset({"HELD"})),)
    decision = _finished(
        replace(front, policies=Policies({"soft.test": lenient}, "+"), checks=checks), "x@soft.test", B
    )
    assert [(share.verdict.action, share.verdict.score) for share in decision.shares] == [
        (Action.ACCEPT, 1.0),
        (Action.QUARANTINE, 11.0),
    ]
    assert len(checks[0].saw) == len(front.inspectors.jobs) == 1


def test_the_line_says_what_became_of_it_for_whom(front: Front, log: list[MutableMapping[str, Any]]) -> None:
    """One line, with a part for each policy; local parts are left out where they are not wanted."""
    _finished(_front(front, "TAGGED"), A, C)
    (line,) = [event for event in log if event["event"] == "message"]
    assert (line["action"], line["policy"], line["recipients"]) == ("accept", "open", (A, C))
    shares = [(one["policy"], one["action"], one["code"], one["recipients"]) for one in line["shares"]]
    assert shares == [("strict", "quarantine", "score", (A,)), ("open", "accept", "unfiltered", (C,))]
    assert line["shares"][0]["id"] == front.custodian.held[0][0].id


def test_addresses_of_shares_can_be_kept_out_of_the_log(front: Front, log: list[MutableMapping[str, Any]]) -> None:
    """As those of the message."""
    parts = replace(_front(front, "TAGGED").parts(), log_addresses="domains")
    transaction = Transaction(parts, Peer(Client("198.51.100.7")))
    transaction.mail("anna@sender.test", (), {})
    for recipient in (A, C):
        transaction.rcpt(recipient, f"<{recipient}>")
    finish(transaction)
    transaction.close()
    line = next(event for event in log if event["event"] == "message")
    assert [one["recipients"] for one in line["shares"]] == [("@held.test",), ("@off.test",)]


def test_a_message_to_nobody_has_the_sites_own_decisions(front: Front) -> None:
    """End of message without recipients (a broken MTA): a verdict, no exception."""
    assert _finished(_front(front, "HELD")).verdict.action is Action.QUARANTINE
