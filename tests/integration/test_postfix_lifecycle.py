"""The daemon stops, reloads, loses a front and comes back while Postfix hands it mail: no message notices."""

import itertools
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from typer.testing import CliRunner

from filterd import __version__
from filterd.cli import app
from filterd.quarantine import EntryFilter
from tests.support.load import account, load, wait_for_load
from tests.support.process import wait_until
from tests.support.processes import fronts, frozen_inspectors, send_signal
from tests.support.smtp import SmtpClient, wire
from tests.support.stack import Outcome, Stack
from tests.support.world import GOOD, STRANGER, message

PLAIN = message("alice@aligned.test", "Minutes")
SPOOF = message("ceo@strict.test", "Urgent transfer")
AT_ONCE = 5  # messages at their end together; the two fronts have four inspectors
STOPS_WITHIN = 60.0  # seconds
AGAIN = 2  # reloads or restarts
RATE = 50.0  # messages a second
SENDERS = 16
AROUND = 250  # messages before, between and after them, besides those that come meanwhile
DEFERRED = 0.01  # of all attempts
SETTLE = 0.3  # seconds in which the other messages follow the first
NUMBERS = itertools.count()
FIRSTS = itertools.count(1, 1_000_000)  # numbers of the first messages of loads


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Every test leaves a daemon that runs with the first configuration."""
    with Stack({"milter": {"workers": 2}}) as running:
        yield running


class AtTheirEnd:
    """Messages whose last line has been sent and whose verdicts wait for inspectors; the first is a spoof."""

    def __init__(self, stack: Stack) -> None:
        """Open the sessions and give the envelopes; nothing waits yet."""
        self._stack = stack
        self.recipients = [stack.recipients() for _ in range(AT_ONCE)]
        self._clients = [SmtpClient(stack.postfix.port, STRANGER) for _ in range(AT_ONCE)]
        for client, (recipient,) in zip(self._clients, self.recipients, strict=True):
            for command, code in (
                ("MAIL FROM:<x@elsewhere.test>", 250),
                (f"RCPT TO:<{recipient}>", 250),
                ("DATA", 354),
            ):
                assert client.command(command).code == code

    def send(self) -> None:
        """Send the messages; returns when the daemon is at work. libmilter may queue some behind others' waits."""
        domains = [f"w{next(NUMBERS)}.test" for _ in self._clients]
        for client, domain in zip(self._clients, domains, strict=True):
            client.send(wire(message(f"a@{domain}", "Waiting") if domain != domains[0] else SPOOF))
        # The author's domain is asked about at the end of the header, which comes in one burst with the message's end.
        asked = [f"_dmarc.{domain}" for domain in domains[1:]]
        wait_until(lambda: any(self._stack.dns.count(one, "TXT") for one in asked), "messages at their end")
        time.sleep(SETTLE)

    def codes(self) -> list[int]:
        """What their clients are told."""
        codes = [client.reply().code for client in self._clients]
        for client in self._clients:
            client.drop()
        return codes


def reload(stack: Stack) -> None:
    """SIGUSR1, and the word that new fronts serve."""
    before = len(stack.filterd.events("reloaded"))
    stack.filterd.process.signal(signal.SIGUSR1)
    wait_until(lambda: len(stack.filterd.events("reloaded")) > before, "reloaded", STOPS_WITHIN)


def greeted(stack: Stack) -> int:
    """What a client is told that begins a message now and goes no further."""
    with SmtpClient(stack.postfix.port, GOOD) as client:
        return client.command("MAIL FROM:<alice@aligned.test>").code


@contextmanager
def configured(stack: Stack, table: str, key: str, value: object) -> Iterator[None]:
    """Run with another value for a while."""
    keys = stack.filterd.settings.setdefault(table, {})
    keys[key] = value
    stack.filterd.write()
    reload(stack)
    yield
    del keys[key]
    stack.filterd.write()
    reload(stack)


@pytest.mark.threat("MTA-05")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_stop(stack: Stack, number: signal.Signals) -> None:
    """Five messages at their end get their verdicts; who comes now is told 451 at once; then the daemon ends with 0."""
    waiting = AtTheirEnd(stack)
    with frozen_inspectors(stack.filterd):
        waiting.send()
        stack.filterd.process.signal(number)
        wait_until(lambda: greeted(stack) == 451, "new sessions refused")
    codes = waiting.codes()
    assert stack.filterd.process.wait(STOPS_WITHIN) == 0
    try:
        assert codes == [250] * AT_ONCE
        actions = [stack.event(one)["action"] for one in waiting.recipients]
        assert actions == ["quarantine"] + ["accept"] * (AT_ONCE - 1)
        refused = stack.send(PLAIN)
        assert (refused.code, refused.sent.stage) == (451, "MAIL")
    finally:
        stack.filterd.start()
    assert stack.send(PLAIN).action == "accept"


