from collections.abc import Sequence
from dataclasses import replace

import pytest

from filterd.checks.dkimbl import DkimblCheck
from filterd.dns.fake import FakeResolver
from filterd.dnsbl import Subject, Zone
from filterd.model.authentication import DkimResult, DkimStatus
from filterd.model.inspection import Author, Inspection, Mailbox
from filterd.model.report import CheckReport, Outcome, Stage
from tests.checks import views

DWL = Zone("dwl", "dwl.example", "dwl.example", frozenset({Subject.DKIM_DOMAIN}), codes={"127.0.2.3": "DWL_HIGH"})
DBL = Zone(
    "dbl",
    "dbl.example",
    "dbl.example",
    frozenset({Subject.SENDER_DOMAIN, Subject.FROM_DOMAIN, Subject.DKIM_DOMAIN}),
    codes={"127.0.1.2": "DBL_SPAM"},
)
READ = Inspection(Author((Mailbox("anna", "author.example"),)))


def view(results: Sequence[DkimResult], outcome: Outcome = Outcome.OK) -> views.FakeView:
    """A message whose signatures have been looked at."""
    return views.FakeView(inspection=READ, reports={"dkim": CheckReport("dkim", outcome, auth_results=tuple(results))})


def signed(*domains: str, status: DkimStatus = DkimStatus.PASS) -> list[DkimResult]:
    """Signatures of these domains."""
    return [DkimResult(status, domain, "sel") for domain in domains]


def asked(check: DkimblCheck, one: views.FakeView) -> list[str]:
    """The names that lists are asked."""
    resolver = FakeResolver()
    views.run(check, one, resolver)
    return [question.name for question in resolver.asked]


def test_the_signer_is_asked_about() -> None:
    """The registrable part of its domain, with the list's word for it."""
    resolver = FakeResolver(a={"relay.example.dwl.example": ["127.0.2.3"]})
    report = views.run(DkimblCheck([DWL]), view(signed("mail.relay.example")), resolver)
    assert [(f.symbol, f.evidence) for f in report.findings] == [
        ("DWL_HIGH", ("dkim_domain mail.relay.example", "dwl.example", "127.0.2.3"))
    ]


@pytest.mark.parametrize("status", [status for status in DkimStatus if status is not DkimStatus.PASS])
@pytest.mark.threat("DNS-07")
def test_only_who_has_signed_is_praised_or_blamed(status: DkimStatus) -> None:
    """Anybody can write somebody's name into a signature."""
    report = views.run(DkimblCheck([DWL, DBL]), view(signed("relay.example", status=status)))
    assert (report.outcome, report.findings) == (Outcome.OK, ())
    assert asked(DkimblCheck([DWL, DBL]), view(signed("relay.example", status=status))) == []


def test_signatures_that_could_not_be_verified_leave_it_unknown() -> None:
    """Not being able to look is no clean bill."""
    report = views.run(DkimblCheck([DWL]), view(signed("a.example", status=DkimStatus.TEMPERROR), Outcome.UNKNOWN))
    assert (report.outcome, report.cause) == (Outcome.UNKNOWN, "signatures could not be verified")


def test_a_domain_that_is_asked_about_anyway_is_not_asked_again() -> None:
    """As sender or author the answer would say the same; lists that are not asked about those still are."""
    one = view(signed("author.example", "sender.example", "relay.example"))
    assert asked(DkimblCheck([DWL, DBL]), one) == [
        "relay.example.dbl.example",
        "author.example.dwl.example",
        "sender.example.dwl.example",
        "relay.example.dwl.example",
    ]
    own = replace(DBL, codes_about={Subject.DKIM_DOMAIN: {"127.0.1.2": "DBL_SIGNER"}})
    assert len(asked(DkimblCheck([own]), one)) == 3


def test_two_signatures_of_one_domain_ask_once() -> None:
    """One question, one finding."""
    resolver = FakeResolver(a={"relay.example.dwl.example": ["127.0.2.3"]})
    report = views.run(DkimblCheck([DWL]), view(signed("relay.example", "b.relay.example")), resolver)
    assert len(resolver.asked) == 1
    assert views.symbols(report) == ["DWL_HIGH"]


@pytest.mark.parametrize("record", ["127.255.255.255", "127.0.0.1", "10.1.1.1", "127.0.2.9"])
@pytest.mark.threat("DNS-01")
@pytest.mark.threat("DNS-02")
def test_an_answer_that_is_none_is_unknown_and_no_finding(record: str) -> None:
    """Least of all praise."""
    resolver = FakeResolver(a={"relay.example.dwl.example": [record]})
    report = views.run(DkimblCheck([DWL]), view(signed("relay.example")), resolver)
    assert (report.outcome, report.findings) == (Outcome.UNKNOWN, ())


def test_signers_are_foreseen() -> None:
    """At MAIL the sender's domain where nobody else asks about it, at HEADERS what signatures name."""
    one = views.FakeView(
        fields=[(b"DKIM-Signature", b" v=1; a=rsa-sha256; d=mail.relay.example; s=x; h=from; bh=; b=")]
    )
    assert views.foreseen(DkimblCheck([DWL, DBL]), one, Stage.MAIL) == ["sender.example.dwl.example"]
    assert views.foreseen(DkimblCheck([DWL, DBL]), one, Stage.HEADERS) == [
        "relay.example.dwl.example",
        "relay.example.dbl.example",
    ]
    assert DkimblCheck([DWL]).foresees == {Stage.MAIL, Stage.HEADERS}
    assert DkimblCheck([DBL]).foresees == {Stage.HEADERS}
    assert DkimblCheck([]).foresees == frozenset()


@pytest.mark.threat("DNS-07")
def test_hostile_signature_fields_are_no_exception() -> None:
    """Names that are none, bytes that are no text, and more fields than are read."""
    values = [
        b" d=a..b; s=x",
        b"\xff\xfe",
        b" d=" + b"x" * 20_000 + b"; s=y",
        b" d=[192.0.2.1]; s=z",
        b" d=one.example; s=s",
    ]
    one = views.FakeView(fields=[(b"DKIM-Signature", value) for value in values * 100])
    assert views.foreseen(DkimblCheck([DWL]), one, Stage.HEADERS) == ["one.example.dwl.example"]


@pytest.mark.threat("DNS-03")
def test_without_a_list_it_is_skipped_and_with_none_usable_unknown() -> None:
    """As the other checks of lists."""
    assert views.run(DkimblCheck([]), view([])).outcome is Outcome.SKIPPED
    assert views.run(DkimblCheck([DWL], lambda: {"dwl"}), view([])).outcome is Outcome.UNKNOWN
    assert DkimblCheck([DWL, DBL]).symbols == {"DWL_HIGH", "DBL_SPAM"}
