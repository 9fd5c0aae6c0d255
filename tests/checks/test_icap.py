"""What the ICAP service said, as a report."""

import pytest

from filterd.checks.icap import IcapCheck
from filterd.model.report import Finding, Outcome
from filterd.model.scanning import Scanned
from tests.checks.views import FakeView, run


@pytest.mark.parametrize(
    ("scanned", "outcome", "findings"),
    [
        (None, Outcome.SKIPPED, ()),
        (Scanned(), Outcome.OK, ()),
        (Scanned("Some.Name"), Outcome.OK, (Finding("ICAP_VIRUS", ("Some.Name",)),)),
        (Scanned(cause="icap: no answer in time"), Outcome.UNKNOWN, ()),
    ],
)
def test_its_answer_is_a_report(scanned: Scanned | None, outcome: Outcome, findings: tuple[Finding, ...]) -> None:
    """A scanner that did not answer is unknown, never clean."""
    report = run(IcapCheck(), FakeView(scanned={} if scanned is None else {"icap": scanned}))
    assert (report.outcome, report.findings) == (outcome, findings)
    assert scanned is None or report.cause == scanned.cause