def test_not_running(stack: Stack) -> None:
    """Without a daemon Postfix defers at MAIL; with one again the retry is accepted: nothing passes unfiltered."""
    assert stack.filterd.stop() == 0
    try:
        refused = stack.send(PLAIN)
        assert (refused.code, refused.sent.stage) == (451, "MAIL")
    finally:
        stack.filterd.start()
    outcome = stack.send(PLAIN, recipients=refused.recipients)
    assert stack.arrived(outcome).value("Authentication-Results") != b""


@pytest.mark.threat("MTA-01")
def test_front_killed_at_the_end(stack: Stack) -> None:
    """Kill -9 of all fronts with messages at their end: 451, nothing kept or delivered; the retries are as any mail."""
    waiting = AtTheirEnd(stack)
    with frozen_inspectors(stack.filterd):
        waiting.send()
        old = fronts(stack.filterd)
        send_signal(old, signal.SIGKILL)
        assert waiting.codes() == [451] * AT_ONCE
    quarantine = stack.quarantine()
    assert not any(quarantine.entries(EntryFilter(recipient=one)) for (one,) in waiting.recipients)
    quarantine.close()
    wait_until(lambda: len(set(fronts(stack.filterd)) - set(old)) == 2, "two other fronts")
    outcome = stack.send(SPOOF, STRANGER, "x@elsewhere.test", recipients=waiting.recipients[0])
    assert [entry.copies for entry in stack.held(outcome)] == [1]
    stack.postfix.wait_empty()
    assert [stack.copies(one) for one in waiting.recipients] == [[]] * AT_ONCE


@pytest.mark.threat("MTA-01")
def test_front_killed_between_messages(stack: Stack) -> None:
    """A session whose front is gone is told 451; the same client is served on a new connection."""
    with SmtpClient(stack.postfix.port, GOOD) as client:
        assert stack.send(PLAIN, client=client).action == "accept"
        send_signal(fronts(stack.filterd), signal.SIGKILL)
        assert stack.send(PLAIN, client=client).code == 451
    wait_until(lambda: stack.send(PLAIN).action == "accept", "mail accepted again")


def test_observe(stack: Stack) -> None:
    """With [actions] observe everything is judged and logged, nothing is enforced, and no byte of the mail changes."""
    with configured(stack, "actions", "observe", value=True):
        outcome = when(stack, "accept")
        assert (outcome.event["observed"], outcome.event["code"]) == ("quarantine", "dmarc-reject")
        arrived = stack.arrived(outcome)
        assert (arrived.ours, arrived.rest) == ((), SPOOF)
        assert stack.held(outcome) == []
    when(stack, "quarantine")


def when(stack: Stack, action: str) -> Outcome:
    """A spoof's outcome as soon as it is this: a reload's old fronts may take a connection just after its word."""
    found: list[Outcome] = []

    def so() -> bool:
        found.append(stack.send(SPOOF, STRANGER))
        return found[-1].action == action

    wait_until(so, f"a spoof: {action}")
    return found[-1]


def test_session_across_a_reload(stack: Stack) -> None:
    """A session that was open goes on with its front, message after message; who comes now meets the new ones."""
    with SmtpClient(stack.postfix.port, STRANGER) as client:
        assert stack.send(SPOOF, client=client).action == "quarantine"
        with configured(stack, "actions", "dmarc_reject", "reject"):
            assert stack.send(SPOOF, client=client).action == "quarantine"
            when(stack, "reject")
            assert stack.send(SPOOF, client=client).action == "quarantine"


def restart(stack: Stack) -> None:
    """`filterd restart` as an operator does it, who waits for its end; the process is the one it was."""
    pid, before = stack.filterd.process.pid, set(fronts(stack.filterd))
    done = CliRunner().invoke(app, ["restart", "--config", str(stack.filterd.config)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"restarted: version {__version__}\n"
    assert stack.filterd.process.running
    assert {front.pid for front in psutil.Process(pid).children()} & set(fronts(stack.filterd)) - before


@pytest.mark.threat("OPS-12")
@pytest.mark.parametrize("again", [reload, restart], ids=["reload", "restart"])
def test_fifty_a_second(stack: Stack, again: Callable[[Stack], None]) -> None:
    """Again and again while 50 messages a second come: none lost, twice or unfiltered, at most 1 % told 4xx.

    A machine that cannot carry so many gets what it can, for longer; where it fails the rate that was reached is told.
    """
    began = time.monotonic()
    with load(stack, SENDERS, per_session=20, rate=RATE, first=next(FIRSTS)) as running:
        wait_for_load(running, AROUND)
        for _ in range(AGAIN):
            again(stack)
            wait_for_load(running, AROUND)
    seconds = time.monotonic() - began
    taken = len(running.accepted)
    told = f"{taken} in {seconds:.0f} s, {taken / seconds:.0f} a second; deferred {dict(running.refused)}"
    assert running.lost == 0, told
    assert running.troubles == [], told
    assert running.refused.total() <= DEFERRED * running.attempts, told
    found = account(stack, running.accepted)
    assert found.faults == {}, told
    assert found.delivered + found.held == taken, told
