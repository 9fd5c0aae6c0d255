"""A verdict in words."""

from dataclasses import replace

import pytest

from filterd.model.authentication import DmarcOverride, DmarcPolicy, DmarcResult, DmarcStatus
from filterd.model.custody import Evidence
from filterd.model.dns import Answer, AnswerStatus, Question, RRType
from filterd.model.inspection import Classified, Inspection, InspectionJob
from filterd.model.report import CheckReport, Finding, Outcome
from filterd.model.session import Recipient
from filterd.model.verdict import Action, ScoredSymbol
from filterd.operations.explain import REASONS, Scale, explain, lines, with_reasons
from filterd.pipeline.shares import Share
from filterd.score import ScoreRules
from filterd.score.rules import SymbolRule
from tests.quarantine.samples import evidence

RULES = ScoreRules(
    {"SPF_FAIL": SymbolRule(6.0, "The domain says so", "authentication", Action.QUARANTINE)},
    {},
)
SCALE = Scale(RULES, {"add_header": 6.0, "quarantine": 10.0, "reject": 15.0}, "c1")


def test_each_symbol_comes_with_its_meaning() -> None:
    """Points, what the cap cut, the least action, the description, what was seen."""
    (symbol,) = explain(evidence(), SCALE)["symbols"]
    assert symbol == {
        "name": "SPF_FAIL",
        "score": 5.0,
        "capped": 1.0,
        "replaced": "",
        "check": "spf",
        "group": "authentication",
        "floor": "quarantine",
        "description": "The domain says so",
        "evidence": [],
    }


def test_a_symbol_that_has_gone_is_still_shown() -> None:
    """The rules have changed since; the points have not."""
    (symbol,) = explain(evidence(), replace(SCALE, rules=ScoreRules({}, {})))["symbols"]
    assert (symbol["name"], symbol["score"], symbol["description"]) == ("SPF_FAIL", 5.0, "")


def test_the_text_says_all_of_it() -> None:
    """One line each for who, what, why, every point, every result, every check."""
    text = "\n".join(lines(explain(evidence(), SCALE)))
    for words in (
        "client        192.0.2.7  helo mail.a.test  trust stranger",
        "action        quarantine (observed only; would be reject)",
        "reason        score: the score reached 10",
        "score         12.50 of add_header 6, quarantine 10, reject 15",
        "sender told   451 4.7.1 later",
        "  +5.00  SPF_FAIL  The domain says so  (+1 cut by the cap of authentication, quarantine at least)",
        "  spf         fail for a.test (mailfrom)",
        "  dkim        pass for a.test , 2048 bits",
        "  arc         pass, 1 sets",
        "  dmarc       unknown: tempfail  (0 ms)",
        "lookups       1 answers used, 0 questions unanswered",
    ):
        assert words in text, (words, text)
    assert "configuration" not in text


def test_from_whom_and_about_what() -> None:
    """Author and subject as readers see them, for whoever decides by them; nothing where no inspector has read it."""
    found = explain(evidence(), SCALE)
    assert (found["author"], found["subject"]) == ("The \x1b[2J CEO <ceo@a.test>", "Your invoice")
    assert "subject       Your invoice" in list(lines(found))
    unread = explain(replace(evidence(), inspection=None), SCALE)
    assert (unread["author"], unread["subject"]) == ("", "")
    assert not any(line.startswith(("author", "subject")) for line in lines(unread))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Action.QUARANTINE, "250, in the MTA's own words, queue id 4BxQ; not that it is held"),
        (Action.ADD_HEADER, "250, in the MTA's own words, queue id 4BxQ"),
        (Action.REJECT, "5xx, in words that were not recorded"),
        (Action.DEFER, "4xx, in words that were not recorded"),
    ],
)
def test_what_the_sender_was_told(action: Action, words: str) -> None:
    """Where the filter said nothing itself: what the MTA says then, or that it is not known."""
    held = evidence()
    found = explain(replace(held, verdict=replace(held.verdict, action=action, reply=None)), SCALE)
    assert (found["reply"], found["told"]) == (None, words)
    assert f"sender told   {words}" in list(lines(found))


@pytest.mark.threat("MTA-26")
def test_held_for_some_is_unconfirmed() -> None:
    """Of what is held for some and goes on for others it is said that a filter behind may have refused it."""
    held = evidence()
    verdict = replace(held.verdict, action=Action.QUARANTINE, reply=None)
    envelope = replace(
        held.envelope, recipients=(Recipient("a@b.test", "<a@b.test>"), Recipient("c@b.test", "<c@b.test>"))
    )
    held = replace(held, verdict=verdict, envelope=envelope)
    some = [(), ("a@b.test",), ("a@b.test", "c@b.test")]
    found = [explain(replace(held, held_for=those), SCALE) for those in some]
    assert [one["unconfirmed"] for one in found] == [False, True, False]
    assert [one["told"].partition("; unconfirmed: ")[1] != "" for one in found] == [False, True, False]


def test_what_a_composite_stands_for_is_said() -> None:
    """A member that weighs nothing by itself names what counts in its place."""
    kept = evidence()
    symbols = (ScoredSymbol(Finding("SPF_FAIL"), "spf", 0.0, replaced="SPOOFED_NAME"),)
    changed = replace(kept, verdict=replace(kept.verdict, symbols=symbols))
    text = "\n".join(lines(explain(changed, SCALE)))
    assert "  +0.00  SPF_FAIL  The domain says so  (counts as SPOOFED_NAME, quarantine at least)" in text


def test_another_configuration_is_said() -> None:
    """What the thresholds were then nobody knows from today's file."""
    text = "\n".join(lines(explain(evidence(), replace(SCALE, config_id="c2"))))
    assert "decided under configuration c1, which is not the present one" in text


