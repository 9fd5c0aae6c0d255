"""Greylisting and rate limits with a real Postfix: at RCPT by the policy service, at the end by the milter."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from typer.testing import CliRunner

from filterd.cli import app
from tests.support.daemon import Settings
from tests.support.process import free_port, wait_until
from tests.support.smtp import Pose, Reply, SmtpClient
from tests.support.stack import Outcome, Stack
from tests.support.world import GOOD, STRANGER, message, zone

DELAY = 2  # seconds; what an operator has is minutes
SENDER = "anna@hard.test"  # whose domain says that the client may not send for it
NEIGHBOUR = Pose("198.51.100.9", "[UNAVAILABLE]", "pc9.dialup.test")
ELSEWHERE = Pose("203.0.113.9", "[UNAVAILABLE]", "pc9.other.test")

# A big sender: hosts in networks far apart, one SPF record for all of them, and content that is not above suspicion.
BIG = {"big.test": {"TXT": "v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 -all", "A": "198.51.100.40"}}
SETTINGS: Settings = {
    "actions": {"greylist": 0.5},
    "greylist": {"delay": DELAY, "early": False},
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A site that greylists at the end of a message whatever is not quite clean."""
    with Stack(SETTINGS, records={**zone(), **BIG}) as running:
        yield running


def told_to_come_again(outcome: Outcome) -> bool:
    """Whether the client was told so, and the log says so."""
    reply = outcome.sent.last
    assert (reply.code, reply.text[:5]) == (451, "4.7.1"), reply
    assert reply.text[6:].startswith("Greylisted, please try again in a few minutes; id ")
    return (outcome.action, outcome.event["code"]) == ("greylist", "greylisted")


def come_back(stack: Stack, first: Outcome, mail: bytes, pose: Pose = STRANGER, sender: str = SENDER) -> Outcome:
    """Try again as mail servers do, until the message is taken."""
    found: list[Outcome] = []

    def taken() -> bool:
        found[:] = [stack.send(mail, pose, sender, recipients=first.recipients)]
        return found[0].code == 250

    wait_until(taken, "greylisted mail accepted")
    return found[0]


def test_a_retry_is_taken(stack: Stack) -> None:
    """Told to come again, too early once, then delivered; the journal says after how long."""
    mail = message(SENDER, "Offer")
    first = stack.send(mail, STRANGER, SENDER)
    assert told_to_come_again(first)
    early = stack.send(mail, STRANGER, SENDER, recipients=first.recipients)
    assert told_to_come_again(early)
    assert stack.copies(first.recipients) == []
    last = come_back(stack, first, mail)
    assert stack.delivered(last).data.endswith(b"Kind regards\r\n")
    note = stack.row(last).note
    seconds = int(note.removeprefix("greylisted, came back after ").removesuffix(" s"))
    assert seconds >= DELAY
    assert last.event["note"] == note
    # Who came back is known, and is not asked again, for this recipient.
    again = stack.send(message(SENDER, "Another", number=2), STRANGER, SENDER, recipients=first.recipients)
    assert (again.code, again.event["note"]) == (250, f"known since it came back after {seconds} s")


def test_from_another_address_of_its_network(stack: Stack) -> None:
    """A retry from the same /24 is one, whatever the message is."""
    first = stack.send(message(SENDER, "Offer", number=3), STRANGER, SENDER)
    assert told_to_come_again(first)
    assert come_back(stack, first, message(SENDER, "Changed", "Other text\r\n", number=4), NEIGHBOUR).code == 250


def test_the_same_message_from_another_network(stack: Stack) -> None:
    """A retry from a host far away is one by its body; another body from there is not."""
    mail = message(SENDER, "Offer", "The body that comes again\r\n", number=5)
    first = stack.send(mail, STRANGER, SENDER)
    assert told_to_come_again(first)
    time.sleep(DELAY + 1)
    other = stack.send(message(SENDER, "Offer", "Not it\r\n"), ELSEWHERE, SENDER, recipients=first.recipients)
    assert told_to_come_again(other)
    fresh = stack.send(message(SENDER, "Offer", "Nor this\r\n"), Pose("8.8.8.8"), SENDER, recipients=first.recipients)
    assert told_to_come_again(fresh)
    assert stack.send(mail, Pose("9.9.9.9"), SENDER, recipients=first.recipients).code == 250


def test_a_big_sender(stack: Stack) -> None:
    """Where SPF passes, the domain is what counts: a retry from its other network with another body is taken.

    The author is of another domain, so nobody answers for the message.
    """
    first = stack.send(message("x@nowhere.test", "Offer", number=6), STRANGER, "news@big.test")
    assert told_to_come_again(first)
    mail = message("x@nowhere.test", "Offer", "Other text\r\n", number=7)
    assert come_back(stack, first, mail, ELSEWHERE, "news@big.test").code == 250


def test_who_is_not_greylisted(stack: Stack) -> None:
    """An aligned author, one of our networks, and who has authenticated."""
    outcomes = [
        stack.send(message("alice@aligned.test", "Minutes"), GOOD),
        stack.send(message(SENDER, "Offer"), Pose("127.0.0.1"), SENDER),
        stack.send(message(SENDER, "Offer"), Pose("198.51.100.200", login="anna"), SENDER),
    ]
    assert [outcome.code for outcome in outcomes] == [250, 250, 250]


