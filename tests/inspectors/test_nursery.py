"""The nursery process: what it is given, how it starts and ends, and that rules survive it."""

import os
import resource
import signal
import socket
import stat
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from filterd.inspection.nursery import MAX_INSPECTORS
from filterd.inspectors import InspectorBusy, InspectorFailure, InspectorPool, NurserySettings, start_nursery
from filterd.inspectors.link import LinkError, NurseryLink
from filterd.inspectors.pool import BACKOFF_FIRST
from filterd.ipc.frames import FrameClosedError, recv_frame, send_frame
from filterd.ipc.messages import Kind
from tests.inspectors.conftest import OBEDIENT, WITHIN, Bed, Make, bed, gone, inspectors_of, wait_until
from tests.support.process import open_folder

pytestmark = pytest.mark.integration
TICKS = os.sysconf("SC_CLK_TCK")  # of CPU time in a second: what a loop without a pause would use
GOOD = 'rule good { strings: $a = "needle" condition: $a }'
BROKEN = "rule broken { condition: $nothing }"


def test_it_inherits_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret of the environment, no descriptor but its own, whatever its parent has open."""
    monkeypatch.setenv("FILTERD_SECRET", "secret")
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    nursery = make().nursery
    root = Path(f"/proc/{nursery.pid}")
    assert b"secret" not in (root / "environ").read_bytes()
    pipes = [path for path in (root / "fd").iterdir() if path.readlink() == Path(f"/proc/self/fd/{reader}").readlink()]
    assert pipes == []
    os.close(reader)
    os.close(writer)


def test_only_its_own_user_may_connect(make: Make) -> None:
    """The socket's mode says so from the beginning."""
    path = make().nursery.path
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize(
    "settings",
    [
        NurserySettings(rules="/no/such/directory"),
        NurserySettings(reader="no.such.module:reader"),
        NurserySettings(reader="filterd.inspection.reader:nothing"),
        NurserySettings(reader="tests.inspectors.readers:refusing"),
    ],
    ids=["rules", "module", "function", "refusing"],
)
@pytest.mark.threat("RES-11")
def test_what_cannot_load_ends_and_says_why(settings: NurserySettings, capfd: pytest.CaptureFixture[str]) -> None:
    """One line for the log; a pool over it stays empty."""
    with open_folder() as folder:
        nursery = start_nursery(folder, settings)
        wait_until(lambda: not nursery.alive(), "it ends")
        nursery.stop()
    error = capfd.readouterr().err
    assert (error.startswith("nursery: "), error.count("\n")) == (True, 1)


def test_it_stops_with_all_inspectors(make: Make) -> None:
    """SIGTERM; the socket is removed; stopping twice does nothing."""
    bed = make(3)
    pids = inspectors_of(bed.nursery)
    assert len(pids) == 3
    bed.nursery.stop()
    bed.nursery.stop()
    assert (bed.nursery.alive(), bed.nursery.path.exists()) == (False, False)
    wait_until(lambda: all(gone(pid) for pid in pids), "inspectors end")


def test_its_death_takes_the_inspectors_along_and_a_restart_brings_them_back(make: Make) -> None:
    """SIGKILL of the nursery: after a restart on the same socket the same pool works on."""
    bed = make(2)
    pids = inspectors_of(bed.nursery)
    os.kill(bed.nursery.pid, signal.SIGKILL)
    wait_until(lambda: not bed.nursery.alive() and all(gone(pid) for pid in pids), "all are gone")
    bed.nursery.restart()
    assert bed.ask(b"echo back").subject == "back"
    wait_until(lambda: len(inspectors_of(bed.nursery)) == 2, "the pool is complete")


def test_a_restart_may_change_the_settings(make: Make) -> None:
    """Inspectors that come later are the new ones."""
    bed = make()
    bed.nursery.restart(replace(OBEDIENT, messages=1))
    first = bed.pid()
    wait_until(lambda: bed.pid() != first, "each message has its own inspector")


def test_a_nursery_that_stays_away_is_not_waited_for(make: Make) -> None:
    """Messages are told to come back, and the pool goes on trying."""
    bed = make(admission=0.2)
    os.kill(bed.nursery.pid, signal.SIGKILL)
    wait_until(lambda: not bed.nursery.alive(), "gone")
    with pytest.raises(InspectorFailure):
        bed.ask(b"echo")
    with pytest.raises(InspectorBusy):
        bed.ask(b"echo")
    bed.nursery.restart()
    assert bed.pool.wait_ready(WITHIN)
    assert bed.ask(b"echo back").subject == "back"


@pytest.mark.threat("RES-01")
def test_pauses_grow_while_no_inspector_is_to_be_had() -> None:
    """Twice as long after each attempt that failed, so that trying costs next to nothing."""
    began = time.monotonic()
    with open_folder() as folder:
        pool = InspectorPool(folder / "nobody", 1)
        wait_until(lambda: pool.stats()["spawn_failed"] >= 5, "five attempts")
        pool.close()
    assert time.monotonic() - began > BACKOFF_FIRST * (1 + 2 + 4 + 8)


