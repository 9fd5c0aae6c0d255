"""What a replay takes from the record and what it does anew, one thing at a time."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from filterd.checks.registry import Tools, make_all
from filterd.dns.lookups import Lookups
from filterd.inspectors import InspectorDied, InspectorFailure
from filterd.model.custody import Evidence
from filterd.model.inspection import Classified, Inspection, RuleHit
from filterd.model.message import RawMessage
from filterd.model.report import CheckReport, Outcome
from filterd.model.scanning import Scanned
from filterd.model.verdict import Action
from filterd.operations.replay import Bench, Replayed, ReplayError, replay
from filterd.operations.replay_report import compared, lines
from filterd.pipeline.decide import DecisionPolicy
from filterd.pipeline.parts import Parts
from filterd.pipeline.policies import Policies, Policy
from filterd.pipeline.rule_watch import RuleWatch
from filterd.pipeline.runner import LATE
from filterd.pipeline.schedule import Schedule
from filterd.quarantine.evidence import decode, encode
from filterd.score import load_scores
from filterd.store import MemoryStore, SelectorMemory, WriteBehind
from tests.operations.held import Brought, bring
from tests.pipeline.fakes import FakeInspectors, Front, everywhere

SCORES = load_scores(Path(__file__).resolve().parents[2] / "rules" / "scores.toml")
POLICY = DecisionPolicy(reject=1_000.0, quarantine=-1_000.0, add_header=-2_000.0, on_unknown={})
RAW = b"Subject: x\r\nFrom: anna@sender.test\r\n\r\nHello\r\n"
FACTS = Inspection(rule_set="rules-1")


class Same:
    """A scanner that has said this."""

    def __init__(self, said: Scanned) -> None:
        """`said` is the answer."""
        self._said = said

    def begin(self, message: RawMessage, deadline: float) -> Callable[[], Scanned]:  # noqa: ARG002  # the protocol's
        """As the protocol."""
        return lambda: self._said


def _tools() -> Tools:
    store = MemoryStore()
    return Tools(SelectorMemory(store, WriteBehind(store)))


@dataclass
class Case:
    """A front that holds everything with the real checks, and the bench that replays what it held."""

    front: Front
    parts: Parts

    @classmethod
    def of(cls, front: Front, facts: Inspection | InspectorFailure = FACTS, **changes: Any) -> "Case":
        """With what its inspectors say, and other parts."""
        front = replace(front, inspectors=FakeInspectors(facts), policy=changes.pop("policy", POLICY))
        parts = replace(front.parts(), schedule=Schedule.of(make_all(_tools())), scores=SCORES, **changes)
        return cls(front, parts)

    def held(self, mail: Brought | None = None) -> Evidence:
        """The evidence of a message that it holds, as it is read from a disk."""
        assert bring(self.parts, mail or Brought.of(RAW, client="198.51.100.7")) == "quarantine"
        return decode(encode(self.front.custodian.held[-1][0]))

    def again(self, evidence: Evidence, **changes: Any) -> Replayed:
        """The replay, by a bench whose other parts may have changed since; nobody is asked."""
        raw = next(raw for held, raw in self.front.custodian.held if held.id == evidence.id)
        bench = Bench(replace(self.parts, lookups=_nobody, **changes), _tools(), remembers=False, classifies=True)
        return replay(bench, evidence, raw)


def _nobody() -> Lookups:
    raise AssertionError("somebody was to be asked")


def _same(evidence: Evidence, replayed: Replayed) -> bool:
    return bool(compared(evidence, replayed, "config-1")["same"])


def test_the_same_id_clock_and_session(front: Front) -> None:
    """The reply names the message by the id it had, rules see the time it had, and all is brought as it was."""
    case = Case.of(front)
    evidence = case.held(Brought.of(RAW, client="198.51.100.7", parameters=("SIZE=1",), macros={"j": "us"}))
    case.front.epoch.now += 1e6
    assert _same(evidence, case.again(evidence))
    then, now = [job for job, _ in case.front.inspectors.jobs]
    assert replace(now, seconds=then.seconds) == then


def test_a_behind_relay_is_judged_behind_it_again(front: Front) -> None:
    """The relay is part of the record; client and trust class come from the Received chain once more."""
    chain = b"Received: from behind.test (behind.test [198.51.100.7])\r\n\tby relay.test; now\r\n"
    case = Case.of(front)
    evidence = case.held(Brought.of(chain + RAW, client="192.0.2.3", helo="relay.test"))
    assert (evidence.client.address, evidence.trust) == ("198.51.100.7", "relay")
    assert (evidence.relay and evidence.relay.address, evidence.relay_helo) == ("192.0.2.3", "relay.test")
    assert _same(evidence, case.again(evidence))
    assert [job.trust for job, _ in case.front.inspectors.jobs] == ["relay", "relay"]


def test_header_fields_are_the_same_however_odd(front: Front) -> None:
    """A NUL, a name with blanks, an empty line in a value: the borders that bytes do not show are noted."""
    odd = ((b"A", b" x\0y"), (b"no name", b" z"), (b"B", b" 1\r\n\r\nBody: no"), (b"From", b" a@b.test"))
    case = Case.of(front)
    evidence = case.held(Brought(odd, b"body"))
    assert "fields" in evidence.state
    case.again(evidence)
    then, now = [job.fields for job, _ in case.front.inspectors.jobs]
    assert then == now == odd


def test_a_failed_inspection_fails_again_unless_it_is_tried(front: Front) -> None:
    """A crash or a time limit cannot be repeated at will: it is given back. Another configuration tries it."""
    policy = replace(POLICY, quarantine=10.0, on_unknown={"inspector": everywhere(Action.QUARANTINE)})
    case = Case.of(front, InspectorDied("killed by signal 9"), policy=policy)
    evidence = case.held()
    assert evidence.verdict.code == "inspection-failed"
    healthy = FakeInspectors(FACTS)
    assert _same(evidence, case.again(evidence, inspectors=healthy))
    assert case.again(evidence, inspectors=healthy, config_id="config-2").verdict.code != "inspection-failed"


def test_poison_is_held_unread_again(front: Front) -> None:
    """The strikes that were read are part of the record, whatever the present ledger of strikes knows."""
    case = Case.of(front, InspectorDied("killed by signal 9"))
    mail = Brought.of(RAW, client="198.51.100.7")
    assert bring(case.parts, mail) == "quarantine"  # everything is held here
    for evidence in (case.held(mail), case.held(mail)):
        assert evidence.verdict.code == "poison"
        assert _same(evidence, case.again(evidence, inspectors=FakeInspectors(FACTS)))


def test_a_deferral_that_was_over_is_over_again(front: Front) -> None:
    """The message was held because it had been deferred for too long."""
    case = Case.of(front, InspectorDied("x"), policy=replace(POLICY, quarantine=10.0, add_header=6.0))
    mail = Brought.of(RAW, client="198.51.100.7")
    case.parts.deferrals.exhausted(hashlib.sha256(RAW).hexdigest(), 0.0)
    evidence = case.held(mail)
    assert evidence.verdict.code == "deferred-too-long"
    assert _same(evidence, case.again(evidence))


def test_a_check_that_was_late_is_late_again(front: Front) -> None:
    """Its answers may have come since; what had no answer in time decided then."""
    case = Case.of(front)
    evidence = case.held()
    late = replace(
        evidence,
        reports=tuple(
            CheckReport("iprev", Outcome.UNKNOWN, cause=LATE) if one.check == "iprev" else one
            for one in evidence.reports
        ),
    )
    reports = {one.check: one for one in case.again(late).reports}
    assert (reports["iprev"].outcome, reports["iprev"].cause) == (Outcome.UNKNOWN, LATE)
    assert reports["spf"].cause != LATE


def test_rules_see_of_spf_what_they_saw(front: Front) -> None:
    """The result had not come when the inspector began; now it is at hand at once and still not told."""
    case = Case.of(front)
    evidence = case.held()
    evidence.state["spf"] = "unknown-then"
    case.again(evidence)
    assert [job.spf for job, _ in case.front.inspectors.jobs][-1] == "unknown-then"


def test_a_suspended_rule_is_suspended_again(front: Front) -> None:
    """Its hit counts nothing, as then; today's watch is not asked."""
    hit = RuleHit("Bad", "malware", "YARA_BAD", "1", meta={"score": 9})
    store = MemoryStore()
    watch = RuleWatch(store, 1.0)
    case = Case.of(front, replace(FACTS, hits=(hit,)), rules=watch)
    case.parts = replace(case.parts, rules=_Suspending(store, 1.0))
    evidence = case.held()
    assert evidence.state["suspended:rule:Bad"] == "a flood"
    assert [one.weight for one in evidence.verdict.symbols if one.finding.symbol == "YARA_BAD"] == [0.0]
    assert _same(evidence, case.again(evidence, rules=watch))