EARLY: Settings = {
    "actions": {"greylist": 0.5},
    "greylist": {"delay": DELAY, "window": 3600},
    "rates.box": {"by": "recipient", "limit": 3},
    "rates.watched": {"by": "client", "limit": 1, "dry_run": True},
}


@pytest.fixture(scope="module")
def asked() -> Iterator[Stack]:
    """A site whose Postfix asks the policy service about each recipient."""
    with Asked(EARLY) as running:
        yield running


class Asked(Stack):
    """A stack whose Postfix asks the policy service, too."""

    def __init__(self, settings: Settings) -> None:
        """As Stack."""
        port = free_port()
        restrictions = f"check_policy_service inet:127.0.0.1:{port}"
        super().__init__(
            {**settings, "policy": {"listen": f"inet:{port}@127.0.0.1"}},
            postfix={"smtpd_recipient_restrictions": restrictions},
        )


def rcpt(stack: Stack, recipient: str, pose: Pose = STRANGER, sender: str = SENDER) -> Reply:
    """What a client is told about one recipient; then it goes."""
    with SmtpClient(stack.postfix.port, pose) as client:
        client.command(f"MAIL FROM:<{sender}>")
        reply = client.command(f"RCPT TO:<{recipient}>")
        client.quit()
    return reply


def test_before_the_content(asked: Stack) -> None:
    """Postfix is told to have the recipient come again; a retry passes, and its content is not greylisted once more."""
    (recipient,) = asked.recipients()
    first = rcpt(asked, recipient)
    assert (first.code, first.text.startswith("4.7.1 ")) == (450, True)
    assert "Greylisted, please try again" in first.text
    (event,) = [one for one in asked.filterd.events("recipient") if one["recipients"] == [recipient]]
    assert (event["action"], event["code"], event["by"]) == ("greylist", "greylisted", "policy")
    wait_until(lambda: rcpt(asked, recipient).code == 250, "greylisted recipient accepted")
    outcome = asked.send(message(SENDER, "Offer", number=8), STRANGER, SENDER, recipients=[recipient])
    assert outcome.code == 250
    assert "came back after " in outcome.event["note"]


def test_a_rate(asked: Stack) -> None:
    """The fourth message to a mailbox within its rate is told to come again; commands show it, and give it back."""
    (recipient,) = asked.recipients()
    codes = [rcpt(asked, recipient, GOOD, "alice@aligned.test").code for _ in range(3)]
    refused = rcpt(asked, recipient, GOOD, "alice@aligned.test")
    assert (codes, refused.code) == ([250, 250, 250], 450)
    assert "Too many messages for now" in refused.text
    config = str(asked.filterd.config)
    shown = CliRunner().invoke(app, ["limits", "show", "--rate", "box", "--config", config]).stdout
    assert [line.split("\t")[3] for line in shown.splitlines() if recipient in line] == ["0"]
    assert CliRunner().invoke(app, ["limits", "reset", "box", recipient, "--config", config]).exit_code == 0
    assert rcpt(asked, recipient, GOOD, "alice@aligned.test").code == 250
    limited = asked.filterd.events("rate_limited")
    assert {(one["rate"], one["dry_run"]) for one in limited} == {("box", False), ("watched", True)}


def test_many_clients_at_once(asked: Stack) -> None:
    """Ten clients, a thousand recipients: the dubious half is told to come again and taken then; none is mixed up."""
    clients = [
        (f"c{number}x", GOOD, "alice@aligned.test") if number % 2 else (f"c{number}x", STRANGER, SENDER)
        for number in range(10)
    ]

    def turn(client: tuple[str, Pose, str]) -> list[int]:
        name, pose, sender = client
        codes = []
        for batch in range(10):
            with SmtpClient(asked.postfix.port, pose) as session:
                session.command(f"MAIL FROM:<{sender}>")
                names = [f"{name}{batch}n{number}@local.test" for number in range(10)]
                codes += [session.command(f"RCPT TO:<{one}>").code for one in names]
                session.quit()
        return codes

    with ThreadPoolExecutor(10) as pool:
        first = list(pool.map(turn, clients))
        time.sleep(DELAY + 1)
        second = list(pool.map(turn, clients))
    assert [set(codes) for codes in first] == [{450}, {250}] * 5
    assert [set(codes) for codes in second] == [{250}] * 10


def test_by_the_milter_at_rcpt() -> None:
    """Without the policy service the milter asks the same gates, where it is told to: as Sendmail needs it."""
    settings: Settings = {**EARLY, "early": {"milter": True, "wait": 2.0}}
    with Stack(settings) as stack:
        (recipient,) = stack.recipients()
        first = rcpt(stack, recipient)
        assert (first.code, first.text.startswith("4.7.1 Greylisted")) == (451, True)
        wait_until(lambda: rcpt(stack, recipient).code == 250, "greylisted recipient accepted")
        (returned,) = stack.filterd.events("greylist_returned")
        assert (returned["recipient"], returned["since"] >= DELAY) == (recipient, True)
        codes = [rcpt(stack, recipient, GOOD, "alice@aligned.test").code for _ in range(3)]
        assert codes == [250, 250, 451]
