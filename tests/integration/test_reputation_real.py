"""Reputation in the daemon, behind Postfix: learnt from real mail, kept where the site keeps its state."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.redis import redis_server
from tests.support.smtp import Pose
from tests.support.stack import Stack
from tests.support.world import eicar_zip, message, with_attachment, zone

# Public addresses: others stand for nobody. All DNS is the fixture server's.
SHOP = Pose("11.22.33.44", "mail.shop.test", "mail.shop.test")
OTHER = Pose("11.22.33.99", "mail.other.test", "mail.other.test")
USER = Pose("11.99.99.9", "[UNAVAILABLE]", "desk.test", login="bob")
RECORDS = {
    **zone(),
    "shop.test": {"TXT": "v=spf1 ip4:11.22.33.44 -all"},
    "mail.shop.test": {"A": "11.22.33.44"},
    "44.33.22.11.in-addr.arpa": {"PTR": "mail.shop.test"},
    "_dmarc.shop.test": {"TXT": "v=DMARC1; p=reject"},
}
MAIN = {"relay_domains": "local.test shop.test"}  # what our user sends goes to the sink as well
GOOD = message("anna@shop.test", "Minutes")
BAD = with_attachment("anna@shop.test", "Invoice", "i.zip", eicar_zip())


@pytest.fixture(params=["embedded", "redis"])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A site of one front, with its state in a file or in Redis."""
    with ExitStack() as running:
        settings = {"milter": {"workers": 1}}
        if request.param == "redis":
            settings["redis"] = {"url": running.enter_context(redis_server()).url}  # type: ignore[dict-item]  # tables differ
        yield running.enter_context(Stack(settings, records=RECORDS, postfix=MAIN))


def restart(stack: Stack) -> None:
    """Stop the daemon, which writes what it has learnt, and start it again."""
    stack.filterd.stop()
    stack.filterd.start()


def symbols(stack: Stack, mail: bytes = GOOD, pose: Pose = SHOP, sender: str = "anna@shop.test") -> set[str]:
    """The symbols of reputation that a message got."""
    found = stack.send(mail, pose, sender).symbols
    return {name for name in found if name.startswith(("REPUTATION_", "KNOWN_", "FIRST_"))}


def test_from_first_contact_to_a_bad_name(stack: Stack) -> None:
    """A stranger becomes a good sender by his mail, and a bad one by what he sends then; a restart forgets neither."""
    assert symbols(stack) == {"FIRST_CONTACT"}
    for _ in range(17):
        stack.send(GOOD, SHOP, "anna@shop.test")
    assert {"REPUTATION_DOMAIN_GOOD", "REPUTATION_PAIR_GOOD"} <= symbols(stack)
    assert symbols(stack, message("x@other.test", "Hello"), OTHER, "x@other.test") == {"REPUTATION_NETWORK_GOOD"}
    for _ in range(2):
        assert stack.send(BAD, SHOP, "anna@shop.test").code == 550
    assert "REPUTATION_DOMAIN_GOOD" not in symbols(stack)
    for _ in range(20):
        stack.send(BAD, SHOP, "anna@shop.test")
    bad = {"REPUTATION_NETWORK_POOR", "REPUTATION_DOMAIN_POOR", "REPUTATION_PAIR_POOR"}
    assert bad <= symbols(stack)
    restart(stack)
    assert bad <= symbols(stack)


def test_whom_a_user_writes_to(stack: Stack) -> None:
    """Mail of our user makes its recipient known to him and to nobody else, after a restart of the daemon too."""
    stack.send(message("bob@local.test", "Question"), USER, "bob@local.test", recipients=["anna@shop.test"])
    restart(stack)
    outcomes = [
        stack.send(GOOD, SHOP, "anna@shop.test", recipients=[who]) for who in ("bob+x@local.test", "eve@local.test")
    ]
    assert ["KNOWN_CORRESPONDENT" in outcome.symbols for outcome in outcomes] == [True, False]
