"""The service's socket in a front's loop: who is accepted, by which front, and until when."""

import asyncio
import errno
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filterd.config.listen import parse_listen
from filterd.dns.loop import LoopThread
from filterd.policy import server as servers
from filterd.policy.listener import PolicyListener
from filterd.policy.server import PolicyServer
from tests.pipeline.fakes import Front
from tests.policy.asking import DUNNO, Desk, FakeGate, wire
from tests.support.process import wait_until

pytestmark = pytest.mark.integration  # sockets that listen

WAIT = 10.0  # seconds for what happens at once


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[PolicyListener]:
    """A socket as the supervisor opens it."""
    listener = PolicyListener(parse_listen(f"unix:{tmp_path}/policy.sock"), 0o600)
    yield listener
    listener.close()


@pytest.fixture
def start(listening: PolicyListener) -> Iterator[Callable[[Front], PolicyServer]]:
    """Starts servers of fronts on it, which end with the test."""
    running: list[tuple[PolicyServer, LoopThread]] = []

    def begin(front: Front) -> PolicyServer:
        server = PolicyServer(listening.socket, Desk(front, gates=[FakeGate()]).service, front.loop.loop)
        server.start()
        running.append((server, front.loop))
        return server

    yield begin
    for server, loop in running:
        server.close()
        loop.call(asyncio.sleep(0), WAIT)


@pytest.fixture
def connect(listening: PolicyListener) -> Iterator[Callable[[], socket.socket]]:
    """Connects to it; hangs up at the end."""
    opened: list[socket.socket] = []

    def dial() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(WAIT)
        connection.connect(listening.socket.getsockname())
        opened.append(connection)
        return connection

    yield dial
    for connection in opened:
        connection.close()


Start = Callable[[Front], PolicyServer]
Connect = Callable[[], socket.socket]


def answered(connection: socket.socket) -> bool:
    """Whether a request over it has its answer."""
    connection.sendall(wire())
    return connection.recv(4096) == DUNNO


def test_many_connections_are_served(front: Front, start: Start, connect: Connect) -> None:
    """Each for itself, as long as its peer likes."""
    server = start(front)
    connections = [connect() for _ in range(20)]
    assert all(answered(one) for one in connections + connections)
    assert server.busy == 20
    connections[0].close()
    wait_until(lambda: server.busy == 19, "one gone")


@pytest.fixture
def other() -> Iterator[LoopThread]:
    """Another front's loop."""
    thread = LoopThread("other")
    thread.start()
    yield thread
    thread.stop()


def test_fronts_share_connections(front: Front, other: LoopThread, start: Start, connect: Connect) -> None:
    """Who has accepted looks away: connections stay for minutes, and one front would have all of them."""
    both = [start(front), start(Front(other))]
    assert all(answered(one) for one in [connect() for _ in range(40)])
    shares = sorted(one.busy for one in both)
    assert (sum(shares), shares[0] > 0) == (40, True)


def test_more_than_it_can_hold_wait(
    front: Front, start: Start, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are accepted as soon as others are gone."""
    monkeypatch.setattr(servers, "MAX_CONNECTIONS", 2)
    server = start(front)
    first, second, third = connect(), connect(), connect()
    assert answered(first)
    assert answered(second)
    third.sendall(wire())
    assert server.busy == 2
    first.close()
    assert third.recv(4096) == DUNNO


def test_retired_it_accepts_nobody_and_closes_who_waits(front: Front, start: Start, connect: Connect) -> None:
    """What is new goes to the fronts that came with the reload."""
    old = start(front)
    before = connect()
    assert answered(before)
    old.retire()
    assert before.recv(4096) == b""
    wait_until(lambda: old.busy == 0, "old connections closed")
    late = connect()
    late.sendall(wire())
    start(front)
    assert late.recv(4096) == DUNNO
    assert old.busy == 0


class Exhausted:
    """A listening socket of a process without descriptors, `times` over."""

    def __init__(self, real: socket.socket, times: int) -> None:
        """Fail so often."""
        self._real = real
        self.left = times
        self.failed = threading.Event()

    def fileno(self) -> int:
        """As the real one."""
        return self._real.fileno()

    def accept(self) -> tuple[socket.socket, object]:
        """No descriptor left, or one."""
        if self.left:
            self.left -= 1
            self.failed.set()
            raise OSError(errno.EMFILE, "too many open files")
        return self._real.accept()


def test_without_descriptors_it_tries_again(
    front: Front, listening: PolicyListener, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a pause in which it does not look at the socket; the loop goes on."""
    monkeypatch.setattr(servers, "PAUSE", 0.05)
    exhausted = Exhausted(listening.socket, 2)
    server = PolicyServer(exhausted, Desk(front).service, front.loop.loop)  # type: ignore[arg-type]  # as far as it is used
    server.start()
    assert answered(connect())
    assert (exhausted.left, exhausted.failed.is_set()) == (0, True)
    server.close()
    front.loop.call(asyncio.sleep(0), WAIT)  # the loop is also the next tests': it must have let go of the socket
