"""Inspectors that hang or die: the client keeps its message, others are served, and a deadly message is held unread."""

import shutil
import signal
import threading
from collections.abc import Iterator

import pytest

from filterd.config.root import shipped_rules
from tests.support.daemon import Settings
from tests.support.process import open_folder, wait_until
from tests.support.processes import cpu, frozen_inspectors, inspectors, nurseries, send_signal
from tests.support.stack import Outcome, Stack
from tests.support.world import GOOD, STRANGER, message

DEADLINE = 6.0  # seconds for the end of a message; two of them are kept back for custody and reply
AT_WORK = 0.1  # seconds of CPU by which an inspector shows that it reads
SLOW_RULE = """
rule slow { strings: $mark = "take your time" condition: $mark and for all n in (1..4000000000) : (n > 0) }
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Little patience with inspectors, and a rule that keeps one at work for seconds where a message asks for it."""
    with open_folder() as folder:
        shutil.copytree(shipped_rules(), folder / "rules")
        (folder / "rules" / "yara" / "slow.yar").write_text(SLOW_RULE)
        settings: Settings = {"milter": {"deadline": DEADLINE, "workers": 1}, "rules": {"path": f"{folder}/rules"}}
        with Stack(settings) as running:
            yield running


@pytest.fixture(autouse=True)
def _complete(stack: Stack) -> None:
    """Every test begins with both inspectors at work; that idle ones have died is noticed with the next message."""

    def complete() -> bool:
        return (
            stack.send(message("alice@aligned.test", "Ready")).action == "accept"
            and len(inspectors(stack.filterd)) == 2
        )

    wait_until(complete, "two inspectors", 60.0)


def deferred(outcome: Outcome) -> bool:
    """Whether the client was told to keep it because it could not be read."""
    return (outcome.code, outcome.event["action"], outcome.event["code"]) == (451, "defer", "inspection-failed")


@pytest.mark.threat("MTA-03")
def test_over_the_deadline(stack: Stack) -> None:
    """451 well before Postfix gives up, the inspector is gone, nothing is kept; the next message is served at once."""
    spoof = message("ceo@strict.test", "Urgent transfer")
    with frozen_inspectors(stack.filterd) as pids:
        outcome = stack.send(spoof, STRANGER, "x@elsewhere.test")
        assert deferred(outcome)
        assert outcome.sent.last.text.startswith("4.3.0 Please try again later")
        assert "Service unavailable" not in outcome.sent.last.text  # which Postfix says of a milter it has given up
        wait_until(lambda: set(inspectors(stack.filterd)) != set(pids), "an inspector killed and replaced")
    assert stack.held(outcome) == []
    again = stack.send(spoof, STRANGER, "x@elsewhere.test", recipients=outcome.recipients)
    assert (again.code, again.action, again.event["code"]) == (250, "quarantine", "dmarc-reject")
    (entry,) = stack.held(again)
    assert entry.copies == 1


@pytest.mark.threat("RES-01")
def test_deadly_message(stack: Stack) -> None:
    """A message whose inspector dies is deferred once and then held unread; others are delivered meanwhile."""
    mail = message("alice@aligned.test", "Deadly", "take your time\r\n")
    recipients = stack.recipients()
    first, second = [killed_over(stack, mail, recipients) for _ in range(2)]
    assert deferred(first)
    assert (second.code, second.action, second.event["code"]) == (250, "quarantine", "poison")
    third = stack.send(mail, recipients=recipients)
    assert (third.code, third.action, third.event["code"]) == (250, "quarantine", "poison")
    (entry,) = stack.held(third)
    assert (entry.copies, stack.raw(entry), entry.subject) == (2, mail, "Deadly")


def killed_over(stack: Stack, mail: bytes, recipients: tuple[str, ...]) -> Outcome:
    """Send a message that keeps its inspector at work, and kill that one while it reads."""
    found: list[Outcome] = []
    sender = threading.Thread(target=lambda: found.append(stack.send(mail, GOOD, recipients=recipients)))
    wait_until(lambda: len(inspectors(stack.filterd)) == 2, "two inspectors")
    before = {pid: cpu(pid) for pid in inspectors(stack.filterd)}
    sender.start()

    def busy() -> list[int]:
        return [pid for pid in before if cpu(pid) > before[pid] + AT_WORK]

    wait_until(busy, "an inspector at work")
    reading = busy()
    assert stack.send(message("alice@aligned.test", "Harmless")).action == "accept"
    send_signal(reading, signal.SIGKILL)
    sender.join()
    return found[0]


@pytest.mark.threat("RES-01")
def test_nursery_dies(stack: Stack) -> None:
    """With the nursery all inspectors go: until others are there mail is deferred, never let through unread."""
    send_signal(nurseries(stack.filterd), signal.SIGKILL)
    codes: list[int] = []

    def accepted() -> bool:
        outcome = stack.send(message("alice@aligned.test", f"Try {len(codes)}"))
        codes.append(outcome.code)
        assert outcome.action == "accept" or deferred(outcome)
        return outcome.code == 250

    wait_until(accepted, "mail accepted again", 60.0)
