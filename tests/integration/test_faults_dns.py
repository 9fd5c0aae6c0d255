"""A resolver at its worst, as the whole daemon meets it: a verdict in bounded time, and "could not check" said so."""

import itertools
import re
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.daemon import Settings
from tests.support.process import free_port, wait_until
from tests.support.signing import sign
from tests.support.smtp import Pose
from tests.support.stack import Outcome, Stack
from tests.support.world import GOOD, message

pytestmark = pytest.mark.threat("DNS-05")

TIMEOUT = 1.0  # seconds of DNS for one message before its end, and once more after it
BOUND = 3_000 * TIMEOUT  # milliseconds; both, and as much again for a busy machine
UNKNOWN = {"SPF_TEMPERROR", "DKIM_TEMPERROR", "DMARC_TEMPERROR"}
RELAY = Pose("192.0.2.200", "gw.test", "gw.test")
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Little patience with DNS; behind the relay nothing is let in whose SPF could not be checked."""
    settings: Settings = {
        "milter": {"workers": 1},
        "dns": {"timeout": TIMEOUT, "try_timeout": 0.3},
        "trust": {"relays": [RELAY.address]},
        "actions": {"on_unknown": {"spf": {"relay": "defer"}, "dmarc": {"relay": "add_header"}}},
    }
    with Stack(settings) as running:
        yield running


@pytest.fixture(autouse=True)
def _heal(stack: Stack) -> None:
    """Every test begins with a server that answers, and a front that has noticed."""
    stack.dns.heal()
    wait_until(lambda: "SPF_NONE" in send(stack).symbols, "answers")


def send(stack: Stack, pose: Pose | None = None, *, sender: str = "") -> Outcome:
    """A signed message in the name of a domain that nobody has asked about before, from a client like that."""
    number = next(NUMBERS)
    sender = sender or f"a@d{number}.test"
    domain = sender.partition("@")[2]
    mail = sign(message(sender, "Hello"), domain, f"s{number}", now=int(time.time()))
    return stack.send(mail, pose or Pose(f"198.51.100.{number % 250}", helo=f"h{number}.test"), sender)


LATE = "late"  # the right answer, when the message's time for DNS has been over for long
SILENT = ("drop", "wrongid", "wrongname", "garbage", LATE)
LOUD = ("servfail", "refused", "formerr", "malformed", "referral")


@pytest.mark.parametrize("fault", LOUD)
def test_refusals(stack: Stack, fault: str) -> None:
    """Refusals and nonsense: accepted, the results say temperror, and nothing is held against the message for it."""
    stack.dns.fault(fault)
    outcome = send(stack)
    assert (outcome.code, outcome.action) == (250, "accept")
    assert outcome.event["ms"] < BOUND
    assert outcome.symbols.keys() >= UNKNOWN
    assert sum(outcome.symbols[name] for name in UNKNOWN) == 0
    results = stack.arrived(outcome).value("Authentication-Results")
    assert results.count(b"spf=temperror") == 2  # of HELO and MAIL FROM
    assert b"dkim=temperror" in results
    assert b"dmarc=temperror" in results


@pytest.mark.parametrize("fault", SILENT)
def test_silence(stack: Stack, fault: str) -> None:
    """A black hole, answers to nobody's question or much too late: a verdict in time; nothing passes, nothing fails."""
    if fault == LATE:
        stack.dns.fault("", delay=4 * TIMEOUT)
    else:
        stack.dns.fault(fault)
    outcome = send(stack)
    assert (outcome.code, outcome.action) == (250, "accept")
    assert outcome.event["ms"] < BOUND
    known = {name for name in outcome.symbols if name.startswith(("SPF_", "DKIM_", "DMARC_"))}
    assert known <= UNKNOWN
    results = stack.arrived(outcome).value("Authentication-Results").decode()
    assert set(re.findall(r"(?<!\.)(?:spf|dkim|dmarc)=(\w+)", results)) <= {"temperror"}


def test_lasting_silence(stack: Stack) -> None:
    """A resolver that is silent for long holds up the first messages and no others; once back it is heard again."""
    stack.dns.fault("drop")
    wait_until(lambda: send(stack).event["ms"] < 1_000 * TIMEOUT / 2, "a message that waits for nothing")
    assert sum(send(stack).event["ms"] for _ in range(10)) < BOUND
    stack.dns.heal()
    wait_until(lambda: "SPF_NONE" in send(stack).symbols, "answers again")
    names = [event["event"] for event in stack.filterd.events() if str(event["event"]).startswith("resolver")]
    assert names[-2:] == ["resolver_failing", "resolver_returned"]


@pytest.mark.parametrize("fault", ["tc", "wrongcase"])
def test_answers_with_a_flaw(stack: Stack, fault: str) -> None:
    """An answer that is cut, or looks forged, is fetched over TCP: the message passes as ever."""
    stack.dns.fault(fault)
    stack.dns.set(f"flaw-{fault}.test", "TXT", "v=spf1 ip4:192.0.2.10 -all")
    outcome = send(stack, GOOD, sender=f"a@flaw-{fault}.test")
    assert "SPF_PASS" in outcome.symbols


def test_slow_answers(stack: Stack) -> None:
    """An answer that comes after the second try still counts, also where one lookup follows from another."""
    stack.dns.fault("", delay=0.35)
    stack.dns.set("slow.test", "TXT", "v=spf1 ip4:192.0.2.10 -all")
    outcome = send(stack, GOOD, sender="a@slow.test")
    assert "SPF_PASS" in outcome.symbols


def test_what_unknown_means(stack: Stack) -> None:
    """What the operator chose for this class is done: deferred while SPF is unknown, and let in when it is known."""
    trace = b"Received: from policy.test (policy.test [192.0.2.10]) by gw.test with ESMTP id 1; 23 Nov 2026 10:00 +0000"
    mail = trace + b"\r\n" + message("a@policy.test", "Hello")
    stack.dns.fault("servfail")
    outcome = stack.send(mail, RELAY, "a@policy.test")
    assert (outcome.code, outcome.action, outcome.event["code"]) == (451, "defer", "spf-unknown")
    assert outcome.sent.last.text.startswith("4.7.1 ")
    stack.dns.heal()
    stack.dns.fault("servfail", "_dmarc.later.test")
    later = stack.send(mail.replace(b"policy", b"later"), RELAY, "a@later.test")
    assert (later.code, later.action, later.event["code"]) == (250, "add_header", "dmarc-unknown")


def test_nobody_listens() -> None:
    """A closed port is noticed at once, message after message: none of them waits for as much as one try."""
    with Stack({"dns": {"nameservers": [f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}"], "try_timeout": 5.0}}) as stack:
        outcomes = [send(stack) for _ in range(12)]
        assert {outcome.action for outcome in outcomes} == {"accept"}
        assert all(outcome.symbols.keys() >= UNKNOWN for outcome in outcomes)
        assert max(outcome.event["ms"] for outcome in outcomes) < 5_000


def test_recovery(stack: Stack) -> None:
    """A failure is remembered for its half minute at most for the name it met: other names are asked again at once."""
    stack.dns.fault("servfail")
    assert "SPF_TEMPERROR" in send(stack).symbols
    stack.dns.heal()
    assert "SPF_NONE" in send(stack).symbols
