"""From score, floors, unknowns and failures to one action with one reason."""

from dataclasses import replace
from itertools import product

import pytest

from filterd.model.authentication import SpfResult, SpfScope, SpfStatus
from filterd.model.report import CheckReport, Finding, Outcome
from filterd.model.session import TrustClass
from filterd.model.verdict import Action, ScoredSymbol, SmtpReply, Verdict
from filterd.pipeline.decide import DecisionPolicy, Facts, decide
from filterd.score import Score
from tests.pipeline.fakes import POLICY, everywhere, reports_of

UNKNOWN = CheckReport("spf", Outcome.UNKNOWN, cause="timeout")
CRASHED = CheckReport("dkim", Outcome.CRASHED, cause="ValueError")


def _reply(action: Action, code: str) -> SmtpReply | None:
    classes = {Action.REJECT: (550, "5.7.1"), Action.DEFER: (451, "4.7.1")}
    if action not in classes:
        return None
    number, enhanced = classes[action]
    return SmtpReply(number, enhanced, code)


def _decided(facts: Facts, policy: DecisionPolicy = POLICY) -> Verdict:
    return decide(facts, policy, _reply)


def _facts(  # what the tests vary
    total: float = 0.0,
    floor: Action | None = None,
    reports: tuple[CheckReport, ...] = (),
    *,
    trust: TrustClass = TrustClass.STRANGER,
    failure: str = "",
    hold: str = "",
) -> Facts:
    score = Score(total, (), floor, "UNSCANNABLE_ARCHIVE" if floor else "")
    return Facts(score, reports_of(*reports), trust, failure, hold)


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (-3.0, Action.ACCEPT),
        (5.999999, Action.ACCEPT),
        (6.0, Action.ADD_HEADER),
        (9.99, Action.ADD_HEADER),
        (10.0, Action.QUARANTINE),
        (14.99, Action.QUARANTINE),
        (15.0, Action.REJECT),
        (1_000.0, Action.REJECT),
    ],
)
def test_a_score_that_reaches_a_threshold_gets_its_action(total: float, expected: Action) -> None:
    """The threshold itself counts as reached, and the severest reached one is taken."""
    assert _decided(_facts(total)).action is expected


@pytest.mark.parametrize(
    ("total", "floor", "expected", "code"),
    [
        (0.0, Action.QUARANTINE, Action.QUARANTINE, "unscannable-archive"),
        (7.0, Action.QUARANTINE, Action.QUARANTINE, "unscannable-archive"),
        (20.0, Action.QUARANTINE, Action.REJECT, "score"),
        (0.0, Action.ADD_HEADER, Action.ADD_HEADER, "unscannable-archive"),
        (11.0, Action.QUARANTINE, Action.QUARANTINE, "score"),
    ],
)
def test_a_floor_lifts_a_milder_action_and_never_lowers_one(
    total: float, floor: Action, expected: Action, code: str
) -> None:
    """A floor is the mildest action; where the score asks for as much, the score is the reason."""
    verdict = _decided(_facts(total, floor))
    assert (verdict.action, verdict.code) == (expected, code)


@pytest.mark.parametrize("action", [Action.ADD_HEADER, Action.DEFER, Action.QUARANTINE])
def test_an_unknown_does_what_its_check_and_trust_class_say(action: Action) -> None:
    """The operator's word for this check and this class counts, and for no other class."""
    policy = replace(POLICY, on_unknown={"spf": {TrustClass.STRANGER: action}})
    found = {trust: _decided(_facts(reports=(UNKNOWN,), trust=trust), policy) for trust in TrustClass}
    assert found.pop(TrustClass.STRANGER).action is action
    assert {verdict.action for verdict in found.values()} == {Action.ACCEPT}


def test_an_unknown_names_itself_and_its_cause() -> None:
    """The reason of a message that could not be checked says which check and why."""
    verdict = _decided(_facts(reports=(UNKNOWN,)), replace(POLICY, on_unknown={"spf": everywhere(Action.DEFER)}))
    assert (verdict.code, verdict.text) == ("spf-unknown", "spf could not be checked: timeout")


def test_by_default_an_unknown_changes_nothing() -> None:
    """A lookup that failed reads neither as clean nor as guilty: the other checks decide."""
    assert _decided(_facts(0.0, reports=(UNKNOWN,))).action is Action.ACCEPT
    assert _decided(_facts(11.0, reports=(UNKNOWN,))).code == "score"


def test_a_milder_unknown_does_not_hide_a_severer_score() -> None:
    """Of all that asks for something the severest is done."""
    policy = replace(POLICY, on_unknown={"spf": everywhere(Action.ADD_HEADER)})
    assert _decided(_facts(20.0, reports=(UNKNOWN,)), policy).action is Action.REJECT


