"""Connections in a front's loop: many requests, one at a time, and no answer where there is trouble."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import pytest

from filterd.policy import connection as connections
from filterd.policy.connection import MAX_WAITING, Connection
from tests.pipeline.fakes import FakeCheck, Front
from tests.policy.asking import DUNNO, Desk, FakeGate, failing, wire

WAIT = 10.0  # seconds for what happens at once


class Open:
    """One connection: our side is a plain socket."""

    def __init__(self, desk: Desk) -> None:
        """Connect both ends."""
        self.loop = desk.front.loop
        self.ours, theirs = socket.socketpair()
        self.ours.settimeout(WAIT)
        theirs.setblocking(False)
        self.gone = threading.Event()

        async def accept() -> Connection:
            made = Connection(desk.service, self.loop.loop, lambda _: self.gone.set())
            await self.loop.loop.connect_accepted_socket(lambda: made, theirs)
            return made

        self.connection = self.loop.call(accept(), WAIT)

    def do(self, what: Callable[[], None]) -> None:
        """Something in the loop's thread, done when this returns."""

        async def run() -> None:
            what()
            await asyncio.sleep(0)

        self.loop.call(run(), WAIT)

    def read(self, count: int) -> bytes:
        """That many answers."""
        data = b""
        while data.count(b"\n\n") < count:
            piece = self.ours.recv(65_536)
            if not piece:
                break
            data += piece
        return data

    @property
    def closed(self) -> bool:
        """Whether the other side hangs up without another word."""
        try:
            return self.ours.recv(100) == b""
        except ConnectionResetError:
            return True


@contextmanager
def opened(desk: Desk) -> Iterator[Open]:
    """A connection, gone at the end."""
    found = Open(desk)
    try:
        yield found
    finally:
        found.ours.close()
        assert found.gone.wait(WAIT)


@pytest.mark.threat("POL-07")
def test_a_thousand_requests_on_one_connection(front: Front) -> None:
    """Each has its answer, in order, and the connection is still open."""
    desk = Desk(failing(front))
    with opened(desk) as one:
        for number in range(1_000):
            refused = number % 3 == 0
            sender = f"s{number}@sender.test" if refused else ""  # SPF refuses no null sender
            one.ours.sendall(wire(instance=str(number), sender=sender))
            assert one.read(1).startswith(b"action=550" if refused else b"action=DUNNO")
        assert not one.gone.is_set()
    assert desk.counted("policy_connection") == [(1,), (-1,)]


def test_several_at_once_are_answered_in_order(front: Front) -> None:
    """Who does not wait for its answers gets them all the same, as asked."""
    desk = Desk(failing(front))
    with opened(desk) as one:
        one.ours.sendall(b"".join([wire(instance=str(n), sender="" if n % 2 else "a@a.test") for n in range(50)]))
        words = [line.split(b" ")[0] for line in one.read(50).split(b"\n\n")[:-1]]
    assert words == [b"action=550", b"action=DUNNO"] * 25


@pytest.mark.threat("POL-01")
def test_byte_by_byte_is_as_good(front: Front) -> None:
    """A request may come in any pieces."""
    with opened(Desk(front)) as one:
        for byte in wire():
            one.ours.sendall(bytes([byte]))
        assert one.read(1) == DUNNO


@pytest.mark.threat("POL-02")
@pytest.mark.parametrize(
    "data",
    [b"x" * 65_536, b"sender=" + b"a" * 20_000, b"a=b\n" * 10_000, b"\n", b"no equals\n\n"],
    ids=["endless", "long-line", "many-lines", "empty", "no-equals"],
)
def test_what_is_no_request_gets_no_answer(front: Front, data: bytes, log: list[MutableMapping[str, Any]]) -> None:
    """The connection is closed and the log says why."""
    desk = Desk(front)
    with opened(desk) as one:
        one.ours.sendall(data)
        assert one.closed
        assert one.gone.wait(WAIT)
    assert desk.counted("policy_failed") == [("protocol",)]
    assert [event["log_level"] for event in log if event["event"] == "policy_failed"] == ["warning"]


