from dataclasses import dataclass

import pytest

from filterd.checks.dnsbl import DnsblCheck
from filterd.checks.mentions import MAX_HOSTS
from filterd.checks.uribl import CAPPED, OTHERS_CAPPED, UriblCheck
from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete
from filterd.dnsbl import Listing, Subject, Zone
from filterd.model.inspection import Author, Inspection, Mailbox
from filterd.model.report import Outcome, Stage
from filterd.model.session import Client, Envelope
from tests.checks import views

ZEN = Zone(
    "zen", "zen.example", "zen.example", frozenset({Subject.CLIENT}), codes={"127.0.0.2": "SBL", "127.0.0.4": "XBL"}
)
COP = Zone("cop", "key1.cop.example", "cop.example", frozenset({Subject.CLIENT}), codes={"127.0.0.2": "COP"})
DBL = Zone(
    "dbl",
    "dbl.example",
    "dbl.example",
    frozenset({Subject.SENDER_DOMAIN, Subject.FROM_DOMAIN, Subject.URL_HOST}),
    codes={"127.0.1.2": "DBL_SPAM"},
)
SURBL = Zone(
    "surbl", "multi.example", "multi.example", frozenset({Subject.URL_HOST}), bits=((8, "PHISH"),), refused_bits=1
)


CLIENT = Client("198.51.100.7")
READ = Inspection(Author((Mailbox("anna", "author.example"),)), hosts=("www.link.example",))


@dataclass(frozen=True)
class FakeView(views.FakeView):
    """A client and content that lists may be asked about."""

    client: Client = CLIENT
    inspection: Inspection | None = READ


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


def test_names_of_sender_author_and_links_are_asked_in_one_go() -> None:
    """Each list about its own subjects, each name once."""
    view = FakeView(
        inspection=Inspection(Author((Mailbox("a", "sender.example"),)), hosts=("a.link.example", "b.link.example"))
    )
    plan = UriblCheck([DBL, SURBL]).run(view)
    assert sorted(question.name for question in next(plan)) == [
        "link.example.dbl.example",
        "link.example.multi.example",
        "sender.example.dbl.example",
    ]


def test_a_listed_link_is_found() -> None:
    """By a list of bits."""
    resolver = FakeResolver(a={"link.example.multi.example": ["127.0.0.8"]})
    report = complete(UriblCheck([DBL, SURBL]).run(FakeView()), resolver.lookup)
    assert [(f.symbol, f.evidence[0]) for f in report.findings] == [("PHISH", "url_host www.link.example")]


def test_the_senders_domain_is_foreseen_at_mail() -> None:
    """What is asked then is what will be asked at the end, so the end does not wait for it."""
    check = UriblCheck([DBL, SURBL])
    plan = check.foresee(FakeView(inspection=None), Stage.MAIL)
    assert plan is not None
    assert [question.name for question in next(plan)] == ["sender.example.dbl.example"]
    assert check.foresee(FakeView(), Stage.CONNECT) is None
    assert check.foresee(FakeView(envelope=Envelope("")), Stage.MAIL) is None


@pytest.mark.threat("DNS-08")
def test_no_more_hosts_than_the_cap_are_asked_about_and_it_is_said() -> None:
    """Ten thousand links cost a bounded number of questions, and the last ones are not hidden behind the first."""
    hosts = tuple(f"www.h{n}.example" for n in range(10_000))
    resolver = FakeResolver(a={"h9999.example.multi.example": ["127.0.0.8"]})
    report = complete(UriblCheck([SURBL]).run(FakeView(inspection=Inspection(hosts=hosts))), resolver.lookup)
    assert len(resolver.asked) == MAX_HOSTS
    assert [finding.symbol for finding in report.findings] == [CAPPED, "PHISH"]


@pytest.mark.threat("DNS-07")
def test_hostile_names_ask_nothing() -> None:
    """Addresses, empty labels, NULs and overlong names are no questions."""
    hosts = ("192.0.2.1", "a..b", "x" * 300 + ".example", "a\0b.example", "[::1]", "localhost", "")
    resolver = FakeResolver()
    view = FakeView(envelope=Envelope("a@[192.0.2.1]"), inspection=Inspection(hosts=hosts))
    report = complete(UriblCheck([DBL, SURBL]).run(view), resolver.lookup)
    assert (report.outcome, resolver.asked) == (Outcome.OK, [])


def test_without_an_inspection_the_links_are_unknown() -> None:
    """Content nobody read is not free of links; the sender is asked about all the same."""
    resolver = FakeResolver(a={"sender.example.dbl.example": ["127.0.1.2"]})
    report = complete(UriblCheck([DBL]).run(FakeView(inspection=None)), resolver.lookup)
    assert report.outcome is Outcome.UNKNOWN
    assert [finding.symbol for finding in report.findings] == ["DBL_SPAM"]


def test_no_list_is_a_skipped_check() -> None:
    """An operator who wants none is not told of unknowns."""
    report = complete(UriblCheck([]).run(FakeView()), FakeResolver().lookup)
    assert report.outcome is Outcome.SKIPPED


def test_symbols_are_those_of_the_lists() -> None:
    """They come from data, for the lists each check asks."""
    assert DnsblCheck([ZEN, DBL]).symbols == {"SBL", "XBL"}
    assert UriblCheck([ZEN, DBL, SURBL]).symbols == {"DBL_SPAM", "PHISH", CAPPED, OTHERS_CAPPED}
