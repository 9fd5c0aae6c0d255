"""Generations, fronts and metrics slots, with processes that serve nobody."""

import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from filterd.milter.sessions import Sessions
from filterd.supervisor import generation
from filterd.supervisor.front import CUT, DRAIN, Front
from filterd.supervisor.generation import Generation, Plan
from filterd.supervisor.notify import sd_notify
from filterd.supervisor.supervisor import Supervisor


class Nursery:
    """One that lives until it is stopped."""

    def __init__(self) -> None:
        """Running."""
        self.running = True

    def alive(self) -> bool:
        """As asked."""
        return self.running

    def restart(self) -> None:
        """Running again."""
        self.running = True

    def stop(self) -> None:
        """Not any more."""
        self.running = False

    def left(self) -> tuple[int, str]:
        """Nobody takes over here."""
        return 0, ""


class Observer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.ended: list[tuple[int, bool]] = []
        self.reloads: list[bool] = []
        self.causes: list[str] = []
        self.beats = 0
        self.states: list[Mapping[str, object]] = []

    def changed(self, state: dict[str, object]) -> None:
        """A state."""
        self.states.append(state)

    def front_ended(self, slot: int, *, lost: bool) -> None:
        """A front's end."""
        self.ended.append((slot, lost))

    def reloading(self) -> None:
        """A reload begins."""

    def reloaded(self, *, good: bool, cause: str = "") -> None:
        """A reload."""
        self.reloads.append(good)
        self.causes.append(cause)

    def serving(self, *, yes: bool) -> None:
        """Whether mail is taken."""

    def beat(self) -> None:
        """A sign of life."""
        self.beats += 1

    def tick(self) -> None:
        """Time."""


class Sleepers:
    """Fronts that only wait for DRAIN, and are let go one by one."""

    def __init__(self, told: bytes = b"{}") -> None:
        """`told` is what each says of itself at its start; nothing means that it failed."""
        self.told = told
        self.pids: list[int] = []

    def fork(self, slot: int, number: int, _build: Callable[[int], Any]) -> Front:
        """As fork_front."""
        read_end, write_end = os.pipe()
        pid = os.fork()
        if not pid:
            signal.pthread_sigmask(signal.SIG_BLOCK, [DRAIN, CUT])
            os.write(write_end, self.told)
            os.close(write_end)
            signal.sigwait([CUT])
            os._exit(0)
        os.close(write_end)
        os.set_blocking(read_end, False)
        self.pids.append(pid)
        return Front(pid, slot, number, read_end)

    def end(self) -> None:
        """Kill what is left."""
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue


@pytest.fixture
def sleepers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sleepers]:
    """In place of real fronts."""
    found = Sleepers()
    monkeypatch.setattr(generation, "fork_front", found.fork)
    yield found
    found.end()


def _plan(workers: int = 2) -> Plan:
    return Plan(workers, Nursery, lambda _: pytest.fail("no front is built here"), {"workers": workers})


def _slots(boss: Supervisor) -> list[list[int]]:
    return [sorted(front.slot for front in one.fronts.values()) for one in boss._generations]


def test_fronts_that_live_at_the_same_time_have_slots_of_their_own(sleepers: Sleepers) -> None:
    """Across reloads, and however many generations still drain: two processes on one row would lose counts."""
    observer = Observer()
    boss = Supervisor(_plan, observer)
    boss._start(_plan())
    for _ in range(3):
        boss._reload()
    assert _slots(boss) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    for pid in list(boss._generations[1].fronts):
        os.kill(pid, CUT)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    boss._reap()
    boss._mend()
    boss._reload()
    assert _slots(boss) == [[0, 1], [4, 5], [6, 7], [2, 3]]
    assert observer.reloads == [True] * 4
    assert len(sleepers.pids) == 10


def test_only_what_ends_by_itself_is_lost_and_replaced(sleepers: Sleepers) -> None:
    """A front of the serving generation comes back on its slot; one of a retired generation is let go."""
    observer = Observer()
    boss = Supervisor(_plan, observer)
    boss._start(_plan())
    boss._reload()
    old, new = boss._generations
    for one in (old, new):
        pid = next(iter(one.fronts))
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    boss._reap()
    boss._mend()
    assert observer.ended == [(0, False), (2, True)]
    assert observer.states[-1]["fronts"] == [*old.fronts, *new.fronts]
    assert _slots(boss) == [[1], [2, 3]]
    assert len(sleepers.pids) == 5


