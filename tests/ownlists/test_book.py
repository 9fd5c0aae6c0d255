"""Entries: how they are read, and which of them counts."""

from datetime import UTC, date, datetime

import pytest

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
from filterd.ownlists import Book, Claims, Entry, Kind, Which, claims_of, parse_name

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
SPF = SpfResult(SpfStatus.PASS, "example.org", SpfScope.MAILFROM)
DKIM = DkimResult(DkimStatus.PASS, "example.org")
DMARC = DmarcResult(DmarcStatus.PASS, "example.org")
FORGED = (SpfResult(SpfStatus.FAIL, "example.org", SpfScope.MAILFROM), DkimResult(DkimStatus.FAIL, "example.org"))


def entry(text: str, expires: date | None = None) -> Entry:
    """`allow kind:name` or `block kind:name`."""
    which, _, name = text.partition(" ")
    return Entry(Which(which), *parse_name(name), expires=expires)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ip:192.0.2.7", "ip:192.0.2.7/32"),
        ("IP: 192.0.2.7/24", "ip:192.0.2.0/24"),
        ("ip:2001:db8::1/32", "ip:2001:db8::/32"),
        ("ip:::ffff:192.0.2.0/120", "ip:192.0.2.0/24"),
        ("domain:Example.ORG.", "domain:example.org"),
        ("domain:.bücher.example", "domain:.xn--bcher-kva.example"),
        ("sender:Anna@Example.org", "sender:anna@example.org"),
        ('sender:"a b"@example.org', 'sender:"a b"@example.org'),
        ("recipient:abuse@example.org", "recipient:abuse@example.org"),
        ("recipient:.example.org", "recipient:.example.org"),
    ],
)
def test_read(text: str, expected: str) -> None:
    """A name is kept in the form that is compared."""
    kind, name = parse_name(text)
    assert f"{kind}:{name}" == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "example.org", "ip:", "ip:0.0.0.0/0", "ip:::/0", "ip:192.0.2.0/33", "ip:::ffff:0:0/96", "domain:com"),
        *("domain:a b.example", "domain:192.0.2.1", "sender:example.org", "sender:@example.org", "sender:a@"),
        *("sender:a\nb@example.org", "sender:\udce4@example.org", "recipient:a@b@", "url:x", "domain:" + "a" * 10_000),
    ],
)
def test_refused(text: str) -> None:
    """What cannot be meant is refused in one line of words: everybody, a whole top-level domain, no name at all."""
    with pytest.raises(ValueError, match=r"\Aexpected .*, got '.*'\Z") as refused:
        parse_name(text)
    assert len(str(refused.value)) < 250


@pytest.mark.threat("MTA-09")
@pytest.mark.parametrize(
    ("entries", "address", "expected"),
    [
        (["block ip:192.0.2.0/24"], "192.0.2.7", "block ip:192.0.2.0/24"),
        (["block ip:192.0.2.0/24"], "192.0.3.7", ""),
        (["block ip:192.0.2.0/24", "allow ip:192.0.2.7"], "192.0.2.7", "allow ip:192.0.2.7/32"),
        (["allow ip:192.0.2.0/24", "block ip:192.0.2.0/24"], "192.0.2.7", "block ip:192.0.2.0/24"),
        (["block ip:2001:db8::/32", "block ip:0.0.0.0/1"], "2001:db8::5", "block ip:2001:db8::/32"),
        (["block ip:::ffff:192.0.2.0/120"], "192.0.2.7", "block ip:192.0.2.0/24"),
        (["block ip:192.0.2.0/24"], "", ""),
    ],
)
def test_client(entries: list[str], address: str, expected: str) -> None:
    """The longest prefix counts; of two that are alike the one that blocks."""
    found = Book(map(entry, entries)).client(address, NOW)
    assert (f"{found.which} {found}" if found else "") == expected


