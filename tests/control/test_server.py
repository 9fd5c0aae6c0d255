"""The socket among people who mean no good."""

import os
import pwd
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from filterd.config.control import Right, Role
from filterd.control import (
    Command,
    ControlError,
    ControlServer,
    Grant,
    NotRunningError,
    Peer,
    Refusal,
    Request,
    Roles,
    ask,
)
from filterd.control import server as serving
from filterd.control.wire import MAX_REQUEST
from tests.support.process import open_folder, wait_until

pytestmark = pytest.mark.integration
NOBODY = pwd.getpwnam("nobody").pw_uid
ASK = b'{"command": "status"}\n'
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


class Daemon:
    """What is asked; it says who did, waits while it is told to, and fails for a message named so."""

    def __init__(self) -> None:
        """Answers at once."""
        self.go = threading.Event()
        self.go.set()
        self.asked: list[tuple[Peer, Command]] = []

    def answer(self, peer: Peer, _grant: Grant, request: Request) -> dict[str, Any]:
        """Say who asked."""
        self.asked.append((peer, request.command))
        if request.ids == ("refuse",):
            raise Refusal("it is Sunday")
        if request.ids == ("crash",):
            raise ZeroDivisionError("secret detail")
        self.go.wait(30)
        return {"who": peer.uid}


@pytest.fixture
def daemon() -> Daemon:
    """One that answers."""
    return Daemon()


