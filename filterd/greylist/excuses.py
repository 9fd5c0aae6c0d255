"""Who need not prove by coming again that he is a mail server. Pure.

Greylisting is for mail that nobody answers for. An aligned author's domain answers for its mail, unless it is known for
bad mail; a correspondent is known. Both only where they are proved.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from filterd.model.authentication import SpfResult, SpfScope, SpfStatus
from filterd.model.inspection import Author
from filterd.model.report import CheckReport
from filterd.reputation import responsible

# Symbols of the check `reputation`, which stands above this package; a test holds them together.
ACQUAINTED: Final = frozenset({"KNOWN_CORRESPONDENT", "KNOWN_SENDER"})
DUBIOUS: Final = frozenset({"REPUTATION_DOMAIN_POOR", "REPUTATION_DOMAIN_BAD"})
_REPUTATION: Final = "reputation"
_PROVERS: Final = ("spf", "dkim", "dmarc")


def spf_domain(reports: Mapping[str, CheckReport]) -> str:
    """The envelope sender's domain where it has authorised the client; empty otherwise."""
    report = reports.get("spf")
    for result in () if report is None else report.auth_results:
        if isinstance(result, SpfResult) and result.scope is SpfScope.MAILFROM and result.status is SpfStatus.PASS:
            return result.domain
    return ""


def excuse(reports: Mapping[str, CheckReport], author: Author, sender: str) -> str:
    """Why a finished message need not come again; empty where it must."""
    found = _symbols(reports.get(_REPUTATION))
    if not found.isdisjoint(ACQUAINTED):
        return "a known correspondent"
    results = [result for name in _PROVERS if name in reports for result in reports[name].auth_results]
    answers = responsible(results, author, sender)
    if answers is not None and answers.aligned and found.isdisjoint(DUBIOUS):
        return f"{answers.domain} answers for it"
    return ""


def _symbols(report: CheckReport | None) -> frozenset[str]:
    findings: Iterable[str] = () if report is None else [finding.symbol for finding in report.findings]
    return frozenset(findings)