class _Suspending(RuleWatch):
    """Every rule is suspended, one file is excused."""

    def suspended(self, facts: Inspection) -> Mapping[str, str]:
        return {hit.rule: "a flood" for hit in facts.hits}

    def excused(self) -> tuple[str, ...]:
        return ("slow.yar", "slower.yar")


def test_excused_files_are_excused_again(front: Front) -> None:
    """What they left unsaid was no reason to hold."""
    case = Case.of(front, rules=_Suspending(MemoryStore(), 1.0))
    case.again(case.held())
    assert [job.excused for job, _ in case.front.inspectors.jobs] == [("slow.yar", "slower.yar")] * 2


def test_other_scanners_say_what_they_said(front: Front) -> None:
    """A virus, or why there was no answer; one that was not asked then is not asked now."""
    said = {"clamd": Same(Scanned("Eicar", "")), "icap": Same(Scanned(cause="icap: gone"))}
    case = Case.of(front, scanners=said)
    evidence = case.held()
    changed = {"clamd": Same(Scanned()), "icap": Same(Scanned("Other"))}
    replayed = case.again(evidence, scanners=changed)
    assert _same(evidence, replayed)
    reports = {one.check: (one.outcome, one.cause) for one in replayed.reports}
    assert reports["icap"] == (Outcome.UNKNOWN, "icap: gone")
    without = Case.of(front)
    assert _same(without.held(), without.again(without.held(), scanners=changed))


