"""What counts as the same attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.greylist.keys import Attempt, keys_of

BASE = Attempt("198.51.100.7", "alice@example.org", ("bob@local.test",))


def same(one: Attempt, other: Attempt) -> bool:
    """Whether the second would find what is remembered of the first."""
    return bool(set(keys_of(one)[0].all) & set(keys_of(other)[0].all))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("198.51.100.200", True),
        ("198.51.101.7", False),
        ("::ffff:198.51.100.9", True),
        ("2001:db8::1", False),
        ("", False),
    ],
)
def test_a_network_of_ipv4(address: str, expected: bool) -> None:  # noqa: FBT001  # a column of the table above
    """Another host of the same /24 is the same sender."""
    assert same(BASE, Attempt(address, BASE.sender, BASE.recipients)) is expected


def test_a_network_of_ipv6() -> None:
    """Of IPv6 it is a /64."""
    one, near, far = ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1")
    first = Attempt(one, BASE.sender, BASE.recipients)
    found = [same(first, Attempt(address, BASE.sender, BASE.recipients)) for address in (near, far)]
    assert found == [True, False]


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("ALICE@Example.ORG", True),
        ("alice+tag@example.org", True),
        ("alice@example.net", False),
        ("", False),
    ],
)
def test_a_sender(sender: str, expected: bool) -> None:  # noqa: FBT001  # a column of the table above
    """Letters' case and an extension do not make another one."""
    assert same(BASE, Attempt(BASE.address, sender, BASE.recipients)) is expected


def test_a_list_that_numbers_its_senders() -> None:
    """What differs from message to message is left out."""
    senders = ["bounce-1234-77@lists.example", "bounce-1235-901@lists.example"]
    one, other = [Attempt(BASE.address, sender, BASE.recipients) for sender in senders]
    assert same(one, other)


def test_recipients_are_apart() -> None:
    """Each has keys of its own, in order."""
    both = keys_of(Attempt(BASE.address, BASE.sender, ("bob@local.test", "carol@local.test")))
    assert both[0] == keys_of(BASE)[0]
    assert not set(both[0].all) & set(both[1].all)


def test_a_big_sender() -> None:
    """Where SPF passes, any of the domain's networks is the same, and a subdomain too; where not, it is not."""
    first = Attempt(BASE.address, BASE.sender, BASE.recipients, "mail.example.org")
    proved = Attempt("203.0.113.9", BASE.sender, BASE.recipients, "example.org")
    assert same(first, proved)
    assert not same(first, Attempt("203.0.113.9", BASE.sender, BASE.recipients))
    assert same(first, BASE)


def test_the_same_body() -> None:
    """Passes from anywhere, for the same sender and recipient."""
    first = Attempt(BASE.address, BASE.sender, BASE.recipients, body="aa")
    assert same(first, Attempt("203.0.113.9", BASE.sender, BASE.recipients, body="aa"))
    assert not same(first, Attempt("203.0.113.9", BASE.sender, BASE.recipients, body="ab"))
    assert not same(first, Attempt("203.0.113.9", BASE.sender, ("carol@local.test",), body="aa"))


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=40))
def test_any_text(sender: str, recipient: str, domain: str) -> None:
    """Hostile names make keys like any other."""
    (found,) = keys_of(Attempt("192.0.2.1", sender, (recipient,), domain, "aa"))
    assert {len(key) for key in found.all} == {len("greylist:") + 24}
