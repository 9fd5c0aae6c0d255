import pytest

from filterd.checks.spf import SpfCheck
from filterd.dns.fake import FakeResolver
from filterd.model.authentication import SpfResult, SpfScope, SpfStatus
from filterd.model.report import CheckReport, Outcome, Stage
from filterd.model.session import Client, Envelope
from tests.checks.views import FakeView, foreseen, run, symbols

GOOD = ["v=spf1 ip4:192.0.2.1 -all"]
BAD = ["v=spf1 -all"]


def results(report: CheckReport) -> dict[SpfScope, SpfResult]:
    """The report's results by identity."""
    return {one.scope: one for one in report.auth_results if isinstance(one, SpfResult)}


def test_both_identities_are_judged() -> None:
    """HELO and MAIL FROM have a result each (RFC 7208, sections 2.3 and 2.4)."""
    resolver = FakeResolver(txt={"sender.example": GOOD, "mx.sender.example": BAD})
    report = run(SpfCheck(), FakeView(), resolver)
    assert report.outcome is Outcome.OK
    assert {scope: (one.status, one.domain) for scope, one in results(report).items()} == {
        SpfScope.HELO: (SpfStatus.FAIL, "mx.sender.example"),
        SpfScope.MAILFROM: (SpfStatus.PASS, "sender.example"),
    }
    assert symbols(report) == ["SPF_PASS", "SPF_HELO_FAIL"]


def test_both_records_are_asked_at_once() -> None:
    """The first step asks for the records of both identities."""
    questions = next(SpfCheck().run(FakeView()))
    assert [question.name for question in questions] == ["mx.sender.example", "sender.example"]


@pytest.mark.parametrize(
    ("record", "symbol"),
    [
        ("v=spf1 ip4:192.0.2.1 -all", "SPF_PASS"),
        ("v=spf1 -all", "SPF_FAIL"),
        ("v=spf1 ~all", "SPF_SOFTFAIL"),
        ("v=spf1 ?all", "SPF_NEUTRAL"),
        ("unrelated", "SPF_NONE"),
        ("v=spf1 nonsense", "SPF_PERMERROR"),
    ],
)
def test_every_status_has_its_symbol(record: str, symbol: str) -> None:
    """What MAIL FROM came to is one symbol, with domain and cause as evidence."""
    report = run(SpfCheck(), FakeView(), FakeResolver(txt={"sender.example": [record]}))
    (finding,) = report.findings
    assert (report.outcome, finding.symbol) == (Outcome.OK, symbol)
    assert finding.evidence[0] == "mailfrom sender.example"


@pytest.mark.parametrize("name", ["sender.example", "mx.sender.example"])
def test_a_failed_lookup_is_unknown(name: str) -> None:
    """Neither a pass nor a failure can be told."""
    report = run(SpfCheck(), FakeView(), FakeResolver(txt={"ok.example": GOOD}, fail=[f"txt {name}"]))
    assert report.outcome is Outcome.UNKNOWN
    assert name in report.cause
    assert ("SPF_TEMPERROR" in symbols(report)) == (name == "sender.example")


@pytest.mark.threat("AUTH-14")
def test_the_null_sender_is_judged_by_helo() -> None:
    """RFC 7208, section 2.4: MAIL FROM is then the postmaster of the HELO name; it is looked up once."""
    resolver = FakeResolver(txt={"mx.sender.example": BAD})
    report = run(SpfCheck(), FakeView(envelope=Envelope()), resolver)
    assert {scope: one.status for scope, one in results(report).items()} == dict.fromkeys(SpfScope, SpfStatus.FAIL)
    assert symbols(report) == ["SPF_FAIL"]
    assert len(resolver.asked) == 1


def test_without_a_client_address_skipped() -> None:
    """A message that no host sent cannot be judged by its sender."""
    resolver = FakeResolver()
    report = run(SpfCheck(), FakeView(client=Client()), resolver)
    assert (report.outcome, report.auth_results, resolver.asked) == (Outcome.SKIPPED, (), [])


@pytest.mark.threat("DNS-07")
@pytest.mark.parametrize("helo", ["", "[192.0.2.1]", "a" * 300, "x\0y.example", "..", "localhost", "\ud800.example"])
@pytest.mark.parametrize("sender", ["", "root", "a@", "@b", "a@b@c.example", "a@[192.0.2.1]", "a@" + "x." * 200])
def test_hostile_names_are_results(helo: str, sender: str) -> None:
    """Whatever a client calls itself, there is a report and it does not accuse."""
    report = run(SpfCheck(), FakeView(helo=helo, envelope=Envelope(sender)))
    assert {one.status for one in results(report).values()} == {SpfStatus.NONE}
    assert symbols(report) == ["SPF_NONE"]


def test_declared() -> None:
    """It runs at MAIL, needs nobody and foresees nothing."""
    check = SpfCheck()
    assert (check.stage, check.needs) == (Stage.MAIL, ())
    assert all(foreseen(check, FakeView(), stage) == [] for stage in Stage)


@pytest.mark.parametrize(("explain", "record", "asked"), [(True, BAD, True), (False, BAD, False), (True, GOOD, False)])
def test_the_explanation_is_evidence_where_it_is_asked_for(explain: bool, record: list[str], asked: bool) -> None:  # noqa: FBT001  # columns of the table
    """RFC 7208, section 6.2: the domain's own words on a failure; a lookup that else is not made."""
    resolver = FakeResolver(txt={"sender.example": [f"{record[0]} exp=why.example"], "why.example": ["not from %{i}"]})
    report = run(SpfCheck(explain=explain), FakeView(), resolver)
    assert ("not from 192.0.2.1" in report.findings[0].evidence) is asked
    assert ("why.example" in [question.name for question in resolver.asked]) is asked