@pytest.mark.parametrize("data", [b"\xff" * 100, b"\0\0\0\0\x63", b"\0\0\0\1\x08\xc1", b"\0", b""])
def test_a_front_that_talks_nonsense_is_hung_up_on(make: Make, data: bytes) -> None:
    """Its own connection ends; the others' inspectors live on."""
    bed = make()
    pid = bed.pid()
    with socket.socket(socket.AF_UNIX) as front:
        front.connect(str(bed.nursery.path))
        front.sendall(data)
        front.shutdown(socket.SHUT_WR)
        front.settimeout(WITHIN)
        assert front.recv(100) == b""
    assert bed.pid() == pid


def test_a_front_may_not_fill_the_machine(make: Make) -> None:
    """Beyond its number of inspectors it loses the connection, and all that came over it."""
    nursery = make().nursery
    with closing(NurseryLink(nursery.path)) as link:
        inspectors = [link.spawn() for _ in range(MAX_INSPECTORS)]
        with pytest.raises(LinkError):
            link.spawn()
        for inspector in inspectors:
            with closing(inspector.sock) as sock, pytest.raises(FrameClosedError):
                recv_frame(sock, deadline=time.monotonic() + WITHIN)


@pytest.mark.threat("RES-07")
def test_without_descriptors_it_waits_and_recovers(make: Make) -> None:
    """EMFILE: who comes new waits, who is served is served, it does not spin, and afterwards all is well."""
    made = make()
    pid = made.nursery.pid
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    taken = {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}
    free = min(set(range(len(taken) + 1)) - taken)
    with closing(NurseryLink(made.nursery.path)) as link:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, hard))
        before = _ticks(pid)
        with pytest.raises(LinkError):
            link.spawn(1.0)
        assert made.ask(b"echo served").subject == "served"
        assert _ticks(pid) - before < TICKS // 2
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
        link.spawn().sock.close()


def _ticks(pid: int) -> int:
    """CPU time of a process in the kernel's ticks."""
    return sum(int(ticks) for ticks in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])


def test_how_an_inspector_ended_is_told(make: Make) -> None:
    """To the front that had it, whether it died before or is killed for the asking; to no other."""
    path = make().nursery.path
    with closing(NurseryLink(path)) as link, closing(NurseryLink(path)) as other:
        dead, living, stranger = link.spawn(), link.spawn(), other.spawn()
        os.kill(dead.pid, signal.SIGSEGV)
        wait_until(lambda: gone(dead.pid), "dead")
        assert link.bury(dead, WITHIN) == -signal.SIGSEGV
        os.kill(living.pid, signal.SIGSTOP)  # else it might end by itself, its socket being closed
        assert link.bury(replace(living, handle=stranger.handle), WITHIN) == 0
        assert not gone(stranger.pid)
        assert not gone(living.pid)
        assert link.bury(living, WITHIN) == -signal.SIGKILL
        assert gone(living.pid)
        stranger.sock.close()


def test_who_is_gone_cannot_be_asked(make: Make) -> None:
    """With the connection went the inspector: how, nobody knows."""
    link = NurseryLink(make().nursery.path)
    inspector = link.spawn()
    link.close()
    assert link.bury(inspector, WITHIN) is None
    wait_until(lambda: gone(inspector.pid), "gone")


def test_an_end_that_is_asked_for_twice_is_harmless(make: Make) -> None:
    """A request without a front behind it costs no process."""
    nursery = make().nursery
    with socket.socket(socket.AF_UNIX) as front:
        front.connect(str(nursery.path))
        send_frame(front, Kind.SPAWN)
    wait_until(lambda: len(inspectors_of(nursery)) == 1, "only the pool's own inspector")


@pytest.mark.threat("RES-11")
def test_a_broken_rule_set_keeps_the_last_good_one() -> None:
    """Edited into nonsense, restarted: yesterday's rules still hit, and it is said which file is broken."""
    with open_folder() as folder:
        rules = folder / "rules"
        rules.mkdir()
        (rules / "a.yar").write_text(GOOD)
        settings = NurserySettings(rules=str(rules), cache=str(folder / "cache"))
        with bed(settings) as made:
            before = made.pool.rule_set
            assert [hit.rule for hit in made.ask(b"a needle").hits] == ["good"]
            (rules / "a.yar").write_text(BROKEN)
            made.nursery.restart()
            wait_until(lambda: _hits(made) == ["good"] and made.pool.problems, "the rules are back")
            assert made.pool.problems[0].endswith("; its last good version stays in use")
            assert made.pool.rule_set != before


def _hits(made: Bed) -> list[str]:
    try:
        return [hit.rule for hit in made.ask(b"a needle").hits]
    except InspectorFailure:
        return []


@pytest.mark.threat("RES-11")
def test_rules_that_do_not_load_leave_the_running_ones_in_place() -> None:
    """A reload starts a second nursery: it ends without serving, and the first one scans all the while."""
    with open_folder() as folder, bed(OBEDIENT) as running:
        (folder / "rules").mkdir()
        (folder / "rules" / "a.yar").write_text(BROKEN)
        second = start_nursery(folder, NurserySettings(rules=str(folder / "rules"), cache=str(folder / "cache")))
        pool = InspectorPool(second.path, 1)
        wait_until(lambda: not second.alive(), "the second one ends")
        assert not pool.wait_ready(0.1)
        assert running.ask(b"echo all the while").subject == "all the while"
        pool.close()
        second.stop()