@pytest.mark.parametrize(
    ("entries", "results", "expected"),
    [
        (["allow domain:example.org"], [DKIM], "allow domain:example.org"),
        (["allow domain:example.org"], [SPF], "allow domain:example.org"),
        (["allow domain:example.org"], FORGED, ""),
        (["allow sender:anna@example.org"], [DKIM], "allow sender:anna@example.org"),
        (["allow sender:anna@example.org"], [SPF], "allow sender:anna@example.org"),
        (["allow sender:anna@example.org"], [DMARC], "allow sender:anna@example.org"),
        (["allow sender:anna@example.org"], FORGED, ""),
        (["allow sender:ben@example.org"], [DKIM], ""),
        (["block sender:anna@example.org"], FORGED, "block sender:anna@example.org"),
        (["block domain:example.org"], FORGED, "block domain:example.org"),
        (["block domain:example.org", "allow sender:anna@example.org"], [DKIM], "allow sender:anna@example.org"),
        (["block domain:example.org", "allow sender:anna@example.org"], FORGED, "block domain:example.org"),
        (["block domain:.org.example", "allow domain:.example.org"], [DKIM], "allow domain:.example.org"),
        (["allow domain:.example.org", "block domain:example.org"], [DKIM], "block domain:example.org"),
    ],
)
@pytest.mark.threat("AUTH-01")
def test_sender(entries: list[str], results: list[AuthResult], expected: str) -> None:
    """Allowed is by proof, blocked by the bare claim; the narrower entry counts, an address before its domain."""
    claims = claims_of("anna@example.org", ["anna@example.org"], results)
    found = Book(map(entry, entries)).sender(claims, NOW)
    assert (f"{found.which} {found}" if found else "") == expected


@pytest.mark.threat("AUTH-01")
def test_two_authors_prove_nothing() -> None:
    """Of two authors one would lend his name to the other: neither is proved, and both can be blocked."""
    claims = claims_of("", ["anna@example.org", "ben@evil.example"], [DKIM, DMARC])
    assert claims.proved == frozenset()
    assert set(claims.addresses) == {"anna@example.org", "ben@evil.example"}


def test_a_foreign_signature_proves_no_author() -> None:
    """A signature of the domain that sends for him is not the author's, nor is that of a sibling."""
    results = [DkimResult(DkimStatus.PASS, "esp.example"), DkimResult(DkimStatus.PASS, "mail.example.org")]
    assert claims_of("b@esp.example", ["anna@example.org"], results).proved == {"b@esp.example"}


def test_a_key_in_testing_proves_nothing() -> None:
    """RFC 6376, section 3.6.1: t=y is as if there were no signature."""
    results = [DkimResult(DkimStatus.PASS, "example.org", testing=True)]
    assert claims_of("anna@example.org", ["anna@example.org"], results) == Claims(("anna@example.org",))


@pytest.mark.parametrize("address", ["Abuse@Example.org", "x@deep.sub.example.net", "y@list.example.com"])
def test_recipient(address: str) -> None:
    """An address, a domain with all below, a domain alone."""
    entries = ["allow recipient:abuse@example.org", "block recipient:.example.net", "block recipient:list.example.com"]
    assert Book(map(entry, entries)).recipient(address, NOW) is not None


@pytest.mark.parametrize("address", ["abuse@sub.example.org", "x@sub.list.example.com", "", "no address", "\udce4@x"])
def test_no_recipient(address: str) -> None:
    """What is not meant, and what is no address, has no entry."""
    entries = ["allow recipient:abuse@example.org", "block recipient:list.example.com"]
    assert Book(map(entry, entries)).recipient(address, NOW) is None


def test_expired() -> None:
    """The last day counts to its end (UTC), the day after it no more; the entry stays to be looked at."""
    book = Book([entry("block ip:192.0.2.7", date(2026, 11, 25))])
    day = 86_400
    assert [book.client("192.0.2.7", NOW + days * day) is not None for days in (0, 1)] == [True, False]
    assert len(book.entries) == 1


def test_an_expired_exception_gives_way() -> None:
    """Where the narrower entry has expired the wider one counts again."""
    book = Book([entry("block domain:example.org"), entry("allow sender:anna@example.org", date(2026, 1, 1))])
    found = book.sender(claims_of("anna@example.org", [], [SPF]), NOW)
    assert found is not None
    assert found.kind is Kind.DOMAIN
