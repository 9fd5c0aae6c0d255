"""The operator's list of senders: by proof only."""

import pytest

from filterd.checks.allow import AllowCheck
from filterd.model.authentication import DkimResult, DkimStatus, SpfResult, SpfScope, SpfStatus
from filterd.model.identity import Identity
from filterd.model.report import CheckReport, Outcome
from tests.checks.views import FakeView, run, symbols

PASS = CheckReport("dkim", Outcome.OK, auth_results=(DkimResult(DkimStatus.PASS, "example.org"),))
FAIL = CheckReport("dkim", Outcome.OK, auth_results=(DkimResult(DkimStatus.FAIL, "example.org"),))
LOST = CheckReport("dkim", Outcome.UNKNOWN, cause="timeout")
SPF = CheckReport("spf", Outcome.OK, auth_results=(SpfResult(SpfStatus.FAIL, "example.org", SpfScope.MAILFROM),))
LIST = AllowCheck((Identity.parse("dkim:example.org"),))


def _view(dkim: CheckReport) -> FakeView:
    return FakeView(fields=((b"From", b"anna@example.org"),), reports={"spf": SPF, "dkim": dkim})


def test_a_proved_sender_gets_its_symbol_with_the_entry() -> None:
    """Who reads the verdict sees which line of the configuration it was."""
    report = run(LIST, _view(PASS))
    assert (report.outcome, symbols(report), report.findings[0].evidence) == (
        Outcome.OK,
        ["ALLOWED_SENDER"],
        ("dkim:example.org",),
    )


@pytest.mark.threat("AUTH-01")
def test_a_from_field_alone_is_nobody() -> None:
    """The author's domain is on the list, and nothing proves that it is the author's."""
    report = run(LIST, _view(FAIL))
    assert (report.outcome, symbols(report)) == (Outcome.OK, [])


def test_what_could_not_be_checked_is_unknown() -> None:
    """Neither allowed nor refused."""
    assert run(LIST, _view(LOST)).outcome is Outcome.UNKNOWN


def test_without_entries_it_is_skipped() -> None:
    """An empty list costs nothing and says nothing."""
    assert run(AllowCheck(), _view(PASS)).outcome is Outcome.SKIPPED
