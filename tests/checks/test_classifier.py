"""The classifier's opinion as a symbol."""

import pytest

from filterd.checks.classifier import DMARC_PASSES, LEVELS, ClassifierCheck, authentication, shifted
from filterd.config.root import Config, shipped_rules
from filterd.model.authentication import (
    AuthResult,
    DkimResult,
    DkimStatus,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.inspection import Classified, Inspection
from filterd.model.report import CheckReport, Outcome
from filterd.score import load_scores
from tests.checks.views import FakeView, run, symbols

DMARC_PASS = DmarcResult(DmarcStatus.PASS, "x.test")
DMARC_FAIL = DmarcResult(DmarcStatus.FAIL, "x.test")
SPF_PASS = SpfResult(SpfStatus.PASS, "x.test", SpfScope.MAILFROM)
SPF_FAIL = SpfResult(SpfStatus.FAIL, "x.test", SpfScope.MAILFROM)


def report(inspection: Inspection | None, *results: AuthResult) -> CheckReport:
    """The check's report on a message with these facts and results."""
    reports = {name: CheckReport(name, Outcome.OK) for name in ClassifierCheck.needs}
    reports["dmarc"] = CheckReport("dmarc", Outcome.OK, auth_results=results)
    return run(ClassifierCheck(), FakeView(inspection=inspection, reports=reports))


def opinion(probability: float) -> Inspection:
    """Facts with that opinion."""
    return Inspection(classified=Classified(1.5, probability, 0.25, "7-abc", 300, 200))


@pytest.mark.parametrize(
    ("probability", "symbol"),
    [
        (1.0, ["CLASSIFIER_SPAM_HIGH"]),
        (0.96, ["CLASSIFIER_SPAM_MEDIUM"]),
        (0.9, ["CLASSIFIER_SPAM_LOW"]),
        (0.5, []),
        (0.1, ["CLASSIFIER_HAM_LOW"]),
        (0.04, ["CLASSIFIER_HAM_MEDIUM"]),
        (0.0, ["CLASSIFIER_HAM_HIGH"]),
    ],
)
def test_one_symbol_by_probability(probability: float, symbol: list[str]) -> None:
    """The surer, the stronger; in doubt there is none."""
    assert symbols(report(opinion(probability))) == symbol


def test_evidence_says_what_it_rests_on() -> None:
    """Probability, margin, the domain's part and the model stand beside the symbol."""
    found = report(opinion(0.9), DMARC_FAIL).findings[0].evidence
    assert found == (
        "spam with probability 0.9477: margin 1.50, +0.25 of it by the recipients' domain, +0.7 by authentication",
        "model 7-abc of 300 spam and 200 ham messages",
    )


def test_without_a_model_the_check_is_skipped() -> None:
    """A model that has learnt too little says nothing, and that is no failure."""
    found = report(Inspection())
    assert (found.outcome, found.findings) == (Outcome.SKIPPED, ())
    assert report(None).outcome is Outcome.UNKNOWN


def test_authentication_tips_what_is_near_a_border() -> None:
    """The same text is worse from a forged sender than from nobody, and better from a proved one."""
    nobody = SpfResult(SpfStatus.NONE, "x.test", SpfScope.MAILFROM)
    signed = DkimResult(DkimStatus.PASS, "x.test")
    order: list[list[AuthResult]] = [
        [DMARC_PASS, SPF_FAIL],
        [signed],
        [nobody],
        [SPF_FAIL],
        [DMARC_FAIL],
        [DMARC_FAIL, SPF_FAIL],
    ]
    found = [authentication(results) for results in order]
    assert found == sorted(found)
    assert len(set(found)) == len(found)
    assert symbols(report(opinion(0.92), DMARC_FAIL)) == ["CLASSIFIER_SPAM_MEDIUM"]
    assert symbols(report(opinion(0.82), DMARC_PASS)) == []
    assert authentication([SPF_PASS]) == authentication([]) == 0.0


def test_a_shift_keeps_certainty_within_bounds() -> None:
    """Probabilities of 0 and 1, which margins may round to, have no odds and are no error."""
    assert shifted(1.0, DMARC_PASSES) > 0.99
    assert shifted(0.0, -DMARC_PASSES) < 0.01


def test_alone_it_neither_tags_nor_clears() -> None:
    """As shipped no symbol of spam reaches the threshold for a tag, and none of ham brings a refusal to the mailbox."""
    rules, actions = load_scores(shipped_rules() / "scores.toml"), Config().actions
    group = rules.groups["classifier"]
    assert group.cap < actions.add_header
    assert actions.reject + group.floor >= actions.quarantine
    rows = [rules.symbols[f"CLASSIFIER_{kind}_{level}"] for kind in ("SPAM", "HAM") for _, level in LEVELS]
    assert {row.group for row in rows} == {"classifier"}
    assert all(group.floor <= row.weight <= group.cap for row in rows)