def test_the_classifier_thinks_what_it_thought(front: Front) -> None:
    """The model has learnt since; its opinion of then is a part of the record."""
    case = Case.of(front, replace(FACTS, classified=Classified(6.0, 0.999, model="m1", spam=100, ham=100)))
    evidence = case.held()
    assert "CLASSIFIER_SPAM_HIGH" in [one.finding.symbol for one in evidence.verdict.symbols]
    assert _same(evidence, case.again(evidence, inspectors=FakeInspectors(FACTS)))


def test_a_message_of_other_bytes_is_not_replayed(front: Front) -> None:
    """Nor one whose noted borders are not its own."""
    case = Case.of(front)
    evidence = case.held()
    for wrong in (replace(evidence, sha256="0" * 64), replace(evidence, state={"fields": "3:4 5:6"})):
        with pytest.raises(ReplayError):
            case.again(wrong)


def test_what_is_not_recorded_is_named(front: Front) -> None:
    """Questions without an answer are counted, named, and unknown; ids that differ are said."""
    case = Case.of(front)
    evidence = replace(case.held(), answers=(), config_id="config-0", rule_set="rules-0")
    found = compared(evidence, case.again(evidence), "config-1")
    assert "sender.test" not in found["missing"]
    assert found["missing"]
    text = "\n".join(lines(found))
    for words in ("config-0 then, config-1 now", "rules-0 then, scores-1+rules-1 now", " answers (", "--live asks"):
        assert words in text