def test_a_crashed_check_defers() -> None:
    """Our bug is our fault: the client is told to come again, whatever else is clean."""
    verdict = _decided(_facts(reports=(CRASHED,)))
    assert (verdict.action, verdict.code) == (Action.DEFER, "check-crashed")
    assert verdict.reply == SmtpReply(451, "4.7.1", "check-crashed")


def test_a_crashed_check_does_not_save_a_message_from_rejection() -> None:
    """What is refused anyway is not deferred for a bug of ours."""
    assert _decided(_facts(20.0, reports=(CRASHED,))).action is Action.REJECT


@pytest.mark.parametrize("trust", list(TrustClass))
def test_an_inspection_that_failed_defers_where_nothing_is_said(trust: TrustClass) -> None:
    """Without facts about the content no class of client is let through."""
    verdict = _decided(_facts(failure="the inspector died", trust=trust))
    assert (verdict.action, verdict.code, verdict.text) == (Action.DEFER, "inspection-failed", "the inspector died")


def test_an_inspection_that_failed_can_hold() -> None:
    """The operator may have such messages held at once."""
    policy = replace(POLICY, on_unknown={"inspector": everywhere(Action.QUARANTINE)})
    verdict = _decided(_facts(failure="the inspector died"), policy)
    assert (verdict.action, verdict.reply) == (Action.QUARANTINE, None)


def test_checks_without_their_facts_do_not_add_to_a_failed_inspection() -> None:
    """Where the inspector died, every check on content is unknown for that same reason, not for one of its own."""
    content = CheckReport("content", Outcome.UNKNOWN, cause="the content was not inspected")
    policy = replace(POLICY, on_unknown={"content": everywhere(Action.QUARANTINE)})
    assert _decided(_facts(reports=(content,), failure="the inspector died"), policy).code == "inspection-failed"


@pytest.mark.parametrize("total", [0.0, 20.0])
@pytest.mark.threat("RES-01")
def test_a_poisonous_message_is_held_whatever_else_is_known(total: float) -> None:
    """What has ended two inspectors is held, even where the rest would refuse or defer it."""
    verdict = _decided(_facts(total, reports=(CRASHED,), failure="", hold="2 inspectors died on this message"))
    assert (verdict.action, verdict.code, verdict.reply) == (Action.QUARANTINE, "poison", None)


@pytest.mark.parametrize(
    "facts",
    [
        _facts(20.0),
        _facts(11.0),
        _facts(7.0),
        _facts(reports=(CRASHED,)),
        _facts(failure="the inspector died"),
        _facts(hold="2 inspectors died"),
    ],
    ids=["reject", "quarantine", "add_header", "crashed", "failed", "poison"],
)
def test_observing_accepts_and_says_what_would_have_been(facts: Facts) -> None:
    """Observe-only mode enforces nothing, and loses nothing of the reason."""
    enforced = _decided(facts)
    observed = _decided(facts, replace(POLICY, observe=True))
    assert (observed.action, observed.reply) == (Action.ACCEPT, None)
    assert observed.observed is enforced.action
    assert (observed.code, observed.text, observed.score) == (enforced.code, enforced.text, enforced.score)


def test_observing_a_clean_message_is_no_observation() -> None:
    """What would have been accepted is accepted, not observed."""
    assert _decided(_facts(1.0), replace(POLICY, observe=True)).observed is None


@pytest.mark.parametrize(
    ("check", "code"),
    [
        ("dnsbl", "listed"),
        ("uribl", "listed"),
        ("yara", "malware"),
        ("spf", "authentication"),
        ("dkim", "authentication"),
        ("dmarc", "authentication"),
        ("iprev", "client-name"),
        ("content", "score"),
        ("future", "score"),
    ],
)
def test_the_reason_of_a_score_is_what_weighed_most(check: str, code: str) -> None:
    """The check whose symbols together brought most points names the reason, not the one with the largest symbol."""
    symbols = (
        ScoredSymbol(Finding("HELPER"), "helper", 7.0),
        ScoredSymbol(Finding("ONE"), check, 6.0),
        ScoredSymbol(Finding("TWO"), check, 2.0),
    )
    verdict = _decided(replace(_facts(), score=Score(13.0, symbols)))
    assert verdict.code == code
    assert verdict.text == "score 13.0 of 10: HELPER, ONE, TWO"


def test_the_text_names_the_three_heaviest() -> None:
    """Enough to see why, short enough for a line."""
    symbols = tuple(ScoredSymbol(Finding(f"S{weight}"), "content", float(weight)) for weight in (1, 4, 2, 3))
    assert _decided(replace(_facts(), score=Score(10.0, symbols))).text == "score 10.0 of 10: S4, S3, S2"


def test_the_verdict_carries_score_and_symbols() -> None:
    """What was counted goes into the verdict as it was counted."""
    symbols = (ScoredSymbol(Finding("ONE"), "content", 1.234),)
    verdict = _decided(replace(_facts(), score=Score(1.234, symbols)))
    assert (verdict.score, verdict.symbols) == (1.23, symbols)


