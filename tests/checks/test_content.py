"""The content check: the inspector's findings as a report."""

from dataclasses import dataclass

import pytest

from filterd.checks.content import ContentCheck
from filterd.dns.plans import complete
from filterd.mime.symbols import AMBIGUOUS, ARCHIVES, DOCUMENTS, HEURISTICS, UNSCANNABLE
from filterd.model.dns import Answer, Question
from filterd.model.inspection import Inspection
from filterd.model.report import CheckReport, Finding, Outcome, Stage


@dataclass
class Transaction:
    """As much of a view as the check looks at."""

    inspection: Inspection | None


def report(inspection: Inspection | None) -> CheckReport:
    """Run the check; any question is an error."""

    def refuse(question: Question) -> Answer:
        raise AssertionError(question)

    return complete(ContentCheck().run(Transaction(inspection)), refuse)  # type: ignore[arg-type]  # a part of a view


def test_findings_are_reported() -> None:
    """The findings of the inspection are the check's."""
    findings = (Finding("HTML_ONLY"), Finding("AMBIGUOUS_FROM", ("two addresses",)))
    assert report(Inspection(findings=findings)) == CheckReport("content", Outcome.OK, findings)


def test_without_inspection_unknown() -> None:
    """An inspector that died says nothing about the message."""
    found = report(None)
    assert found.outcome is Outcome.UNKNOWN
    assert found.cause != ""


def test_unknown_symbols_are_not_passed_on() -> None:
    """A finding that nobody weighs must not read as clean."""
    found = report(Inspection(findings=(Finding("NO_SUCH_SYMBOL"),)))
    assert (found.outcome, found.findings) == (Outcome.UNKNOWN, ())


@pytest.mark.parametrize("symbols", [AMBIGUOUS, UNSCANNABLE, HEURISTICS, ARCHIVES, DOCUMENTS])
def test_declared_symbols(symbols: frozenset[str]) -> None:
    """The check declares all it may report, and needs nobody."""
    check = ContentCheck()
    assert symbols <= check.symbols
    assert (check.stage, check.needs) == (Stage.EOM, ())