def test_what_rfc_7489_would_have_said_stands_beside_it() -> None:
    """Where another server judges by the older RFC, a sender wants to know why; likewise why it was spared."""
    result = DmarcResult(
        DmarcStatus.FAIL,
        "example.com",
        "example.com",
        "example.com",
        DmarcPolicy.QUARANTINE,
        override=DmarcOverride.MAILING_LIST,
        override_comment="talk by lists.example",
    )
    answer = Answer(
        Question("_dmarc.example.com", RRType.TXT), AnswerStatus.NOERROR, ("v=DMARC1; p=reject; t=y",), received=1.0
    )
    given = replace(evidence(), answers=(answer,), reports=(CheckReport("dmarc", Outcome.OK, auth_results=(result,)),))
    text = "\n".join(lines(explain(given, SCALE)))
    assert "dmarc       fail for example.com, example.com asks for quarantine" in text
    assert "none was applied by mailing_list: talk by lists.example" in text
    assert "RFC 7489 would have said fail under policy reject of example.com" in text


def test_a_question_without_an_answer_is_named() -> None:
    """What could not be found out is part of why."""
    lost = Answer(Question("gone.test", RRType.MX), AnswerStatus.TEMPFAIL, cause="timeout")
    found = explain(replace(evidence(), answers=(lost,)), SCALE)
    assert found["lookups"] == {"asked": 1, "unanswered": [{"name": "gone.test", "type": "MX", "cause": "timeout"}]}
    assert "  gone.test MX: timeout" in list(lines(found))


class Inspector:
    """Gives reasons where they are asked for."""

    def __init__(self, classified: Classified | None) -> None:
        """The opinion it has now."""
        self.jobs: list[InspectionJob] = []
        self._classified = classified

    def inspect(self, job: InspectionJob, body_fd: int, deadline: float) -> Inspection:  # noqa: ARG002  # the pool's arguments
        """The facts."""
        self.jobs.append(job)
        return Inspection(classified=self._classified)


THEN = Classified(1.5, 0.82, 0.25, "7-abc", 300, 200)


def judged(classified: Classified | None) -> Evidence:
    """Evidence of a message of which the classifier thought so."""
    kept = evidence()
    facts = kept.inspection or Inspection()
    return replace(kept, inspection=replace(facts, classified=classified))


def test_what_the_classifier_thought_is_said() -> None:
    """Probability and what it rests on; for a script all of it."""
    found = explain(judged(replace(THEN, reasons=("+0.50 body: casino",))), SCALE)
    assert found["classifier"] == {
        "probability": 0.82,
        "margin": 1.5,
        "domain": 0.25,
        "model": "7-abc",
        "spam": 300,
        "ham": 200,
        "reasons": ["+0.50 body: casino"],
    }
    text = "\n".join(lines(found))
    assert "classifier    spam with probability 0.82, by a model of 300 spam and 200 ham messages" in text
    assert "  +0.50 body: casino" in text
    assert explain(judged(None), SCALE)["classifier"] is None


def test_reasons_of_a_held_message_are_made_from_it() -> None:
    """It is read again, as its recipients' mail; the opinion stays the one it was held with."""
    inspector = Inspector(replace(THEN, probability=0.1, reasons=("+0.50 body: casino",)))
    found = with_reasons(judged(THEN), inspector, b"Subject: x\r\n\r\ncasino\r\n").inspection
    assert found is not None
    assert found.classified == replace(THEN, reasons=("+0.50 body: casino",))
    assert (inspector.jobs[0].reasons, inspector.jobs[0].body_size) == (REASONS, len(b"casino\r\n"))


def test_without_an_opinion_there_are_no_reasons() -> None:
    """Neither where there was none then, nor where there is no model now."""
    inspector = Inspector(None)
    assert with_reasons(judged(None), inspector, b"\r\n") == judged(None)
    assert inspector.jobs == []
    assert with_reasons(judged(THEN), inspector, b"\r\n") == judged(THEN)


def test_how_it_stood_with_the_greylist_is_said() -> None:
    """Where it was asked about it; else nothing is said of it."""
    found = replace(evidence(), state={"greylist": "greylisted, came back after 312 s"})
    assert explain(found, SCALE)["greylist"] == "greylisted, came back after 312 s"
    assert "greylist      greylisted, came back after 312 s" in list(lines(explain(found, SCALE)))
    assert explain(evidence(), SCALE)["greylist"] is None


def test_a_share_says_whom_it_is_for() -> None:
    """The policy that decided, and which recipients it is not about."""
    found = evidence()
    people = found.envelope.recipients
    held = replace(found, held_for=(people[0].address,), verdict=replace(found.verdict, policy="sales"))
    assert (explain(held, SCALE)["policy"], explain(held, SCALE)["held_for"]) == ("sales", [people[0].address])
    text = list(lines(explain(held, SCALE)))
    assert "policy        sales" in text
    assert f"recipient     {people[0].address}" in text
    for other in people[1:]:
        assert f"recipient     {other.address}  (not held for this one; filterd trace says what became of it)" in text


def test_the_shares_of_a_file_are_told_by_recipient() -> None:
    """Where a message is judged for several policies, each recipient's fate stands beside the address."""
    found = evidence()
    people = found.envelope.recipients
    accepted = replace(found.verdict, action=Action.ACCEPT, code="unfiltered", policy="open")
    shares = [Share(found.id, people[:1], accepted), Share(found.id, people[1:], found.verdict)]
    text = list(lines(explain(found, SCALE, shares)))
    assert f"recipient     {people[0].address}  accept (unfiltered, policy open)" in text
    for other in people[1:]:
        assert f"recipient     {other.address}  quarantine (score)" in text
