"""The check for regex rules: the inspector's hits as a report, beside those of YARA."""

from dataclasses import dataclass

import pytest

from filterd.checks.contract import Check
from filterd.checks.regex import RegexCheck
from filterd.checks.yara import YaraCheck
from filterd.dns.plans import complete
from filterd.mime.symbols import UNSCANNABLE_CRASH, UNSCANNABLE_DEPTH, UNSCANNABLE_HTML, finding
from filterd.model.dns import Answer, Question
from filterd.model.inspection import Inspection, RuleHit
from filterd.model.report import CheckReport, Finding, Outcome
from filterd.score import ScoreRules, SymbolRule, score

HITS = (
    RuleHit("REGEX_A", "own", "REGEX_A", "subject", ("'x'",), {"score": "2", "stage": "score"}),
    RuleHit("one", "own", "YARA_A", "1", meta={"score": "3"}),
    RuleHit("REGEX_T", "own", "REGEX_T", "body", meta={"stage": "test"}),
)


@dataclass
class Transaction:
    """As much of a view as the checks look at."""

    inspection: Inspection | None


def run(inspection: Inspection | None, check: Check | None = None) -> CheckReport:
    """Run the check; any question is an error."""

    def refuse(question: Question) -> Answer:
        raise AssertionError(question)

    return complete((check or RegexCheck()).run(Transaction(inspection)), refuse)  # type: ignore[arg-type]  # a part of a view


def test_each_check_names_its_own_rules() -> None:
    """Rules of the other kind are not strange to either; of what is tried nothing is said."""
    facts = Inspection(hits=HITS, rule_set="set")
    assert run(facts) == CheckReport("regex", Outcome.OK, (Finding("REGEX_A", ("REGEX_A in subject",)),))
    assert run(facts, YaraCheck()) == CheckReport("yara", Outcome.OK, (Finding("YARA_A", ("one in 1",)),))


def test_a_hit_counts_once_under_its_own_check() -> None:
    """With a report or, where the check is left out for a client, without."""
    for reports in ([run(Inspection(hits=HITS))], []):
        found = score(reports, ScoreRules({"REGEX_A": SymbolRule(1.5)}, {}), HITS)
        assert [(one.finding.symbol, one.check, one.weight) for one in found.symbols] == [
            ("REGEX_A", "regex", 1.5),
            ("YARA_A", "yara", 3.0),
        ]


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (finding(UNSCANNABLE_CRASH, "regex", "ValueError"), Outcome.UNKNOWN),
        (finding(UNSCANNABLE_CRASH, "mime", "ValueError"), Outcome.UNKNOWN),
        (finding(UNSCANNABLE_HTML, "too deep"), Outcome.UNKNOWN),
        (finding(UNSCANNABLE_CRASH, "yara", "ValueError"), Outcome.OK),
        (finding(UNSCANNABLE_DEPTH, "1.2"), Outcome.OK),
    ],
)
def test_what_was_not_searched_is_unknown(found: Finding, outcome: Outcome) -> None:
    """Where the search or what brings its texts failed; what was found all the same stands."""
    report = run(Inspection(hits=HITS, findings=(found,)))
    assert (report.outcome, len(report.findings)) == (outcome, 1)


def test_no_inspection_is_unknown() -> None:
    """Nothing was searched."""
    assert run(None).outcome is Outcome.UNKNOWN
