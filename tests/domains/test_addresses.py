"""Addresses have one normal form."""

import pytest

from filterd.domains import is_public, network, normalise_address, reverse_name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", ""),
        ("unknown", ""),
        ("192.0.2.1.", ""),
        ("1.2.3", ""),
        ("1" * 10_000, ""),
    ],
)
def test_normal_form(text: str, expected: str) -> None:
    """Mapped addresses are IPv4, scopes are dropped, anything else is no address."""
    assert normalise_address(text) == expected


@pytest.mark.parametrize(
    ("ip", "expected"),
    [("8.8.8.8", True), ("10.1.2.3", False), ("127.0.0.1", False), ("2001:4860::1", True), ("::1", False), ("", False)],
)
def test_public_addresses(ip: str, expected: bool) -> None:  # noqa: FBT001  # a table of expectations
    """Only what the Internet can route is public."""
    assert is_public(ip) is expected


def test_reverse_names() -> None:
    """Reverse names are those of PTR records."""
    assert reverse_name("192.0.2.1") == "1.2.0.192.in-addr.arpa"
    assert reverse_name("2001:db8::1") == "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"
    assert reverse_name("x") == ""


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("198.51.100.7", "198.51.100.0/24"),
        ("::ffff:198.51.100.7", "198.51.100.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("x", ""),
        ("", ""),
    ],
)
def test_networks(ip: str, expected: str) -> None:
    """Of the size that is asked for, by family."""
    assert network(ip, 24, 64) == expected
