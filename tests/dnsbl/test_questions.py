from dataclasses import replace

import pytest

from filterd.dnsbl import Subject, Zone, question_about
from filterd.model.dns import Question, RRType

CLIENTS = Zone("c", "list.example", "list.example", frozenset({Subject.CLIENT}), codes={"127.0.0.2": "A1"}, ipv6=True)
NAMES = Zone("n", "dbl.example", "dbl.example", frozenset({Subject.URL_HOST}), codes={"127.0.0.2": "A1"})


def test_an_address_is_asked_in_reverse() -> None:
    """RFC 5782, section 2.1."""
    assert question_about(CLIENTS, Subject.CLIENT, "198.51.100.7") == Question("7.100.51.198.list.example", RRType.A)


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
    assert question_about(CLIENTS, Subject.CLIENT, address) is None


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
