"""Hostile messages cost all heuristics together no more than in proportion, and never an exception."""

import random
from collections.abc import Callable

import pytest

from filterd.heuristics.brands import Brand, Brands, owns
from filterd.heuristics.dates import received_date, written_date, zone_problem
from tests.fuzz.worst import assert_linear, fill
from tests.heuristics.test_symbols import PHRASES, examine, html, mail

PIECES = [
    *("Re:", " ", "  ", "\t", "@", "a", "\u0430", "\u200b", "\U0001d5ee", "\U0001f381", "1" * 9, "$5", "!!", "paypal"),
    *("=?utf-8?q?=41?=", "N e t f l i x", "<", ">", ",", '"', "%41", "xn--", ".", "-", "bit.ly", "verify your account"),
    *("http://x.test/?u=http%3A//y.test", "\r\n "),
]
FIELDS = (
    "From",
    "To",
    "Subject",
    "Date",
    "Message_ID",
    "Reply_To",
    "Received",
    "List_Unsubscribe",
    "X_Mailer",
    "Content_Type",
)


def test_any_fields_are_read_without_an_exception() -> None:
    """No heuristic has failed (it would be an UNSCANNABLE_CRASH)."""
    rng = random.Random(7)
    for _ in range(400):
        changes = {rng.choice(FIELDS): "".join(rng.choices(PIECES, k=rng.randrange(30))) for _ in range(3)}
        make = html if rng.random() < 0.5 else mail
        raw = (
            make("".join(rng.choices(PIECES, k=60)), **changes)
            if make is mail
            else make("".join(rng.choices(PIECES, k=60)))
        )
        facts = examine(raw, client=("".join(rng.choices(PIECES, k=3)), "192.0.2.1"), languages=("en",))
        assert "UNSCANNABLE_CRASH" not in {found.symbol for found in facts.findings}, facts.problems


def in_field(name: str) -> Callable[[bytes], object]:
    """The whole inspection of a message with hostile text in one field."""
    return lambda data: examine(mail(**{name: data.decode("utf-8", "replace")}), languages=("en",))


@pytest.mark.parametrize("name", ["From", "To", "Subject", "Received", "Message_ID", "List_Unsubscribe"])
@pytest.mark.parametrize("pattern", ["a ", "a@b.test, ", "=41", "1a", "from 1.2.3.4 (", "\u0430", "<a@", "paypal "])
def test_the_worst_field_is_linear(name: str, pattern: str) -> None:
    """Blanks, addresses, escapes, names of brands: of each there may be any number."""
    assert_linear(in_field(name), fill(pattern.encode()), 8_000)


@pytest.mark.parametrize(
    "pattern",
    [
        "verify your account ",
        "verify ",
        "http://a.b.c.d.e.f.test/ ",
        "http://x.test/http://y.test/ ",
        "https://google.com/url?q=http://y.test ",
        "a\u200b",
        "\u0430a",
        "1BoatSLRHtKNngkdXEeobR76b53LETtpyT bitcoin ",
        "paypal.com.",
    ],
)
@pytest.mark.threat("DNS-08")
def test_the_worst_text_is_linear(pattern: str) -> None:
    """Phrases, URLs, invisible letters."""
    assert_linear(lambda data: examine(mail(data.decode("utf-8", "replace"))), fill(pattern.encode()), 20_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"Thu, 01 Jan 2026 12:00:00 +0000", 1_767_268_800.0),
        (b"1 Jan 2026 13:00:00 +0100", 1_767_268_800.0),
        (b"Thu, 1 Jan 26 12:00:00 GMT", 1_767_268_800.0),
        (b"Thu, 32 Jan 2026 12:00:00 +0000", None),
        (b"yesterday", None),
        (b"", None),
        (b"Thu, 01 Jan 9999 99:00:00 +0000", None),
    ],
)
def test_dates_are_read(text: bytes, expected: float | None) -> None:
    """The usual form and obsolete ones alike; what is no date is none."""
    assert written_date(text) == expected


def test_received_fields_have_their_date_at_the_end() -> None:
    """Behind the last semicolon."""
    assert received_date(b"from a by b with SMTP id 1; x; Thu, 1 Jan 2026 12:00:00 +0000") == 1_767_268_800.0
    assert received_date(b"from a by b") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"Thu, 01 Jan 2026 12:00:00 +1300", ""),
        (b"Thu, 01 Jan 2026 12:00:00 GMT", ""),
        (b"Thu, 01 Jan 2026 12:00:00", "no zone"),
        (b"Thu, 01 Jan 2026 12:00:00 -1600", "no place is at -1600"),
    ],
)
def test_zones_that_are_nowhere(text: bytes, problem: str) -> None:
    """No place is further than fourteen hours away."""
    assert zone_problem(text) == problem


@pytest.mark.parametrize(
    ("domain", "own"),
    [
        ("paypal.com", True),
        ("mail.paypal.com", True),
        ("paypal.fr", True),
        ("paypal.xyz", False),
        ("paypal.com.evil.test", False),
        ("notpaypal.com", False),
    ],
)
def test_who_may_use_a_name(domain: str, own: bool) -> None:  # noqa: FBT001  # a parameter of the table
    """Its own domains, and its name where names are not sold by the thousand."""
    assert owns(Brand("paypal", ("paypal",), frozenset({"paypal.com"})), domain) is own


def test_common_names_are_people_too() -> None:
    """A surname beside a first name is a person; beside "support" it is the brand."""
    person = examine(mail(From="Alice Chase <alice@chase.test>"))
    brand = examine(mail(From="Chase Support <alice@chase-x.test>"))
    assert "FROM_BRAND" not in {found.symbol for found in person.findings}
    assert "FROM_BRAND" in {found.symbol for found in brand.findings}


@pytest.mark.parametrize(
    "name", ["N e t f l i x", "Netf1ix", "N\u073fe\u073ftf\u073flix", "Banco d\u043e Brasil", "A\u200dmazon Support"]
)
@pytest.mark.threat("AUTH-04")
def test_disguised_names_are_found(name: str) -> None:
    """Gaps, digits, marks of other scripts, other alphabets, joiners."""
    found = {one.symbol for one in examine(mail(From=f"{name} <a@evil.test>")).findings}
    assert {"FROM_BRAND", "FROM_BRAND_DISGUISED"} <= found


def test_no_brand_is_listed_twice() -> None:
    """Names that look alike would hide one another."""
    assert len(list(PHRASES.brands.named_by("paypal"))) == 1
    assert not Brands()