@pytest.mark.threat("POL-02")
def test_who_asks_without_reading_is_cut_off(front: Front) -> None:
    """More requests than may wait are no conversation."""
    release = threading.Event()
    desk = Desk(front, gates=[FakeGate(does=lambda _: release.wait(WAIT))])
    with opened(desk) as one:
        for number in range(MAX_WAITING // 50 + 2):
            try:
                one.ours.sendall(b"".join([wire(instance=f"{number}.{n}") for n in range(50)]))
            except OSError:  # cut off already
                break
        assert one.gone.wait(WAIT)
        release.set()
    assert ("protocol",) in desk.counted("policy_failed")


@pytest.mark.threat("POL-02")
@pytest.mark.parametrize("begin", [b"request=smtpd_acc", b"request=smtpd_access_policy\n"])
def test_a_request_that_does_not_end_is_cut_off(front: Front, begin: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has begun has ten seconds to end, however slowly single bytes still come."""
    desk = Desk(front)
    with opened(desk) as one:
        one.ours.sendall(wire() + begin)
        assert one.read(1) == DUNNO
        one.do(one.connection.look)
        assert not one.gone.is_set()
        monkeypatch.setattr(connections, "READ_SECONDS", 0.0)
        one.ours.sendall(b"x")
        time.sleep(0.05)
        one.do(one.connection.look)
        assert one.gone.wait(WAIT)
    assert desk.counted("policy_failed") == [("timeout",)]


def test_a_connection_that_waits_for_questions_stays(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Postfix keeps it for minutes between two messages."""
    monkeypatch.setattr(connections, "READ_SECONDS", 0.0)
    with opened(Desk(front)) as one:
        one.ours.sendall(wire())
        assert one.read(1) == DUNNO
        one.do(one.connection.look)
        one.ours.sendall(wire())
        assert one.read(1) == DUNNO


def test_a_forgotten_connection_is_closed(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long after Postfix would have done it itself; without a complaint."""
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.0)
    desk = Desk(front)
    with opened(desk) as one:
        time.sleep(0.01)
        one.do(one.connection.look)
        assert one.closed
    assert desk.counted("policy_failed") == []


@pytest.mark.threat("POL-03")
@pytest.mark.crashes_expected
def test_our_bug_closes_the_connection(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a byte of an answer: Postfix asks again, then tells its client 451 4.3.5."""
    desk = Desk(failing(front))

    def crash(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(desk.early, "case", crash)
    with opened(desk) as one:
        one.ours.sendall(wire())
        assert one.closed


def test_a_retired_connection_closes_when_nothing_is_at_work(front: Front) -> None:
    """At once where it waits for a question."""
    with opened(Desk(front)) as one:
        one.ours.sendall(wire())
        assert one.read(1) == DUNNO
        one.do(one.connection.retire)
        assert one.closed


def test_a_retired_connection_still_answers_what_was_asked(front: Front) -> None:
    """A reload loses no request that has begun."""
    release, begun = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        begun.set()
        release.wait(WAIT)

    with opened(Desk(front, gates=[FakeGate(does=wait)])) as one:
        one.ours.sendall(wire())
        assert begun.wait(WAIT)
        one.do(one.connection.retire)
        assert not one.gone.is_set()
        release.set()
        assert one.read(1) == DUNNO
        assert one.closed


def test_who_hangs_up_in_the_middle_hurts_nobody(front: Front) -> None:
    """Its answer goes nowhere."""
    release, begun = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        begun.set()
        release.wait(WAIT)

    desk = Desk(front, gates=[FakeGate(does=wait)])
    with opened(desk) as one:
        one.ours.sendall(wire())
        assert begun.wait(WAIT)
        one.ours.close()
        assert one.gone.wait(WAIT)
        release.set()
    assert desk.ask() == DUNNO


def test_lookups_ahead_end_with_the_connection(front: Front) -> None:
    """What CONNECT began is of no use to anybody then."""
    front.checks = (FakeCheck("iprev"),)
    with opened(Desk(front)) as one:
        one.ours.sendall(wire(protocol_state="CONNECT"))
        assert one.read(1) == DUNNO
