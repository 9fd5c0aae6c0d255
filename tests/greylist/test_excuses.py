"""Who is spared, and only where it is proved."""

import pytest

from filterd.checks.reputation import ReputationCheck
from filterd.greylist import excuse, spf_domain
from filterd.greylist.excuses import ACQUAINTED, DUBIOUS
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
from filterd.model.inspection import Author, Mailbox
from filterd.model.report import CheckReport, Finding, Outcome

AUTHOR = Author((Mailbox("alice", "example.org", ""),))
PASS = SpfResult(SpfStatus.PASS, "example.org", SpfScope.MAILFROM)
ALIGNED = DmarcResult(DmarcStatus.PASS, "example.org")


def reports(*results: AuthResult, symbols: tuple[str, ...] = ()) -> dict[str, CheckReport]:
    """Reports of the checks that prove something, and of reputation."""
    by_check: dict[str, list[AuthResult]] = {"spf": [], "dkim": [], "dmarc": []}
    for result in results:
        kind = {SpfResult: "spf", DkimResult: "dkim", DmarcResult: "dmarc"}[type(result)]
        by_check[kind].append(result)
    found = {name: CheckReport(name, Outcome.OK, (), tuple(some)) for name, some in by_check.items()}
    findings = tuple([Finding(symbol) for symbol in symbols])
    return found | {"reputation": CheckReport("reputation", Outcome.OK, findings)}


def test_the_symbols_exist() -> None:
    """They are those that the check has."""
    assert ReputationCheck.symbols >= ACQUAINTED | DUBIOUS


@pytest.mark.parametrize("symbol", sorted(ACQUAINTED))
def test_a_known_correspondent(symbol: str) -> None:
    """Whom the recipients know, the check has seen proved."""
    assert excuse(reports(symbols=(symbol,)), AUTHOR, "alice@example.org") == "a known correspondent"


@pytest.mark.parametrize(
    "result", [ALIGNED, PASS, DkimResult(DkimStatus.PASS, "example.org", "s1")], ids=["dmarc", "spf", "dkim"]
)
def test_an_aligned_domain(result: AuthResult) -> None:
    """The author's own domain answers for it, by whatever proof."""
    assert excuse(reports(result), AUTHOR, "alice@example.org") == "example.org answers for it"


@pytest.mark.parametrize("symbol", sorted(DUBIOUS))
def test_a_domain_known_for_bad_mail(symbol: str) -> None:
    """Its own word for its mail is worth nothing."""
    assert excuse(reports(ALIGNED, symbols=(symbol,)), AUTHOR, "alice@example.org") == ""


@pytest.mark.parametrize(
    "results",
    [
        (),
        (SpfResult(SpfStatus.PASS, "other.example", SpfScope.MAILFROM),),
        (DkimResult(DkimStatus.PASS, "other.example", "s1"),),
        (PASS, DmarcResult(DmarcStatus.FAIL, "example.org")),
    ],
    ids=["nothing", "other spf", "other signature", "dmarc failed"],
)
def test_nobody_answers(results: tuple[AuthResult, ...]) -> None:
    """Somebody else's proof is none for the author."""
    assert excuse(reports(*results), AUTHOR, "alice@example.org") == ""


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (PASS, "example.org"),
        (SpfResult(SpfStatus.PASS, "example.org", SpfScope.HELO), ""),
        (SpfResult(SpfStatus.SOFTFAIL, "example.org", SpfScope.MAILFROM), ""),
    ],
)
def test_spf_domain(result: SpfResult, expected: str) -> None:
    """That of the envelope sender, where it passes."""
    assert spf_domain(reports(result)) == expected


def test_no_report_yet() -> None:
    """Before the answer is there nobody is proved."""
    assert (spf_domain({}), excuse({}, AUTHOR, "alice@example.org")) == ("", "")
