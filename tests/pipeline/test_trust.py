"""Trust classes by address and authentication."""

import pytest

from filterd.model.session import TrustClass
from filterd.pipeline.trust import TrustPolicy

POLICY = TrustPolicy.of(["127.0.0.0/8", "2001:db8::/32"], ["192.0.2.0/28"], {TrustClass.LOCAL: ["spf"]})


@pytest.mark.parametrize(
    ("address", "authenticated", "expected"),
    [
        ("127.0.0.1", False, TrustClass.LOCAL),
        ("2001:db8::7", False, TrustClass.LOCAL),
        ("", False, TrustClass.LOCAL),
        ("192.0.2.5", False, TrustClass.RELAY),
        ("198.51.100.1", False, TrustClass.STRANGER),
        ("198.51.100.1", True, TrustClass.AUTHENTICATED),
        ("192.0.2.5", True, TrustClass.AUTHENTICATED),
    ],
)
@pytest.mark.threat("MTA-10")
def test_class_follows_from_address_and_authentication(
    address: str,
    authenticated: bool,  # noqa: FBT001  # a table's column
    expected: TrustClass,
) -> None:
    """Only SMTP AUTH, our networks and our relays lift a client out of the strangers."""
    assert POLICY.classify(address, authenticated=authenticated) is expected


def test_only_listed_classes_are_spared_checks() -> None:
    """A class without an entry is spared nothing."""
    assert POLICY.skipped(TrustClass.LOCAL) == frozenset({"spf"})
    assert POLICY.skipped(TrustClass.STRANGER) == frozenset()


def test_a_text_that_is_no_network_is_refused() -> None:
    """A typing error in a network must not silently trust nobody, or everybody."""
    with pytest.raises(ValueError, match="256"):
        TrustPolicy.of(["10.0.0.256/24"], [], {})


def test_without_networks_nobody_is_ours() -> None:
    """An empty list trusts no one; only a client without any address is local then."""
    empty = TrustPolicy.of([], [], {})
    found = {address: empty.classify(address, authenticated=False) for address in ("127.0.0.1", "2001:db8::7", "")}
    assert list(found.values()) == [TrustClass.STRANGER, TrustClass.STRANGER, TrustClass.LOCAL]
    assert not empty.is_relay("192.0.2.5")


def test_an_address_inside_a_network_may_name_it() -> None:
    """People write 10.1.2.3/8 and mean the network."""
    policy = TrustPolicy.of(["10.1.2.3/8"], ["192.0.2.5/28"], {})
    assert policy.classify("10.9.9.9", authenticated=False) is TrustClass.LOCAL
    assert policy.classify("192.0.2.1", authenticated=False) is TrustClass.RELAY
