"""Names for what is remembered: one spelling, fixed length, nothing to read."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.reputation import domain_key, domain_of, network_key, network_of, pair_key, person, user
from filterd.reputation.keys import read_key, wrote_key

HOSTILE = ["", "\0", "a" * 5000, "x@y\r\nDEL", "\udc80@\udcff", "a@b@c", "*", "reputation:n:", "@", "..", "a b@c d"]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("8.8.8.8", "8.8.8.0/24"),
        ("8.8.8.255", "8.8.8.0/24"),
        ("::ffff:8.8.8.8", "8.8.8.0/24"),
        ("2a00:1450:4864:20::12", "2a00:1450:4864::/48"),
        ("2a00:1450:4864:ffff:1:2:3:4", "2a00:1450:4864::/48"),
        ("10.1.2.3", ""),
        ("127.0.0.1", ""),
        ("fe80::1", ""),
        ("fd00::1", ""),
        ("", ""),
        ("no address", ""),
    ],
)
def test_networks(address: str, network: str) -> None:
    """A /24 or a /48 stands for a public address; what is not public stands for nobody."""
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("Mail.Shop.Example.COM.", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("localhost", ""),
        ("", ""),
        ("..", ""),
        ("a" * 300 + ".com", ""),
    ],
)
def test_domains(name: str, domain: str) -> None:
    """The domain that somebody has registered counts: names below it cost nothing and are no new senders."""
    assert domain_of(name) == domain


def test_people() -> None:
    """One address has one spelling; a user of ours has one name for all sub-addresses, a correspondent has not."""
    assert person("Anna@Example.COM.") == person("anna@example.com")
    assert user("bob+lists@us.example") == user("Bob@us.example") != ""
    assert person("anna+a@example.com") != person("anna+b@example.com")


@pytest.mark.threat("DNS-07")
@given(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=400)))
def test_hostile_names(name: str) -> None:
    """Any text is no name or one key of fixed length and plain letters, and never another kind's key."""
    keys = [network_key(name), domain_key(name), pair_key(name, name), wrote_key(name), read_key(name)]
    assert len(set(keys)) == len(keys)
    for key in keys:
        assert len(key) <= 40
        assert set(key) <= set(string.ascii_lowercase + string.digits + ":")
    assert len(user(name)) in {0, 16}
    assert (person(name), domain_of(name), network_of(name)) == (person(name), domain_of(name), network_of(name))


def test_a_pair_is_not_another_pair() -> None:
    """Where network ends and domain begins cannot be moved."""
    assert pair_key("8.8.8.0/24", "1.example") != pair_key("8.8.8.0/2", "41.example")