@pytest.mark.threat("RES-11")
def test_fronts_that_do_not_start_leave_the_old_ones_serving(sleepers: Sleepers) -> None:
    """The reload is called off, the new ones are sent away, and the current generation is the old one."""
    observer = Observer()
    boss = Supervisor(_plan, observer)
    first = boss._start(_plan())
    sleepers.told = b""
    boss._reload()
    assert observer.reloads == [False]
    assert boss._current is first
    assert not first.retired
    assert boss._generations[0].retired
    assert observer.states[-1]["generation"] == 1


def test_a_nursery_that_ends_is_started_again(sleepers: Sleepers) -> None:
    """Without one no message could be read; a retired generation keeps its own until its last front is gone."""
    boss = Supervisor(_plan, Observer())
    boss._start(_plan(1))
    nursery = boss._current.nursery
    assert isinstance(nursery, Nursery)
    nursery.running = False
    boss._mend()
    assert nursery.alive()
    boss._reload()
    assert nursery.alive()
    os.kill(sleepers.pids[0], CUT)
    os.waitid(os.P_PID, sleepers.pids[0], os.WEXITED | os.WNOWAIT)
    boss._reap()
    boss._mend()
    assert not nursery.alive()
    assert len(boss._generations) == 1


def test_fronts_that_die_again_and_again_are_not_forked_in_a_hurry(
    sleepers: Sleepers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the fifth death within ten seconds the next replacement waits a second: no fork bomb for a bug at start."""
    boss = Supervisor(_plan, Observer())
    boss._start(_plan(1))
    now = [1_000.0]
    monkeypatch.setattr("filterd.supervisor.supervisor.time.monotonic", lambda: now[0])
    for death in range(6):
        pid = sleepers.pids[-1]
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        boss._reap()
        boss._mend()
        assert len(sleepers.pids) == min(death + 2, 6)
    now[0] += 1.5
    boss._mend()
    assert len(sleepers.pids) == 7


def test_sessions_are_counted_and_told() -> None:
    """Up and down, and somebody else is told each change."""
    told: list[int] = []
    sessions = Sessions(told.append)
    sessions.enter()
    sessions.enter()
    sessions.leave()
    assert (sessions.open, told) == (1, [1, 1, -1])


@pytest.mark.parametrize("address", ["", "/nonexistent/notify", "@nobody-listens-there"])
@pytest.mark.integration
def test_a_service_manager_that_is_not_there_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], address: str
) -> None:
    """No NOTIFY_SOCKET, or one that nobody reads: the daemon goes on, and says nothing."""
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    sd_notify("READY=1")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("abstract", [False, True])
@pytest.mark.integration
def test_the_service_manager_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, abstract: bool) -> None:
    """A datagram to the address it named, a path or an abstract one."""
    name = f"@filterd-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0", 1))
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        sd_notify("READY=1")
        assert manager.recv(100) == b"READY=1"


@pytest.mark.integration
@pytest.mark.parametrize("wanted", [True, False])
def test_the_watchdog_hears_from_a_supervisor_that_it_watches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, wanted: bool
) -> None:
    """WATCHDOG=1 where WatchdogSec is set, nothing elsewhere; probes see the beat either way."""
    observer = Observer()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        if wanted:
            monkeypatch.setenv("WATCHDOG_USEC", "60000000")
            monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        Supervisor(_plan, observer)._beat()
        assert observer.beats == 1
        if wanted:
            assert manager.recv(100) == b"WATCHDOG=1"
        with pytest.raises(BlockingIOError):
            manager.recv(100)


def test_it_beats_while_it_waits_for_fronts() -> None:
    """A reload that takes its time is no reason to be restarted."""
    beats: list[int] = []
    read_end, write_end = os.pipe()
    waiting = Generation(1, _plan(), Nursery(), {1: Front(1, 0, 1, read_end)})
    assert not waiting.wait_ready(1.2, lambda: beats.append(1))
    os.write(write_end, b"{}")
    assert waiting.wait_ready(1.2, lambda: beats.append(1))
    assert len(beats) >= 3
    os.close(read_end)
    os.close(write_end)
