from dataclasses import replace
from hashlib import sha256

import pytest

from filterd.dnsbl import Subject, Zone, question_about
from filterd.dnsbl.keys import Key
from filterd.dnsbl.zones import ADDRESSES
from filterd.model.dns import Question, RRType

CLIENTS = Zone(
    "c",
    "list.example",
    "list.example",
    frozenset({Subject.CLIENT, Subject.RECEIVED, Subject.URL_ADDRESS}),
    codes={"127.0.0.2": "A1"},
    ipv6=True,
)
NAMES = Zone("n", "dbl.example", "dbl.example", frozenset({Subject.URL_HOST}), codes={"127.0.0.2": "A1"})


@pytest.mark.parametrize("subject", sorted(ADDRESSES))
def test_an_address_is_asked_in_reverse(subject: Subject) -> None:
    """RFC 5782, section 2.1."""
    assert question_about(CLIENTS, subject, "198.51.100.7") == Question("7.100.51.198.list.example", RRType.A)


@pytest.mark.threat("DNS-04")
def test_an_ipv6_address_is_asked_by_nibbles() -> None:
    """RFC 5782, section 2.4: 32 labels, lowest first; a list without IPv6 is not asked."""
    question = question_about(CLIENTS, Subject.CLIENT, "2001:db8::1")
    assert question is not None
    assert question.name == "1." + "0." * 23 + "8.b.d.0.1.0.0.2.list.example"
    assert question_about(replace(CLIENTS, ipv6=False), Subject.CLIENT, "2001:db8::1") is None


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "127.0.0.2",
        "169.254.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "",
        "unknown",
        "1.2.3",
    ],
)
@pytest.mark.threat("DNS-04")
def test_private_and_local_addresses_are_never_shown_to_a_list(address: str) -> None:
    """They mean nothing to it and tell it about our network."""
    assert [question_about(CLIENTS, subject, address) for subject in ADDRESSES] == [None] * 3


def test_a_name_is_cut_to_what_one_registers() -> None:
    """A spammer's wildcard would otherwise ask a new question for every message."""
    assert question_about(NAMES, Subject.URL_HOST, "A.b.Evil.co.uk.") == Question("evil.co.uk.dbl.example", RRType.A)


def test_a_list_of_hosts_is_asked_about_the_host() -> None:
    """Where the list says so."""
    question = question_about(replace(NAMES, level="host"), Subject.URL_HOST, "a.b.evil.example")
    assert question == Question("a.b.evil.example.dbl.example", RRType.A)


@pytest.mark.parametrize(
    "name",
    [
        "192.0.2.1",
        "[192.0.2.1]",
        "2001:db8::1",
        "localhost",
        "",
        "a..b",
        "x" * 64 + ".example",
        "a." * 130 + "b",
        "a b.c",
        "a\0.b",
        ".",
    ],
)
@pytest.mark.threat("DNS-07")
def test_what_is_no_domain_name_is_not_asked(name: str) -> None:
    """No exception, no query; above all no address to a list of names."""
    assert question_about(NAMES, Subject.URL_HOST, name) is None


def test_a_list_is_asked_only_about_its_subjects() -> None:
    """A list of links says nothing about clients."""
    assert question_about(NAMES, Subject.CLIENT, "198.51.100.7") is None
    assert question_about(NAMES, Subject.HELO, "evil.example") is None


def test_a_name_that_becomes_too_long_is_not_asked() -> None:
    """The zone behind it counts too (RFC 1035, section 2.3.4)."""
    long = ".".join(["a" * 60] * 4)
    assert question_about(replace(NAMES, level="host"), Subject.URL_HOST, long) is None


HASHED = Zone(
    "h",
    "hash.example",
    "hash.example",
    frozenset({Subject.ADDRESS_HASH, Subject.ATTACHMENT_HASH}),
    codes={"127.0.0.2": "A1"},
    key=Key(("lower",), "sha256", "halves"),
)
DIGEST = sha256(b"anna@xn--mller-kva.example").hexdigest()
WRITTEN = Question(f"{DIGEST[:32]}.{DIGEST[32:]}.hash.example", RRType.A)


@pytest.mark.parametrize(
    "address", ["anna@xn--mller-kva.example", "Anna@m\u00fcller.EXAMPLE", "ANNA@XN--mller-kva.example."]
)
def test_an_address_is_asked_as_a_hash_of_its_normal_form(address: str) -> None:
    """Its domain in A-labels and small letters, the rest as the list wants it."""
    assert question_about(HASHED, Subject.ADDRESS_HASH, address) == WRITTEN


def test_a_file_is_asked_as_the_hash_that_was_taken_of_it() -> None:
    """Nothing is hashed again."""
    assert question_about(HASHED, Subject.ATTACHMENT_HASH, DIGEST) == WRITTEN


@pytest.mark.parametrize(
    "address",
    [
        "anna",
        "@example.com",
        "anna@",
        "anna@localhost",
        "anna@[192.0.2.1]",
        "anna@192.0.2.1",
        '"an na"@example.com',
        "an na@example.com",
        "a\0@example.com",
        "\ufffd\ufffd@example.com",
        "anna@b@example.com",
        "a" * 65 + "@example.com",
        "anna@" + "x" * 300 + ".example",
        "<anna@example.com>",
    ],
)
@pytest.mark.threat("DNS-07")
def test_what_is_no_address_of_anybody_is_not_asked(address: str) -> None:
    """No exception, no query; what was no UTF-8 in the message has no hash that a list could know."""
    assert question_about(HASHED, Subject.ADDRESS_HASH, address) is None


@pytest.mark.parametrize("digest", ["", "x", "a" * 63, "g" * 64, "A" * 64])
def test_what_is_no_digest_is_not_asked(digest: str) -> None:
    """A digest is 64 hexadecimal digits in small letters."""
    assert question_about(HASHED, Subject.ATTACHMENT_HASH, digest) is None
