"""clamd beside the inspector: asked once, waited for only so long, left alone when it is down."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from filterd.clamd import ClamdPool
from filterd.config.listen import Listen, parse_listen
from filterd.model.message import RawMessage
from filterd.model.scanning import Scanned
from filterd.pipeline.body import Body
from filterd.scanners import ScannerError, ScannerRefusedError
from filterd.store.breaker import OPENS_AFTER
from tests.support.process import wait_until


def _dead(_address: Listen, _deadline: float) -> None:
    raise ScannerError("no answer in time")


def _alive(_address: Listen, _deadline: float) -> None:
    return


ADDRESS = parse_listen("unix:/nowhere")
LATER = 1e6


@pytest.fixture
def message() -> Iterator[RawMessage]:
    """Ten bytes of body."""
    body = Body()
    body.append(b"0123456789")
    yield RawMessage(((b"Subject", b" x"),), body.fd, body.size)
    body.close()


class Scanner:
    """Answers as it is told; counts what it is asked."""

    def __init__(self, *errors: Exception | None) -> None:
        """Raise these in turn, the last one again and again."""
        self.errors = list(errors)
        self.asked = 0

    def __call__(self, address: Listen, message: RawMessage, deadline: float) -> str:
        """As instream does."""
        assert (address, deadline > time.monotonic()) == (ADDRESS, True)
        self.asked += 1
        error = self.errors.pop(0) if len(self.errors) > 1 else self.errors[0]
        if error is not None:
            raise error
        return os.pread(message.body_fd, 4, 0).decode()


def _ask(pool: ClamdPool, message: RawMessage) -> Scanned:
    return pool.begin(message, time.monotonic() + LATER)()


def test_what_it_says_comes_back(message: RawMessage) -> None:
    """Read from a descriptor of the pool's own."""
    pool = ClamdPool(ADDRESS, 10.0, 100, Scanner(None))
    assert _ask(pool, message) == Scanned("0123")
    pool.close()


def test_a_message_that_is_too_large_is_unknown_and_not_sent(message: RawMessage) -> None:
    """Never clean."""
    scanner = Scanner(None)
    pool = ClamdPool(ADDRESS, 10.0, 9, scanner)
    assert "larger than" in _ask(pool, message).cause
    assert scanner.asked == 0


def test_a_scanner_that_is_down_is_left_alone_and_said_once(message: RawMessage) -> None:
    """After a row of failures most messages do not wait; who is back is asked again."""
    scanner = Scanner(*[ScannerError("Connection refused")] * OPENS_AFTER, None)
    pool = ClamdPool(ADDRESS, 10.0, 100, scanner, _dead)
    with capture_logs() as log:
        causes = [_ask(pool, message).cause for _ in range(OPENS_AFTER + 3)]
        assert causes == ["clamd: Connection refused"] * OPENS_AFTER + ["clamd does not answer"] * 3
        deadline = time.monotonic() + 20
        while _ask(pool, message).cause and time.monotonic() < deadline:
            time.sleep(0.05)
    assert scanner.asked == OPENS_AFTER + 1
    assert [line["event"] for line in log] == ["clamd_failing", "clamd_returned"]
    pool.close()


def test_messages_that_take_too_long_do_not_turn_it_off(message: RawMessage) -> None:
    """While it answers PING the next message is sent to it, whatever the ones before were made to do."""
    scanner = Scanner(ScannerError("no answer in time"))
    pool = ClamdPool(ADDRESS, 10.0, 100, scanner, _alive)
    assert {_ask(pool, message).cause for _ in range(OPENS_AFTER + 3)} == {"clamd: no answer in time"}
    assert scanner.asked == OPENS_AFTER + 3
    pool.close()


@pytest.mark.crashes_expected
def test_a_bug_is_no_answer(message: RawMessage) -> None:
    """It is logged, and the message is unknown to this check."""
    pool = ClamdPool(ADDRESS, 10.0, 100, Scanner(ValueError("a bug")))
    with capture_logs() as log:
        assert _ask(pool, message) == Scanned(cause="clamd could not be asked: ValueError")
    assert [line["event"] for line in log] == ["check_crashed"]
    pool.close()


def test_a_refusal_does_not_count_as_down(message: RawMessage) -> None:
    """A message that clamd cannot scan says nothing of the next one."""
    scanner = Scanner(ScannerRefusedError("it answered: no ERROR"))
    pool = ClamdPool(ADDRESS, 10.0, 100, scanner)
    assert {_ask(pool, message).cause for _ in range(OPENS_AFTER + 3)} == {"clamd: it answered: no ERROR"}
    assert scanner.asked == OPENS_AFTER + 3
    pool.close()


def test_a_late_answer_is_unknown_and_reads_nothing_of_another(message: RawMessage) -> None:
    """The message is gone and its descriptor's number is another file's: the late thread still has its own."""
    go, seen = threading.Event(), []

    def late(_address: Listen, message: RawMessage, _deadline: float) -> str:
        go.wait(20)
        seen.append(os.pread(message.body_fd, 10, 0))
        return ""

    body = Body()
    body.append(b"its own")
    pool = ClamdPool(ADDRESS, 0.01, 100, late)
    answer = pool.begin(RawMessage((), body.fd, body.size), time.monotonic() + LATER)
    assert answer() == Scanned(cause="clamd: no answer in time")
    os.dup2(message.body_fd, body.fd)
    go.set()
    pool.close()
    deadline = time.monotonic() + 20
    while not seen and time.monotonic() < deadline:
        time.sleep(0.01)
    body.close()
    assert seen == [b"its own"]


def test_no_descriptor_is_left_behind(message: RawMessage) -> None:
    """Whether the scan ends, fails, was never begun or the pool is closed."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    pool = ClamdPool(ADDRESS, 10.0, 100, Scanner(None, ScannerError("no"), None), _dead)
    for _ in range(4):
        _ask(pool, message)
    pool.close()
    assert _ask(pool, message) == Scanned(cause="clamd is no longer asked")
    wait_until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before, "all descriptors closed")