@pytest.fixture
def path(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Its socket; nobody's role is to view."""
    monkeypatch.setattr(serving, "REQUEST_SECONDS", 0.5)
    roles = Roles.of({"watch": Role(users=("nobody",), may=(Right.VIEW,))})
    with open_folder() as folder:
        server = ControlServer(folder / "control.sock", 0o666, roles.grant, daemon.answer)
        yield folder / "control.sock"
        daemon.go.set()
        server.close()
        assert not (folder / "control.sock").exists()


def said(path: Path, data: bytes) -> dict[str, Any]:
    """What is answered to these bytes."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        with suppress(BrokenPipeError):
            client.sendall(data)
        return received(client)


def received(client: socket.socket) -> dict[str, Any]:
    """An answer, whole."""
    found = b""
    with suppress(ConnectionResetError):
        while data := client.recv(65_536):
            found += data
    answer: dict[str, Any] = orjson.loads(found)
    return answer


PROGRAM = """
import sys
from pathlib import Path
from filterd.control import Command, ControlError, Request, ask
try:
    print(ask(Path(sys.argv[1]), Request(Command(sys.argv[2]))))
except ControlError as error:
    print(error)
"""


def as_other(path: Path, command: str, uid: int = NOBODY) -> str:
    """What another user is answered."""
    argv = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", sys.executable, "-c", PROGRAM]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*argv, str(path), command], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    return done.stdout.strip()


def test_a_question_is_answered(path: Path, daemon: Daemon) -> None:
    """The asker is whom the kernel says."""
    assert ask(path, Request(Command.STATUS)) == {"who": os.geteuid()}
    peer, command = daemon.asked[0]
    assert (peer.pid, peer.uid, command) == (os.getpid(), os.geteuid(), Command.STATUS)
    assert set(os.getgroups()) <= peer.groups


@root
@pytest.mark.threat("OPS-07")
def test_a_role_is_all_that_somebody_has(path: Path) -> None:
    """He may view; to reload is refused with words that name the key."""
    assert as_other(path, "status") == str({"who": NOBODY})
    assert "nobody may not reload: see [control.roles]" in as_other(path, "reload")


@root
@pytest.mark.threat("OPS-07")
def test_who_has_no_role_is_not_read(path: Path, daemon: Daemon) -> None:
    """He is told so before he has asked, and takes no place."""
    assert as_other(path, "status", 12_345) == "uid 12345 has no role here: see [control.roles] in filterd.toml"
    assert daemon.asked == []


THOUSAND = """
import os, socket, sys
os.setgroups([]), os.setgid(12345), os.setuid(12345)
answers = set()
for _ in range(1000):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(sys.argv[1])
        try:
            client.sendall(b'{"command": "reload", "token": "secret"}')
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # he is told before he has asked
        try:
            answers.add(client.recv(4096))
        except ConnectionResetError:
            answers.add(b"")
print(*answers)
"""


@root
@pytest.mark.threat("OPS-07")
def test_a_thousand_tries_come_to_nothing(path: Path, daemon: Daemon) -> None:
    """There is no token to guess: each time the kernel says who he is; nothing is read, root is served meanwhile."""
    argv = [sys.executable, "-c", THOUSAND, str(path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as tries:
        while tries.poll() is None:
            assert ask(path, Request(Command.STATUS)) == {"who": 0}
        assert tries.stdout is not None
        answers = tries.stdout.read()
    assert "uid 12345 has no role here" in answers
    assert '"ok":true' not in answers
    assert {peer.uid for peer, _ in daemon.asked} == {0}


@pytest.mark.threat("OPS-07")
@pytest.mark.parametrize(
    "data",
    [b"\n", b"GET / HTTP/1.1\r\n\r\n", b"{}\n", b"\xff\x00\n", b"[" * 4_000 + b"\n", b"x" * MAX_REQUEST + b"\n"],
    ids=["empty", "HTTP", "no command", "binary", "nested", "too long"],
)
def test_what_is_no_question_is_answered_in_words(path: Path, data: bytes) -> None:
    """And the next one is served."""
    answer = said(path, data)
    assert answer["ok"] is False
    assert answer["error"].startswith("expected ")
    assert said(path, ASK)["ok"] is True


@pytest.mark.threat("OPS-07")
def test_a_flood_is_cut_off(path: Path) -> None:
    """Ten megabytes without a line end: no more than a line is read of it."""
    answer = said(path, b"x" * 10_000_000)
    assert answer == {"ok": False, "error": f"expected a line of at most {MAX_REQUEST} bytes"}


@pytest.mark.threat("OPS-07")
@pytest.mark.parametrize("drip", [b"", b"{"], ids=["silent", "half a question"])
def test_who_does_not_finish_is_cut_off(path: Path, drip: bytes) -> None:
    """After the time for a question; others are served meanwhile."""
    with socket.socket(socket.AF_UNIX) as slow:
        slow.settimeout(20)
        slow.connect(str(path))
        slow.sendall(drip)
        assert said(path, ASK)["ok"] is True
        assert received(slow)["ok"] is False


@pytest.mark.threat("OPS-07")
def test_no_more_are_served_than_there_are_places(path: Path, daemon: Daemon) -> None:
    """The next one is told so at once; a place that is free again is given again."""
    daemon.go.clear()
    with ExitStack() as stack:
        most = serving.MAX_CONNECTIONS + serving.RESERVED
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(most)]
        for client in clients:
            client.connect(str(path))
            client.settimeout(20)
            client.sendall(ASK)
        wait_until(lambda: len(daemon.asked) == most, "all places taken")
        assert said(path, ASK) == {"ok": False, "error": "too many are asking at the moment: try again"}
        daemon.go.set()
        assert all(received(client)["ok"] for client in clients)
    wait_until(lambda: said(path, ASK)["ok"], "a place again")


class Unstarted(threading.Thread):
    """A thread of a process that may have no more."""

    def start(self) -> None:
        """As Python says it."""
        raise RuntimeError("can't start new thread")


@pytest.mark.threat("OPS-07")
def test_a_place_is_given_back_where_no_thread_is_to_be_had(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As often as there are places: afterwards there still is one."""
    with capture_logs() as log, monkeypatch.context() as patch:
        patch.setattr(threading, "Thread", Unstarted)
        for _ in range(serving.MAX_CONNECTIONS + serving.RESERVED):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(str(path))
                assert client.recv(1) == b""
    assert {entry["event"] for entry in log} == {"control_failed"}
    assert said(path, ASK)["ok"] is True


@root
@pytest.mark.threat("OPS-07")
def test_one_user_does_not_shut_the_others_out(path: Path, daemon: Daemon) -> None:
    """He has four places; root is served while he holds them."""
    daemon.go.clear()
    holders = [threading.Thread(target=as_other, args=(path, "status")) for _ in range(serving.MAX_PER_USER)]
    for holder in holders:
        holder.start()
    wait_until(lambda: len(daemon.asked) == serving.MAX_PER_USER, "his places taken")
    assert as_other(path, "status") == "nobody is asking 4 times at the moment: try again"
    with pytest.raises(ControlError, match="it is Sunday"):
        ask(path, Request(Command.RELEASE, ids=("refuse",)))
    daemon.go.set()
    for holder in holders:
        holder.join(30)


def test_a_refusal_is_said_and_a_bug_is_not(path: Path) -> None:
    """The asker reads why not; what our own bug was stands in the log."""
    with pytest.raises(ControlError, match=r"^it is Sunday$"):
        ask(path, Request(Command.RELEASE, ids=("refuse",)))
    with capture_logs() as log, pytest.raises(ControlError, match=r"^it failed: the daemon's log says how$"):
        ask(path, Request(Command.RELEASE, ids=("crash",)))
    assert [entry["event"] for entry in log] == ["control_failed"]


def test_a_daemon_that_is_not_there(tmp_path: Path) -> None:
    """It is an error of its own."""
    with pytest.raises(NotRunningError, match="no daemon answers on "):
        ask(tmp_path / "control.sock", Request(Command.STATUS))


def test_a_daemon_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    """After the time that the asker has."""
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute"))
        mute.listen()
        began = time.monotonic()
        with pytest.raises(ControlError, match="no answer within 0 s"):
            ask(tmp_path / "mute", Request(Command.STATUS), seconds=0.3)
        assert time.monotonic() - began < 10
