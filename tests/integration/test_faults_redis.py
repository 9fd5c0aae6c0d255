"""Redis as the shared store, at its worst: mail goes on, no wait grows, and what is shared comes back with it."""

import itertools
import time
from collections.abc import Iterator

import pytest

from tests.support.process import open_folder, wait_until
from tests.support.redis import RedisServer
from tests.support.signing import key_record, sign
from tests.support.stack import Outcome, Stack
from tests.support.world import GOOD, STRANGER, message, zone

pytestmark = pytest.mark.threat("RES-03")

MESSAGES = 12  # enough for the breaker of each front to open
SELECTORS = itertools.count()
P99 = 3_000.0  # milliseconds; DESIGN's bound for the end of a message


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A server that is not running yet."""
    with open_folder() as folder:
        server = RedisServer(folder)
        yield server
        server.kill()


@pytest.fixture(scope="module")
def stack(server: RedisServer) -> Iterator[Stack]:
    """A daemon that was started while its Redis was down."""
    records = {**zone(), "*._domainkey.aligned.test": {"TXT": key_record()}}
    with Stack({"redis": {"url": server.url}}, records=records) as running:
        assert server.socket.exists() is False
        yield running


@pytest.fixture(autouse=True)
def _leave_it_down(server: RedisServer) -> Iterator[None]:
    """Whatever the order of the tests: each finds the server down."""
    yield
    server.kill()


def flow(stack: Stack) -> list[Outcome]:
    """Some messages, every third one to be held: each must get its own verdict."""
    mail = {GOOD: message("alice@aligned.test", "Minutes"), STRANGER: message("ceo@strict.test", "Urgent transfer")}
    order = [STRANGER if number % 3 == 0 else GOOD for number in range(MESSAGES)]
    outcomes = [stack.send(mail[pose], pose) for pose in order]
    expected = ["quarantine" if pose is STRANGER else "accept" for pose in order]
    assert [outcome.action for outcome in outcomes] == expected
    return outcomes


def shares(stack: Stack, server: RedisServer) -> bool:
    """Whether what a message with a new selector teaches has reached Redis."""
    mail = message("alice@aligned.test", "Signed")
    stack.send(sign(mail, "aligned.test", f"k{next(SELECTORS)}", now=int(time.time())))
    with server.client() as client:
        return bool(client.keys("filterd:selectors:*"))


def test_down(stack: Stack) -> None:
    """Without any Redis all mail gets its verdict, no wait beyond the usual bound."""
    assert max(outcome.event["ms"] for outcome in flow(stack)) < P99


def test_comes_late(stack: Stack, server: RedisServer) -> None:
    """A Redis that is there at last is used without a restart of ours."""
    flow(stack)
    server.start()
    wait_until(lambda: shares(stack, server), "something in Redis")


@pytest.mark.parametrize("fault", ["killed", "frozen"])
def test_lost_and_back(stack: Stack, server: RedisServer, fault: str) -> None:
    """Lost while mail flows: the first messages wait for their timeout, the last ones hardly; then it is used again."""
    server.start()
    wait_until(lambda: shares(stack, server), "something in Redis")
    if fault == "killed":
        server.kill()
    else:
        server.freeze()
    waits = [outcome.event["ms"] for outcome in flow(stack)]
    assert max(waits) < P99
    waits = [outcome.event["ms"] for outcome in flow(stack)]
    assert sum(waits) < P99  # the breaker is open: a dozen messages together wait less than one may
    if fault == "killed":
        server.start()
    else:
        server.thaw()
        with server.client() as client:
            client.flushall()
    wait_until(lambda: shares(stack, server), "something in Redis again")
