"""The operator's list against what a message holds."""

from datetime import date

import pytest

from filterd.checks.indicators import MAX_EVIDENCE, IndicatorsCheck
from filterd.domains.urls import parse_url
from filterd.indicators import Entry, Indicators, Kind
from filterd.indicators.loading import normal
from filterd.model.inspection import Author, Inspection, Mailbox, PartFacts
from filterd.model.report import Finding, Outcome
from filterd.model.session import Envelope
from tests.checks.views import FakeView, run, symbols

DIGEST = "ab" * 32
LONG = date(2030, 1, 1)


def _check(kind: Kind, *values: str, expires: date = LONG) -> IndicatorsCheck:
    entry = Entry("wave", kind, tuple([normal(kind, value) for value in values]), "why", "anna", expires)
    links = [parse_url(value) for value in values] if kind is Kind.URL else []
    return IndicatorsCheck(Indicators([entry], [link.host for link in links if link is not None]))


def _part(path: str, digest: str = DIGEST) -> PartFacts:
    return PartFacts(path, "application/zip", "zip", "a.zip", 9, digest, 1)


def _linking(*urls: str) -> FakeView:
    read = [parse_url(url) for url in urls]
    return FakeView(inspection=Inspection(urls=urls, hosts=tuple([url.host for url in read if url is not None])))


def test_a_listed_file_is_named_with_reason_owner_and_place() -> None:
    """Who reads the verdict sees whom to ask."""
    view = FakeView(inspection=Inspection(parts=(_part("1", "cd" * 32), _part("2/a.exe"))))
    report = run(_check(Kind.FILE, DIGEST), view)
    assert (report.outcome, report.findings) == (
        Outcome.OK,
        (Finding("INDICATOR_FILE", ("wave: why (anna): 2/a.exe a.zip",)),),
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/in/log%69n?a=1",
        "https://EVIL.example./in/login?a=1#top",
        "https://user:pw@evil.example:443/in/x/../login?a=1",
        "HTTPS:\\\\evil.example\\in\\login?a=1",
        "//evil.example/./in/login?a=1",
        "http://evil%2eexample/in/login?a=1.",
    ],
)
def test_a_listed_link_is_found_however_it_is_written(url: str) -> None:
    """A browser takes all of them to the same place."""
    report = run(_check(Kind.URL, "https://evil.example/in/login?a=1"), _linking("https://other.example/", url))
    assert symbols(report) == ["INDICATOR_URL"]
    assert url in report.findings[0].evidence[0]


@pytest.mark.parametrize(
    "url",
    ["https://evil.example/in/Login?a=1", "https://evil.example/in/login", "https://evil.example:8443/in/login?a=1"],
)
def test_another_link_of_that_host_is_not_meant(url: str) -> None:
    """Who means the host lists the host."""
    assert symbols(run(_check(Kind.URL, "https://evil.example/in/login?a=1"), _linking(url))) == []


@pytest.mark.parametrize(
    ("value", "host", "hit"),
    [
        ("evil.example", "evil.example", True),
        ("evil.example", "www.evil.example", False),
        (".evil.example", "evil.example", True),
        (".evil.example", "a.b.evil.example", True),
        (".evil.example", "notevil.example", False),
        ("192.0.2.1", "192.0.2.1", True),
    ],
)
def test_a_leading_dot_means_all_below(value: str, host: str, hit: bool) -> None:  # noqa: FBT001  # a parameter of the table
    """Without it only the host itself is meant."""
    assert symbols(run(_check(Kind.HOST, value), _linking(f"http://{host}/x"))) == ["INDICATOR_HOST"] * hit


@pytest.mark.parametrize(
    ("sender", "author", "others", "hit"),
    [
        ("Mallory@evil.example", "anna", (), True),
        ("anna@evil.example", "MALLORY", (), True),
        ("anna@evil.example", "anna", ("mallory@EVIL.example",), True),
        ("", "anna", ("mallory@other.example",), False),
        ("\udcff@\udcff", "", ("@", "mallory"), False),
    ],
)
def test_addresses_are_those_that_send_sign_and_are_named(
    sender: str,
    author: str,
    others: tuple[str, ...],
    hit: bool,  # noqa: FBT001  # a parameter of the table
) -> None:
    """Envelope sender, author, Reply-To and text; in whatever case."""
    facts = Inspection(author=Author((Mailbox(author, "evil.example"),)), addresses=others)
    view = FakeView(envelope=Envelope(sender), inspection=facts)
    assert symbols(run(_check(Kind.ADDRESS, "mallory@evil.example"), view)) == ["INDICATOR_ADDRESS"] * hit


def test_an_expired_entry_says_nothing() -> None:
    """The views' clock stands in 2023."""
    view = FakeView(inspection=Inspection(parts=(_part("1"),)))
    report = run(_check(Kind.FILE, DIGEST, expires=date(2023, 1, 1)), view)
    assert (report.outcome, report.findings) == (Outcome.OK, ())


def test_evidence_is_bounded() -> None:
    """A thousand copies of a listed file are some places and a count."""
    view = FakeView(inspection=Inspection(parts=tuple([_part(str(number)) for number in range(1000)])))
    (found,) = run(_check(Kind.FILE, DIGEST), view).findings
    assert (len(found.evidence), found.evidence[-1]) == (MAX_EVIDENCE + 1, f"and {1000 - MAX_EVIDENCE} more")


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        (None, "the content was not inspected"),
        (Inspection(urls_cut=True), "not all links were read"),
        (Inspection(findings=(Finding("UNSCANNABLE_SIZE", ("1",)),)), "not everything was read: UNSCANNABLE_SIZE 1"),
    ],
)
def test_what_could_not_be_compared_is_unknown(facts: Inspection | None, cause: str) -> None:
    """Never clean; the sender is compared all the same."""
    report = run(_check(Kind.URL, "https://evil.example/"), FakeView(inspection=facts))
    assert (report.outcome, report.cause) == (Outcome.UNKNOWN, cause)
    known = FakeView(envelope=Envelope("mallory@evil.example"), inspection=facts)
    assert symbols(run(_check(Kind.ADDRESS, "mallory@evil.example"), known)) == ["INDICATOR_ADDRESS"]


def test_an_empty_list_is_skipped() -> None:
    """It costs nothing and says nothing, whatever became of the content."""
    report = run(IndicatorsCheck(), FakeView())
    assert (report.outcome, report.findings) == (Outcome.SKIPPED, ())
