"""Finding the client behind trusted relays."""

import pytest

from filterd.model.session import Client
from filterd.pipeline.received import MAX_RECEIVED, client_behind

RELAYS = {"192.0.2.1", "2001:db8::1"}


def _behind(*values: bytes) -> tuple[Client, str] | None:
    return client_behind([(b"Received", b" " + value) for value in values], RELAYS.__contains__)


@pytest.mark.parametrize(
    ("value", "client", "helo"),
    [
        (
            b"from mail.a.test (mail.a.test [198.51.100.7])\r\n\tby gw.test (Postfix) with ESMTP id 4X",
            Client("198.51.100.7", 0, "mail.a.test"),
            "mail.a.test",
        ),
        (b"from x (unknown [198.51.100.7]) by gw.test", Client("198.51.100.7"), "x"),
        (b"from x ([198.51.100.7]) by gw.test", Client("198.51.100.7"), "x"),
        (b"from x (y.test [IPv6:2001:db8::99]) by gw.test", Client("2001:db8::99", 0, "y.test"), "x"),
    ],
)
def test_the_newest_received_names_the_client(value: bytes, client: Client, helo: str) -> None:
    """The relay's own field tells whom it spoke to."""
    assert _behind(value) == (client, helo)


def test_a_chain_of_relays_is_followed_to_the_first_stranger() -> None:
    """A trusted relay that got the mail from another trusted relay is not the client."""
    assert _behind(
        b"from gw1 (gw1.test [192.0.2.1]) by gw2",
        b"from evil (evil.test [203.0.113.9]) by gw1",
        b"from forged (bank.test [198.51.100.1]) by evil",
    ) == (Client("203.0.113.9", 0, "evil.test"), "evil")


@pytest.mark.parametrize(
    "value", [b"by gw.test with LMTP", b"from x (y [nonsense]) by z", b"from " + b"(" * 5_000, b""]
)
def test_an_unreadable_field_names_nobody(value: bytes) -> None:
    """What cannot be read is not guessed: no address may be made up from a line a sender could have written."""
    assert _behind(value) is None


def test_a_chain_that_never_leaves_the_relays_names_nobody() -> None:
    """Mail that a relay made itself, and one hop more than a chain can have, are the relay's own."""
    hop = b"from gw1 (gw1.test [192.0.2.1]) by gw2"
    assert _behind(hop) is None
    assert _behind(*[hop] * MAX_RECEIVED, b"from far (far.test [203.0.113.9]) by gw1") is None


@pytest.mark.threat("MTA-09")
def test_a_mapped_address_in_the_chain_is_ipv4() -> None:
    """Trust and block lists see the same address, however the relay wrote it."""
    assert _behind(b"from x (y.test [IPv6:::ffff:198.51.100.7]) by z") == (Client("198.51.100.7", 0, "y.test"), "x")
