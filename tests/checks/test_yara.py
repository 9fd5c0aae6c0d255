"""The YARA check: the inspector's hits as a report that scoring counts once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from filterd.checks.yara import MAX_EVIDENCE, YaraCheck
from filterd.dns.plans import complete
from filterd.mime.symbols import UNSCANNABLE
from filterd.model.dns import Answer, Question
from filterd.model.inspection import Inspection, RuleHit
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.model.verdict import Action
from filterd.score import Score, ScoreRules, SymbolRule, score, settle

RULES = ScoreRules(MappingProxyType({"YARA_LIGHT": SymbolRule(2.0), "DNSWL_HIGH": SymbolRule(-5.0)}), {})


@dataclass
class Transaction:
    """As much of a view as the check looks at."""

    inspection: Inspection | None


def report(*hits: RuleHit, findings: tuple[Finding, ...] = (), rule_set: str = "set") -> CheckReport:
    """Run the check over an inspection; any question is an error."""
    return run(Inspection(hits=hits, findings=findings, rule_set=rule_set))


def run(inspection: Inspection | None) -> CheckReport:
    """Run the check."""

    def refuse(question: Question) -> Answer:
        raise AssertionError(question)

    return complete(YaraCheck().run(Transaction(inspection)), refuse)  # type: ignore[arg-type]  # a part of a view


def hit(symbol: str, rule: str = "rule", part: str = "1", **meta: str | int | bool) -> RuleHit:
    """A rule that matched."""
    return RuleHit(rule, "file", symbol, part, meta=meta)


def weighed(*hits: RuleHit) -> Score:
    """Report and score, as at the end of a message."""
    return score([report(*hits)], RULES, hits)


def test_one_finding_for_each_symbol_with_rules_and_parts() -> None:
    """Several rules and parts behind one symbol are one finding that names them all."""
    found = report(hit("YARA_A", "one", "1"), hit("YARA_B", "two", "1"), hit("YARA_A", "three", "2/x.exe"))
    assert found == CheckReport(
        "yara", Outcome.OK, (Finding("YARA_A", ("one in 1", "three in 2/x.exe")), Finding("YARA_B", ("two in 1",)))
    )


def test_evidence_is_bounded() -> None:
    """A thousand parts with one rule name a few of them, and no text is longer than evidence may be."""
    found = report(*[hit("YARA_A", part=f"{number}/{'x' * 500}") for number in range(1_000)])
    evidence = found.findings[0].evidence
    assert (len(evidence), evidence[-1]) == (MAX_EVIDENCE + 1, "and 995 more")
    assert max(len(text) for text in evidence) <= 200


def test_no_hits_is_ok() -> None:
    """Rules that saw everything and matched nothing."""
    assert report() == CheckReport("yara", Outcome.OK)


def test_without_inspection_unknown() -> None:
    """An inspector that died says nothing about the message."""
    found = run(None)
    assert (found.outcome, found.findings) == (Outcome.UNKNOWN, ())
    assert found.cause != ""


def test_without_rules_skipped() -> None:
    """Nothing was asked: that is neither clean nor unknown."""
    assert report(rule_set="").outcome is Outcome.SKIPPED


@pytest.mark.threat("RES-10")
@pytest.mark.parametrize("symbol", sorted(UNSCANNABLE - {"UNSCANNABLE_HTML", "UNSCANNABLE_CRASH"}))
def test_content_that_rules_have_not_seen_is_unknown(symbol: str) -> None:
    """A scan cut short, or a part that never reached the rules, is not clean; what was found stands."""
    found = report(hit("YARA_A"), findings=(Finding("HTML_ONLY"), Finding(symbol, ("2/a.zip",))))
    assert (found.outcome, [one.symbol for one in found.findings]) == (Outcome.UNKNOWN, ["YARA_A"])
    assert found.cause == f"not everything was scanned: {symbol} 2/a.zip"


@pytest.mark.parametrize(("stage", "outcome"), [("yara", Outcome.UNKNOWN), ("heuristics", Outcome.OK)])
def test_a_crash_counts_where_it_kept_bytes_from_the_rules(stage: str, outcome: Outcome) -> None:
    """A heuristic that failed takes nothing away from YARA."""
    assert report(findings=(Finding("UNSCANNABLE_CRASH", (stage, "ValueError")),)).outcome is outcome


def test_a_page_that_was_not_parsed_was_scanned() -> None:
    """UNSCANNABLE_HTML is about its structure, not its bytes."""
    assert report(findings=(Finding("UNSCANNABLE_HTML"),)).outcome is Outcome.OK


def test_a_hit_counts_once_and_for_this_check() -> None:
    """The report and the hits are the same thing seen twice; the weight is the rule's own or its row's."""
    result = weighed(hit("YARA_LIGHT", score=9), hit("YARA_LIGHT", part="2"), hit("YARA_OWN", score=3))
    assert result.total == 5.0
    assert [(one.check, one.finding.symbol, one.weight) for one in result.symbols] == [
        ("yara", "YARA_LIGHT", 2.0),
        ("yara", "YARA_OWN", 3.0),
    ]


def test_a_rule_in_shadow_is_shown_and_one_in_test_is_not_and_neither_weighs_anything() -> None:
    """Stages test and shadow let a team see what a rule would hit before it bites."""
    result = weighed(hit("YARA_NEW", score=9, action="reject", stage="shadow"), hit("YARA_LIGHT", stage="test"))
    assert (result.total, result.floor) == (0.0, None)
    assert [one.finding.symbol for one in result.symbols] == ["YARA_NEW"]


def test_only_an_enforced_rule_sets_its_action() -> None:
    """One that scores adds its points and leaves the rest to them; without a stage an action is meant."""
    scored = weighed(hit("YARA_A", score=4, action="reject", stage="score"))
    enforced = weighed(hit("YARA_A", score=4, action="reject", stage="enforce"))
    unsaid = weighed(hit("YARA_A", score=4, action="reject"))
    assert [(one.total, one.floor) for one in (scored, enforced, unsaid)] == [
        (4.0, None),
        (4.0, Action.REJECT),
        (4.0, Action.REJECT),
    ]


def test_an_enforced_rule_speaks_before_one_that_scores() -> None:
    """Of two with one symbol the order of the files does not decide."""
    result = weighed(
        hit("YARA_X", score=1, action="reject", stage="score"),
        hit("YARA_X", "two", score=4, action="quarantine", stage="enforce"),
    )
    assert (result.total, result.floor) == (4.0, Action.QUARANTINE)


def test_a_rule_that_has_expired_says_so() -> None:
    """The evidence names the day; nothing is counted any more."""
    facts = Inspection(hits=(hit("YARA_A", score=4, action="reject", expires="2026-01-31"),), rule_set="set")
    facts = settle(facts, datetime(2026, 2, 1, tzinfo=UTC).timestamp(), {})
    assert report(*facts.hits).findings == (Finding("YARA_A", ("rule in 1 (expired 2026-01-31)",)),)
    assert (weighed(*facts.hits).total, weighed(*facts.hits).floor) == (0.0, None)


def test_a_counted_rule_speaks_for_a_symbol_it_shares() -> None:
    """A rule under test does not silence another one with the same symbol."""
    result = weighed(hit("YARA_X", score=1, stage="test"), hit("YARA_X", "two", score=4, action="quarantine"))
    assert (result.total, result.floor) == (4.0, Action.QUARANTINE)


def test_no_rule_speaks_in_the_name_of_a_check() -> None:
    """A hit under an allow list's symbol gives no points away, and is said."""
    found = report(hit("DNSWL_HIGH"))
    assert (found.outcome, found.findings) == (Outcome.UNKNOWN, ())
    assert weighed(hit("DNSWL_HIGH", score=-50)) == Score(0.0)


def test_it_declares_itself() -> None:
    """Stage and needs; the rules' symbols are known to the rules alone."""
    check = YaraCheck()
    assert (check.name, check.stage, check.needs, check.symbols) == ("yara", Stage.EOM, (), frozenset())
    assert check.foresee(Transaction(None), Stage.MAIL) is None  # type: ignore[arg-type]  # a part of a view