def test_every_combination_ends_in_the_severest_that_was_asked_for() -> None:
    """Score, floor, unknown and crash together: the action is exactly the maximum of what each alone would give."""
    policy = replace(POLICY, on_unknown={"spf": everywhere(Action.ADD_HEADER)})
    for total, floor, unknown, crashed in product(
        (0.0, 7.0, 11.0, 20.0), (None, Action.QUARANTINE), (False, True), (False, True)
    ):
        reports = (UNKNOWN,) * unknown + (CRASHED,) * crashed
        alone = [_facts(total), _facts(0.0, floor), *[_facts(reports=(report,)) for report in reports]]
        expected = max([_decided(facts, policy).action for facts in alone], key=lambda action: action.rank)
        assert _decided(_facts(total, floor, reports), policy).action is expected


SPF_FAIL = CheckReport("spf", Outcome.OK, auth_results=(SpfResult(SpfStatus.FAIL, "a.example", SpfScope.MAILFROM),))


@pytest.mark.parametrize("action", [Action.ADD_HEADER, Action.DEFER, Action.QUARANTINE, Action.REJECT])
def test_a_result_leads_to_what_the_operator_asks_for(action: Action) -> None:
    """By check, result and trust class; the reason names the first two."""
    policy = replace(POLICY, on_result={"spf": {"fail": {TrustClass.STRANGER: action}}})
    verdict = _decided(_facts(reports=(SPF_FAIL,)), policy)
    assert (verdict.action, verdict.code) == (action, "spf-fail")


def test_a_result_leads_to_nothing_for_others() -> None:
    """Another trust class, another result, another check."""
    everybody = everywhere(Action.REJECT)
    policy = replace(
        POLICY,
        on_result={
            "spf": {"fail": {TrustClass.RELAY: Action.REJECT}, "softfail": everybody},
            "dkim": {"fail": everybody},
            "iprev": {"fail": everybody},
        },
    )
    assert _decided(_facts(reports=(SPF_FAIL, CheckReport("dkim", Outcome.OK))), policy).action is Action.ACCEPT


def test_the_severer_of_score_and_result_wins() -> None:
    """What a result leads to is the least."""
    policy = replace(POLICY, on_result={"spf": {"fail": everywhere(Action.ADD_HEADER)}})
    assert _decided(_facts(11.0, reports=(SPF_FAIL,)), policy).action is Action.QUARANTINE


OFF = replace(POLICY, name="abuse", off=True, laws={"UNSCANNABLE_ARCHIVE": Action.QUARANTINE})


def _with(*symbols: str, total: float = 0.0, floor: Action | None = None) -> Score:
    scored = tuple([ScoredSymbol(Finding(symbol), "content", total) for symbol in symbols])
    return Score(total, scored, floor, symbols[0] if floor else "")


def test_a_verdict_names_its_policy() -> None:
    """Enforced and observed; the site's own has no name."""
    named = replace(POLICY, name="sales")
    assert _decided(_facts(11.0), named).policy == "sales"
    assert _decided(_facts(11.0), replace(named, observe=True)).policy == "sales"
    assert _decided(_facts(11.0)).policy == ""


def test_unfiltered_mail_is_accepted_whatever_was_found() -> None:
    """Score, floors, results and unknowns do not count; what was found is still told."""
    policy = replace(OFF, on_unknown={"spf": everywhere(Action.DEFER)})
    facts = Facts(_with("CLAMD_VIRUS", total=30.0, floor=Action.REJECT), reports_of(UNKNOWN), TrustClass.STRANGER)
    verdict = _decided(facts, policy)
    assert (verdict.action, verdict.code, verdict.score, len(verdict.symbols)) == (Action.ACCEPT, "unfiltered", 30.0, 1)


@pytest.mark.parametrize(
    ("facts", "action", "code"),
    [
        (Facts(_with("UNSCANNABLE_ARCHIVE"), {}, TrustClass.STRANGER), Action.QUARANTINE, "unscannable-archive"),
        (Facts(Score(0.0), reports_of(CRASHED), TrustClass.STRANGER), Action.DEFER, "check-crashed"),
        (Facts(Score(0.0), {}, TrustClass.STRANGER, failure="it died"), Action.DEFER, "inspection-failed"),
        (Facts(Score(0.0), {}, TrustClass.STRANGER, hold="two died"), Action.QUARANTINE, "poison"),
    ],
)
def test_what_the_laws_ask_for_goes_for_unfiltered_mail_too(facts: Facts, action: Action, code: str) -> None:
    """What cannot be read whole, kills inspectors, or was not judged for a fault of ours is never let through."""
    verdict = _decided(facts, OFF)
    assert (verdict.action, verdict.code) == (action, code)
