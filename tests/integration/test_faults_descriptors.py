"""Fronts that run out of file descriptors: the client keeps its message, and all is well once there are some again."""

import itertools
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.process import wait_until
from tests.support.processes import cpu, descriptors, fronts
from tests.support.smtp import SmtpClient
from tests.support.stack import Stack
from tests.support.world import STRANGER, message

pytestmark = pytest.mark.threat("RES-07")

PLAIN = message("alice@aligned.test", "Minutes")
SPOOF = message("ceo@strict.test", "Urgent transfer")
PATIENCE = 2  # seconds Postfix waits for a milter that accepts its connection and says nothing


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One front, so that every message meets the limit; that a callback fails is the subject here."""
    short = {"milter_connect_timeout": f"{PATIENCE}s", "milter_command_timeout": f"{PATIENCE}s"}
    with Stack({"milter": {"workers": 1}}, postfix=short, crashes_expected=True) as running:
        running.send(SPOOF, STRANGER)  # opens what stays open
        yield running


@contextmanager
def limited(pid: int, spare: int) -> Iterator[None]:
    """Let a process open so many descriptors more than it has: the limit is on their numbers."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = descriptors(pid)
    free = (number for number in itertools.count() if number not in used)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (next(itertools.islice(free, spare, None)), hard))
    yield
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("spare", range(8))
def test_in_a_session(stack: Stack, spare: int) -> None:
    """Whatever cannot be opened for a message: it is held whole or left to the client, never let through."""
    (front,) = fronts(stack.filterd)
    with SmtpClient(stack.postfix.port, STRANGER) as client:
        with limited(front, spare):
            outcome = stack.send(SPOOF, client=client)
        assert outcome.code == 451 or [stack.raw(entry) for entry in stack.held(outcome)] == [SPOOF]
    assert stack.send(SPOOF, STRANGER).action == "quarantine"
    assert fronts(stack.filterd) == [front]
    stack.postfix.wait_empty()
    assert stack.copies(outcome.recipients) == []


def test_at_the_door(stack: Stack) -> None:
    """No descriptor for a connection: 451, nothing delivered unread, no spin; with some again connections are taken."""
    (front,) = fronts(stack.filterd)
    with limited(front, 0):
        outcome = stack.send(PLAIN)
        before = cpu(front)
        again = stack.send(PLAIN)
        used = cpu(front) - before
    assert (outcome.code, again.code) == (451, 451)
    assert used < PATIENCE / 8  # seconds of CPU, while somebody waits to be accepted all the time
    wait_until(lambda: stack.send(PLAIN).action == "accept", "connections taken again")
    assert fronts(stack.filterd) == [front]
    stack.postfix.wait_empty()
    assert stack.copies(outcome.recipients) == []
