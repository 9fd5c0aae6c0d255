from dataclasses import dataclass

import pytest

from filterd.checks.dnsbl import DnsblCheck
from filterd.dns.fake import FakeResolver
from filterd.dns.lookups import BUDGET, CLOSED
from filterd.dns.plans import complete
from filterd.dnsbl import Listing, Subject, Zone
from filterd.model.dns import Answer, AnswerStatus
from filterd.model.report import Outcome
from filterd.model.session import Client
from tests.checks import views

ZEN = Zone(
    "zen", "zen.example", "zen.example", frozenset({Subject.CLIENT}), codes={"127.0.0.2": "SBL", "127.0.0.4": "XBL"}
)
COP = Zone("cop", "key1.cop.example", "cop.example", frozenset({Subject.CLIENT}), codes={"127.0.0.2": "COP"})
CLIENT = Client("198.51.100.7")


@dataclass(frozen=True)
class FakeView(views.FakeView):
    """A client that lists may be asked about."""

    client: Client = CLIENT


def test_all_lists_are_asked_at_once() -> None:
    """One round trip, however many lists there are."""
    questions = next(DnsblCheck([ZEN, COP]).run(FakeView()))
    assert [question.name for question in questions] == ["7.100.51.198.zen.example", "7.100.51.198.key1.cop.example"]


def test_a_listed_client_is_found_with_list_and_code() -> None:
    """The evidence says who, where and why; a key in the zone is not in it."""
    resolver = FakeResolver(a={"7.100.51.198.key1.cop.example": ["127.0.0.2"]})
    report = complete(DnsblCheck([ZEN, COP]).run(FakeView()), resolver.lookup)
    assert report.outcome is Outcome.OK
    assert [(f.symbol, f.evidence) for f in report.findings] == [
        ("COP", ("client 198.51.100.7", "cop.example", "127.0.0.2"))
    ]
    assert "key1" not in str(report)


@pytest.mark.parametrize("address", ["", "192.168.1.1", "::1", "fe80::1"])
@pytest.mark.threat("DNS-04")
def test_a_private_client_is_skipped(address: str) -> None:
    """Nothing is asked about it."""
    resolver = FakeResolver()
    report = complete(DnsblCheck([ZEN]).run(FakeView(client=Client(address))), resolver.lookup)
    assert (report.outcome, resolver.asked) == (Outcome.SKIPPED, [])


@pytest.mark.parametrize("record", ["127.255.255.254", "203.0.113.5", "127.0.0.77"])
@pytest.mark.threat("DNS-01")
def test_an_answer_that_is_none_is_unknown_and_no_finding(record: str) -> None:
    """A blocked or rewritten list says nothing, neither good nor bad."""
    resolver = FakeResolver(a={"7.100.51.198.zen.example": [record]})
    report = complete(DnsblCheck([ZEN]).run(FakeView()), resolver.lookup)
    assert (report.outcome, report.findings) == (Outcome.UNKNOWN, ())
    assert record in report.cause


@pytest.mark.threat("DNS-05")
def test_a_silent_list_does_not_hide_another_ones_hit() -> None:
    """Unknown, with what was found."""
    resolver = FakeResolver(a={"7.100.51.198.key1.cop.example": ["127.0.0.2"]}, fail=["a 7.100.51.198.zen.example"])
    report = complete(DnsblCheck([ZEN, COP]).run(FakeView()), resolver.lookup)
    assert report.outcome is Outcome.UNKNOWN
    assert [finding.symbol for finding in report.findings] == ["COP"]


@pytest.mark.threat("DNS-03")
def test_a_suspended_list_is_not_asked_and_penalises_nobody() -> None:
    """One list less is still a check; none at all is not."""
    resolver = FakeResolver(a={"7.100.51.198.zen.example": ["127.0.0.2"]})
    report = complete(DnsblCheck([ZEN, COP], lambda: {"zen"}).run(FakeView()), resolver.lookup)
    assert (report.outcome, report.findings, len(resolver.asked)) == (Outcome.OK, (), 1)
    report = complete(DnsblCheck([ZEN], lambda: {"zen"}).run(FakeView()), resolver.lookup)
    assert report.outcome is Outcome.UNKNOWN


def test_every_answer_is_observed() -> None:
    """Health is judged by what lists answer to real questions."""
    seen: list[tuple[str, str]] = []

    def observe(zone: Zone, listing: Listing, about: str) -> None:
        assert about == CLIENT.address
        seen.append((zone.name, listing.status.value))

    resolver = FakeResolver(a={"7.100.51.198.zen.example": ["127.0.0.4"]})
    complete(DnsblCheck([ZEN, COP], observe=observe).run(FakeView()), resolver.lookup)
    assert sorted(seen) == [("cop", "miss"), ("zen", "hit")]


def test_symbols_are_those_of_the_lists() -> None:
    """They come from data, for the lists that are asked about clients."""
    names = Zone("n", "n.example", "n.example", frozenset({Subject.URL_HOST}), codes={"127.0.0.2": "OTHER"})
    assert DnsblCheck([ZEN, names]).symbols == {"SBL", "XBL"}


def test_two_lists_may_share_a_zone() -> None:
    """The question is asked once, and each reads the answer for itself."""
    again = Zone("again", "zen.example", "again", frozenset({Subject.CLIENT}), codes={"127.0.0.2": "A1"}, bits=())
    resolver = FakeResolver(a={"7.100.51.198.zen.example": ["127.0.0.2"]})
    report = complete(DnsblCheck([ZEN, again]).run(FakeView()), resolver.lookup)
    assert len(resolver.asked) == 1
    assert [(finding.symbol, finding.evidence[1]) for finding in report.findings] == [
        ("SBL", "zen.example"),
        ("A1", "again"),
    ]


@pytest.mark.parametrize("cause", [BUDGET, CLOSED])
@pytest.mark.threat("DNS-03")
def test_what_was_never_asked_is_not_held_against_a_list(cause: str) -> None:
    """A message that asks too much must not have a list suspended; the check is unknown all the same."""
    seen: list[str] = []
    check = DnsblCheck([ZEN], observe=lambda zone, _listing, _about: seen.append(zone.name))
    report = complete(check.run(FakeView()), lambda question: Answer(question, AnswerStatus.TEMPFAIL, cause=cause))
    assert (report.outcome, seen) == (Outcome.UNKNOWN, [])
