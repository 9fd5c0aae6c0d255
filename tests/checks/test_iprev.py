import pytest

from filterd.checks.iprev import MAX_NAMES, IprevCheck
from filterd.dns.fake import FakeResolver
from filterd.model.authentication import IprevResult, IprevStatus
from filterd.model.report import CheckReport, Outcome, Stage
from filterd.model.session import Client
from tests.checks.views import ADDRESS, FakeView, foreseen, run, symbols

REVERSE = "1.2.0.192.in-addr.arpa"
V6 = "2001:db8::1"
REVERSE6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"


def result(report: CheckReport) -> IprevResult:
    """The report's one result."""
    (found,) = report.auth_results
    assert isinstance(found, IprevResult)
    return found


def test_a_confirmed_name_passes() -> None:
    """The name leads back to the address: no finding, and the name is told."""
    resolver = FakeResolver(ptr={REVERSE: ["other.example", "mx.example"]}, a={"mx.example": ["192.0.2.9", ADDRESS]})
    report = run(IprevCheck(), FakeView(), resolver)
    assert report.outcome is Outcome.OK
    assert result(report) == IprevResult(IprevStatus.PASS, ADDRESS, "mx.example")
    assert report.findings == ()


@pytest.mark.threat("DNS-04")
def test_ipv6_is_looked_up_by_nibbles_and_aaaa() -> None:
    """32 labels, and the forward record in any spelling of the address."""
    resolver = FakeResolver(ptr={REVERSE6: ["mx.example"]}, aaaa={"mx.example": ["2001:0db8:0::0001"]})
    report = run(IprevCheck(), FakeView(client=Client(V6)), resolver)
    assert result(report) == IprevResult(IprevStatus.PASS, V6, "mx.example")


@pytest.mark.threat("DNS-04")
def test_a_mapped_address_is_ipv4() -> None:
    """::ffff:192.0.2.1 has the reverse name of 192.0.2.1."""
    resolver = FakeResolver(ptr={REVERSE: ["mx.example"]}, a={"mx.example": [ADDRESS]})
    report = run(IprevCheck(), FakeView(client=Client("::ffff:192.0.2.1")), resolver)
    assert result(report).status is IprevStatus.PASS


def test_without_a_name() -> None:
    """RFC 8601, section 2.7.3: no PTR data is permerror; our symbol says what it is."""
    report = run(IprevCheck(), FakeView())
    assert (result(report).status, symbols(report)) == (IprevStatus.PERMERROR, ["IPREV_NONE"])


@pytest.mark.parametrize("addresses", [{}, {"mx.example": ["192.0.2.9"]}])
def test_a_name_that_leads_elsewhere_fails(addresses: dict[str, list[str]]) -> None:
    """No address, or another one."""
    report = run(IprevCheck(), FakeView(), FakeResolver(ptr={REVERSE: ["mx.example"]}, a=addresses))
    assert result(report) == IprevResult(IprevStatus.FAIL, ADDRESS, "mx.example")
    assert [(found.symbol, found.evidence) for found in report.findings] == [("IPREV_FAIL", (ADDRESS, "mx.example"))]


@pytest.mark.parametrize("failing", [f"ptr {REVERSE}", "a mx.example"])
def test_a_failed_lookup_is_unknown(failing: str) -> None:
    """No symbol: it says nothing about the client."""
    resolver = FakeResolver(ptr={REVERSE: ["mx.example", "other.example"]}, fail=[failing])
    report = run(IprevCheck(), FakeView(), resolver)
    assert (report.outcome, report.findings) == (Outcome.UNKNOWN, ())
    assert result(report).status is IprevStatus.TEMPERROR
    assert report.cause.endswith("fake failure")


def test_one_confirmed_name_outweighs_a_failed_one() -> None:
    """A lookup that failed cannot take back what another one has shown."""
    resolver = FakeResolver(
        ptr={REVERSE: ["broken.example", "mx.example"]}, a={"mx.example": [ADDRESS]}, fail=["a broken.example"]
    )
    assert result(run(IprevCheck(), FakeView(), resolver)).status is IprevStatus.PASS


def test_names_are_bounded() -> None:
    """An address with a thousand names makes us ask for ten."""
    resolver = FakeResolver(ptr={REVERSE: [f"h{number}.example" for number in range(1000)]})
    run(IprevCheck(), FakeView(), resolver)
    assert len(resolver.asked) == 1 + MAX_NAMES


@pytest.mark.threat("DNS-07")
def test_hostile_names_do_no_harm() -> None:
    """PTR data may be anything."""
    names = ["", ".", "a..b", "x" * 300, "1.2.3.4", "a b\0", "mx.example", "mx.example"]
    report = run(IprevCheck(), FakeView(), FakeResolver(ptr={REVERSE: names}))
    assert result(report).status is IprevStatus.FAIL


@pytest.mark.parametrize("address", ["", "unknown", "999.1.1.1"])
def test_without_an_address_skipped(address: str) -> None:
    """Nothing is asked."""
    resolver = FakeResolver()
    report = run(IprevCheck(), FakeView(client=Client(address)), resolver)
    assert (report.outcome, report.auth_results, resolver.asked) == (Outcome.SKIPPED, (), [])


def test_declared() -> None:
    """It runs at connect, needs nobody and foresees nothing."""
    check = IprevCheck()
    assert (check.stage, check.needs) == (Stage.CONNECT, ())
    assert all(foreseen(check, FakeView(), stage) == [] for stage in Stage)
