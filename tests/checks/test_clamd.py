"""What clamd said, as a report."""

import pytest

from filterd.checks.clamd import ClamdCheck
from filterd.model.report import Finding, Outcome
from filterd.model.scanning import Scanned
from tests.checks.views import FakeView, run


@pytest.mark.parametrize(
    ("scanned", "outcome", "findings"),
    [
        (None, Outcome.SKIPPED, ()),
        (Scanned(), Outcome.OK, ()),
        (Scanned("Some.Name"), Outcome.OK, (Finding("CLAMD_VIRUS", ("Some.Name",)),)),
        (Scanned(cause="clamd: no answer in time"), Outcome.UNKNOWN, ()),
    ],
)
def test_its_answer_is_a_report(scanned: Scanned | None, outcome: Outcome, findings: tuple[Finding, ...]) -> None:
    """A scanner that did not answer is unknown, never clean."""
    report = run(ClamdCheck(), FakeView(scanned={} if scanned is None else {"clamd": scanned}))
    assert (report.outcome, report.findings) == (outcome, findings)
    assert scanned is None or report.cause == scanned.cause