def test_a_guess_that_came_too_late_is_not_missed(front: Front) -> None:
    """What was only asked ahead, as if the sender were the author, and never used is no gap of the record."""
    case = Case.of(front)
    evidence = case.held(Brought.of(RAW, client="198.51.100.7", sender="x@elsewhere.test"))
    guessed = "_dmarc.elsewhere.test"
    assert guessed in {one.question.name for one in evidence.answers}
    left = tuple([one for one in evidence.answers if one.question.name != guessed])
    again = case.again(replace(evidence, answers=left))
    assert again.missing == ()


OPEN = DecisionPolicy(reject=1_000.0, quarantine=900.0, add_header=800.0, on_unknown={})


def _policies(**entries: DecisionPolicy) -> Policies:
    """By the first label of a domain below .test."""
    return Policies(_entries(**entries), "+")


def _shared(front: Front, **entries: DecisionPolicy) -> Case:
    """A site where mail for held.test is held, and that for anybody else delivered."""
    return Case.of(front, policy=OPEN, policies=_policies(held=POLICY, **entries))


def _to(*recipients: str) -> Brought:
    return Brought.of(RAW, client="198.51.100.7", recipients=recipients)


def test_a_share_is_replayed_to_its_own_verdict(front: Front) -> None:
    """Held for one of three: what was decided for that one is decided again, whatever the others get."""
    case = _shared(front)
    assert bring(case.parts, _to("a@local.test", "b@held.test", "c@local.test")) == "accept"
    evidence = decode(encode(front.custodian.held[-1][0]))
    assert (evidence.held_for, evidence.verdict.policy) == (("b@held.test",), "held")
    replayed = case.again(evidence)
    found = compared(evidence, replayed, "config-1")
    assert (replayed.verdict.action, found["same"], found["shares"]) == (Action.QUARANTINE, True, [])
    assert found["held_for"] == ["b@held.test"]
    assert found["policy"] == {"then": "held", "now": "held", "same": True}


def test_each_share_of_a_message_is_replayed_by_itself(front: Front) -> None:
    """Two policies, two entries: each is the same again, under its own id."""
    case = _shared(front, refused=replace(POLICY, reject=-1_000.0))
    bring(case.parts, _to("a@refused.test", "b@held.test"))
    kept = [decode(encode(evidence)) for evidence, _ in front.custodian.held]
    assert [one.held_for for one in kept] == [("a@refused.test",), ("b@held.test",)]
    assert all(_same(evidence, case.again(evidence)) for evidence in kept)


def test_what_another_policy_would_do_is_said(front: Front) -> None:
    """The what-if: the same message under a configuration where its recipient's policy is another one, or gone."""
    case = _shared(front)
    bring(case.parts, _to("a@local.test", "b@held.test"))
    evidence = front.custodian.held[-1][0]
    gone = compared(evidence, case.again(evidence, policies=None), "config-1")
    assert (gone["same"], gone["after"]["action"]) == (False, "accept")
    assert "policy        held then, the site's own now" in list(lines(gone))


def test_recipients_that_part_are_told_apart(front: Front) -> None:
    """Held for two under one policy; today one would get it: the severer is compared, both are shown."""
    case = _shared(front)
    bring(case.parts, _to("a@held.test", "b@held.test", "c@local.test"))
    evidence = front.custodian.held[-1][0]
    parted = Policies({"a@held.test": Policy(replace(OPEN, name="vip"), SCORES), **_entries(held=POLICY)}, "+")
    replayed = case.again(evidence, policies=parted)
    found = compared(evidence, replayed, "config-1")
    assert (found["same"], replayed.verdict.policy) == (True, "held")
    assert [(one["recipients"], one["action"]) for one in found["shares"]] == [
        (["a@held.test"], "accept"),
        (["b@held.test"], "quarantine"),
    ]
    assert any(line.startswith("  a@held.test (vip): accept") for line in lines(found))


def _entries(**entries: DecisionPolicy) -> dict[str, Policy]:
    return {f"{name}.test": Policy(replace(one, name=name), SCORES) for name, one in entries.items()}
