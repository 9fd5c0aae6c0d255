"""Whom filterd believes: authenticated clients, own networks, relays and the hosts behind them, and nobody else."""

from collections.abc import Iterator

import pytest

from tests.support.smtp import Pose
from tests.support.stack import Stack
from tests.support.world import GOOD, LISTED, STRANGER, eicar_zip, message, with_attachment

SPOOF = message("ceo@strict.test", "Urgent transfer")
PLAIN = message("alice@aligned.test", "Minutes")
EICAR = with_attachment("alice@aligned.test", "Invoice", "i.zip", eicar_zip())
RELAY = Pose("192.0.2.200", "gw.test", "gw.test")
INNER_RELAY = "192.0.2.201"
OWN = Pose("10.1.2.3", "[UNAVAILABLE]", "desk.test")
USER = Pose(STRANGER.address, STRANGER.name, STRANGER.helo, login="alice")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A site with two relays in front and a network of its own."""
    with Stack({"trust": {"relays": ["192.0.2.200/31"], "networks": ["10.0.0.0/8"]}}) as running:
        yield running


def received(pose: Pose, protocol: str = "ESMTP") -> bytes:
    """The field by which a relay says from whom it took the message."""
    name = "unknown" if pose.name.startswith("[") else pose.name
    return (
        f"Received: from {pose.helo} ({name} [{pose.address}])\r\n\tby gw.test (Postfix) with {protocol} id 4B1;\r\n"
        "\tMon, 23 Nov 2026 10:00:00 +0000 (UTC)\r\n"
    ).encode()


@pytest.mark.threat("MTA-10")
@pytest.mark.parametrize(("pose", "trust"), [(USER, "authenticated"), (OWN, "local")], ids=["login", "network"])
def test_own_people(stack: Stack, pose: Pose, trust: str) -> None:
    """Our own users are spared what judges strangers: address, SPF, DMARC and lists are not even in the results."""
    outcome = stack.send(SPOOF, pose, "ceo@strict.test")
    assert (outcome.code, outcome.action, outcome.event["trust"]) == (250, "accept", trust)
    results = stack.arrived(outcome).value("Authentication-Results")
    assert not any(word in results for word in (b"spf=", b"dmarc=", b"iprev="))


@pytest.mark.threat("MTA-10")
@pytest.mark.parametrize("pose", [USER, OWN], ids=["login", "network"])
def test_content_is_read_for_all(stack: Stack, pose: Pose) -> None:
    """Nobody is spared the reading of content: malware of our own users is refused."""
    assert stack.send(EICAR, pose, "alice@aligned.test").code == 550


@pytest.mark.threat("MTA-10")
@pytest.mark.parametrize("trace", ["ESMTPA", "ESMTPSA"])
def test_a_claimed_login_gains_nothing(stack: Stack, trace: str) -> None:
    """A Received field that tells of a login, or of a host in our network, changes nothing for a stranger."""
    bare = stack.send(SPOOF, STRANGER, "x@elsewhere.test")
    dressed = stack.send(received(GOOD, trace) + received(OWN, trace) + SPOOF, STRANGER, "x@elsewhere.test")
    assert (dressed.event["trust"], dressed.event["client"]) == ("stranger", STRANGER.address)
    assert (dressed.action, dressed.symbols) == (bare.action, bare.symbols)


def test_good_host_behind_the_relay(stack: Stack) -> None:
    """Behind a relay the host that spoke to it is judged: its address passes SPF, reverse DNS and DMARC."""
    outcome = stack.send(received(GOOD) + PLAIN, RELAY)
    assert (outcome.action, outcome.event["trust"], outcome.event["client"]) == ("accept", "relay", GOOD.address)
    results = stack.arrived(outcome).value("Authentication-Results").decode()
    assert f"iprev=pass policy.iprev={GOOD.address}" in results
    assert "spf=pass smtp.mailfrom=alice@aligned.test" in results
    assert "dmarc=pass" in results


def test_listed_host_behind_the_relay(stack: Stack) -> None:
    """A block list is asked about the host behind the relay, and the evidence names that host."""
    outcome = stack.send(received(LISTED) + PLAIN, RELAY)
    assert outcome.action == "quarantine"
    assert outcome.symbols.keys() >= {"DNSBL_SPAMHAUS_XBL", "SPF_FAIL"}
    (entry,) = stack.held(outcome)
    assert (entry.client, entry.helo) == (LISTED.address, LISTED.helo)


def test_relay_behind_a_relay(stack: Stack) -> None:
    """Two relays in a row are both passed over."""
    inner = received(Pose(INNER_RELAY, "inner.test", "inner.test"))
    outcome = stack.send(inner + received(LISTED) + PLAIN, RELAY)
    assert outcome.event["client"] == LISTED.address


def test_only_the_relays_own_word(stack: Stack) -> None:
    """What stands below the relay's own Received field is the stranger's word and is not believed."""
    outcome = stack.send(received(LISTED) + received(GOOD) + PLAIN, RELAY)
    assert outcome.event["client"] == LISTED.address


def test_relay_without_a_trace(stack: Stack) -> None:
    """Where the relay's Received field is missing the relay itself is judged, and the message still gets a verdict."""
    outcome = stack.send(SPOOF, RELAY, "x@elsewhere.test")
    assert (outcome.event["client"], outcome.action) == (RELAY.address, "quarantine")
