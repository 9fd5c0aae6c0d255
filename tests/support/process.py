"""Real servers as children of a test: started in the foreground, ready at their first real answer, gone afterwards."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import cycle, islice
from pathlib import Path

import pytest

POLL = 0.01  # seconds between two looks; a server is ready within some of them
PORTS = range(10_000, 32_000)  # below those that the kernel gives to clients (ip_local_port_range)
SLICE = 500  # ports of one run of tests, used in turn
READY_WITHIN = 20.0  # seconds; a loaded two-core host needs a few


class ServerError(RuntimeError):
    """A server did not start, did not become ready or did not stop."""


def wait_until(question: Callable[[], object], what: str, within: float = READY_WITHIN) -> None:
    """Ask until the answer is true; ServerError names `what` did not happen within so many seconds."""
    deadline = time.monotonic() + within
    while not question():
        if time.monotonic() > deadline:
            raise ServerError(f"not within {within} s: {what}")
        time.sleep(POLL)


@cache
def _our_ports() -> Iterator[int]:
    """Ports that no other run of tests takes meanwhile, and that the kernel gives to no client by itself."""
    for start in range(PORTS.start, PORTS.stop, SLICE):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0filterd-tests-{start}")  # abstract: gone with this process
        except OSError:
            claim.close()
            continue
        claim.detach()
        return cycle(range(start, start + SLICE))
    raise ServerError("no ports left: too many runs of tests at the same time")


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody holds at the moment."""
    for port in islice(_our_ports(), SLICE):
        with socket.socket(socket.AF_INET, kind) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerError(f"no port left of {SLICE}")


def require_program(*names: str) -> None:
    """Skip the test with a reason where a server's program is missing; fail where FILTERD_REQUIRE_SERVERS=1."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/lib/postfix/sbin"
    if missing := [name for name in names if shutil.which(name, path=path) is None]:
        refuse(f"not installed: {', '.join(missing)} (make test-setup)")


def refuse(reason: str) -> None:
    """Skip with that reason; fail where every server is required."""
    if os.environ.get("FILTERD_REQUIRE_SERVERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A fresh folder that servers of other users can pass, its path short enough for a unix socket (107 bytes)."""
    folder = Path(tempfile.mkdtemp(prefix="fd-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Process:
    """A server in a session of its own; its output goes to `log`. It dies with the test run."""

    def __init__(self, argv: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None) -> None:
        """Start it. On an orderly end of the tests stop() is the caller's; a killed run takes the server along."""
        self.log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(env) if env is not None else None,
                start_new_session=True,
            )
        self.pid = self._child.pid

    def wait_ready(self, question: Callable[[], object], within: float = READY_WITHIN) -> None:
        """Wait for a real answer; ServerError with the log's end where the server ended or stays silent."""
        try:
            wait_until(lambda: self._child.poll() is not None or question(), "ready", within)
        except ServerError as error:
            raise ServerError(f"{error}\n{self.tail()}") from None
        if self._child.poll() is not None:
            raise ServerError(f"ended with {self._child.returncode} before it was ready\n{self.tail()}")

    def tail(self, characters: int = 4000) -> str:
        """The end of what it wrote."""
        return self.log.read_text(errors="replace")[-characters:]

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._child.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server's first process."""
        self._child.send_signal(number)

    def stop(self, within: float = READY_WITHIN) -> int:
        """SIGTERM, and the exit code; ServerError (after SIGKILL) where it does not end."""
        if self._child.poll() is None:
            self._child.terminate()
        try:
            return self._child.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"did not stop within {within} s\n{self.tail()}") from None

    def wait(self, within: float = READY_WITHIN) -> int:
        """Wait for an end that something else causes."""
        return self._child.wait(within)

    def kill_session(self) -> None:
        """SIGKILL to all its processes that have not begun a session of their own, as where a host goes."""
        while found := [pid for pid in _living() if _session(pid) == self.pid]:
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._child.poll()
            time.sleep(0.01)
        self._child.wait(READY_WITHIN)

    def kill(self) -> None:
        """SIGKILL to the server's group: the processes of its session that have groups of their own live on."""
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait(READY_WITHIN)


def _living() -> list[int]:
    """All processes that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if path.read_text(errors="replace").rpartition(")")[2].split()[0] not in "ZX":
                found.append(int(path.parent.name))
    return found


def _session(pid: int) -> int:
    """Its session, 0 where it has gone."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0
