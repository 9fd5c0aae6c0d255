"""The daemon's processes: what ends is replaced, what is reloaded takes over, what stops drains."""

import json
import os
import signal
import stat
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app
from tests.milter.wire import greeted, judged, mail, metric, status
from tests.support.daemon import COMMAND, Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.miltertalk import ACCEPT, DISCARD, Answer, Mail, MilterGoneError, Offer, Session
from tests.support.process import free_port, open_folder, wait_until
from tests.support.world import STRANGER, message

pytestmark = pytest.mark.integration

CLEAN = message("alice@aligned.test", "Minutes of Monday")
STOPS = 60.0  # seconds until a test is given up


def _accepted(daemon: Filterd) -> Answer:
    with greeted(daemon) as session:
        answer = session.message(mail(CLEAN))
    assert answer.code == ACCEPT
    return answer


def _fronts(daemon: Filterd) -> list[int]:
    """The two that serve, when those of generations before have ended."""
    found: list[int] = []

    def settled() -> bool:
        found[:] = status(daemon)["fronts"]
        return len(found) == 2

    wait_until(settled, "two fronts", STOPS)
    return found


def _command(daemon: Filterd, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(daemon.config)])


def _reload(daemon: Filterd, how: Callable[[], object] | None = None) -> dict[str, Any]:
    """Reload, and the event that says how it went."""
    before = len(daemon.events("reloaded") + daemon.events("reload_failed"))
    how() if how else daemon.process.signal(signal.SIGUSR1)
    wait_until(lambda: len(daemon.events("reloaded") + daemon.events("reload_failed")) > before, "the reload", STOPS)
    return [event for event in daemon.events() if str(event["event"]).startswith("reload")][-1]


def _changed(daemon: Filterd, table: str, **keys: object) -> None:
    daemon.settings.setdefault(table, {}).update(keys)
    daemon.write()


# --- replacing


@pytest.mark.threat("MTA-01")
def test_a_killed_front_is_replaced(daemon: Filterd) -> None:
    """The other one serves meanwhile; a new one stands in status, the loss in the log and the metrics."""
    before = _fronts(daemon)
    deaths, lost = metric(daemon, "filterd_front_deaths"), len(daemon.events("front_died"))
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(daemon.events("front_died")) > lost, "its death noticed", STOPS)
    _accepted(daemon)
    wait_until(lambda: len(set(status(daemon)["fronts"]) - {before[0]}) == 2, "a new one", STOPS)
    assert metric(daemon, "filterd_front_deaths") == deaths + 1
    event = daemon.events("front_died")[-1]
    assert (event["pid"], event["status"]) == (before[0], -signal.SIGKILL)


@pytest.mark.threat("MTA-01")
def test_a_front_killed_in_a_session_ends_that_session_only(daemon: Filterd) -> None:
    """Its MTA sees the connection close, never an acceptance; the gauge does not count the lost session for ever."""
    with greeted(daemon) as one, greeted(daemon) as two:
        for session in (one, two):
            session.mail("<alice@aligned.test>")
        for pid in _fronts(daemon):
            os.kill(pid, signal.SIGKILL)
        for session in (one, two):
            with pytest.raises((MilterGoneError, BrokenPipeError)):
                session.rcpt("<user@local.test>")
    wait_until(lambda: len(status(daemon)["fronts"]) == 2 and daemon._answers(), "both fronts anew", STOPS)
    wait_until(lambda: metric(daemon, "filterd_sessions") == 0, "no session counted", STOPS)


def test_a_killed_nursery_and_its_inspectors_are_replaced(daemon: Filterd) -> None:
    """With them goes the reading of mail; it comes back by itself, and no message is let through unread meanwhile."""
    nursery = next(p for p in psutil.Process(daemon.process.pid).children() if "filterd.inspection" in p.cmdline())
    known = len(daemon.events("nursery_died"))
    nursery.kill()
    wait_until(lambda: len(daemon.events("nursery_died")) > known, "its death noticed", STOPS)

    def reads_again() -> bool:
        with greeted(daemon) as session:
            answer, event = judged(daemon, session, mail(CLEAN))
        assert (answer.code == ACCEPT) == (event["action"] == "accept")
        assert event["action"] in {"accept", "defer"}
        return answer.code == ACCEPT

    wait_until(reads_again, "mail read again", STOPS)


# --- reloading


def test_a_reload_takes_over_without_touching_open_sessions(daemon: Filterd) -> None:
    """The session that was open goes on under the old configuration, message after message; a new one has the new."""
    old = set(_fronts(daemon))
    with greeted(daemon) as session:
        session.mail("<alice@aligned.test>")
        session.rcpt("<user@local.test>")
        _changed(daemon, "milter", authserv_id="new.filterd.test")
        event = _reload(daemon)
        assert event["event"] == "reloaded", event
        for name, value in mail(CLEAN).fields:
            session.header(name, value)
        session.eoh()
        first = session.eom({"i": "4XQ1"})
        session.abort()
        second = session.message(mail(CLEAN))
        third = _accepted(daemon)
        found = [answer.added[0][2].partition(b";")[0] for answer in (first, second, third)]
        assert found == [b" mx.filterd.test", b" mx.filterd.test", b" new.filterd.test"]
        assert any(psutil.pid_exists(pid) for pid in old)
        session.quit()
    wait_until(lambda: not old & set(status(daemon)["fronts"]), "the old fronts ended", STOPS)
    assert len(status(daemon)["fronts"]) == 2
    assert status(daemon)["config_id"] == event["config_id"]


def test_the_reload_command_waits_for_what_comes_of_it(daemon: Filterd) -> None:
    """`filterd reload` does what SIGUSR1 does, and ends when the new fronts serve."""

    def command() -> None:
        done = _command(daemon, "reload")
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout.startswith("reloaded: configuration ")
        assert status(daemon)["reload"]["good"]

    event = _reload(daemon, command)
    assert event["event"] == "reloaded", event


@pytest.mark.parametrize(
    ("table", "keys", "words"),
    [
        ("actions", {"rejekt": 5}, 'rejekt: unknown key; did you mean "reject"?'),
        ("actions", {"reject": "much"}, "reject: expected a valid number, got 'much'"),
        ("milter", {"socket_mode": "0600"}, "milter.socket_mode cannot change by a reload"),
    ],
    ids=["unknown key", "wrong type", "fixed key"],
)
@pytest.mark.threat("RES-11")
def test_a_configuration_that_does_not_load_leaves_the_running_one(
    daemon: Filterd, table: str, keys: dict[str, object], words: str
) -> None:
    """Nothing changes, nobody is unfiltered, and the log says what is wrong with which file and key."""
    generation, before = status(daemon)["generation"], dict(daemon.settings.get(table, {}))
    _changed(daemon, table, **keys)
    try:
        event = _reload(daemon)
        assert event["event"] == "reload_failed"
        assert words in event["cause"]
        assert status(daemon)["generation"] == generation
        _accepted(daemon)
    finally:
        daemon.settings[table].clear()
        _changed(daemon, table, **before)


@pytest.mark.threat("RES-11")
def test_reload_refuses_at_the_command_line_too(daemon: Filterd) -> None:
    """A typing error is said to who made it, with exit 1, and the daemon is not bothered."""
    before = len(daemon.events("reload_failed"))
    _changed(daemon, "actions", rejekt=5)
    try:
        done = _command(daemon, "reload")
    finally:
        daemon.settings["actions"].clear()
        daemon.write()
    assert (done.exit_code, done.stdout) == (1, "")
    assert str(daemon.config) in done.stderr
    assert len(daemon.events("reload_failed")) == before


# --- status


def test_status_says_what_runs(daemon: Filterd) -> None:
    """One JSON object: processes, address, ids of configuration and rules, the sandbox that was reached."""
    assert _command(daemon, "reload").exit_code == 0  # one that failed before would be a problem to be told
    wait_until(lambda: len(status(daemon)["fronts"]) == 2, "the old fronts ended")
    done = _command(daemon, "status", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["pid"] == daemon.process.pid
    assert sorted(found["fronts"]) == sorted(status(daemon)["fronts"])
    assert (found["workers"], found["listen"], found["observe"]) == (2, daemon.listen, False)
    assert set(found["sandbox"]) == {"namespaces", "chroot", "landlock", "seccomp"}
    assert found["config_id"] == daemon.events("started")[0]["config_id"] or daemon.events("reloaded")
    assert found["suspended_lists"] == {}


@pytest.mark.threat("OPS-11")
def test_a_second_daemon_on_the_same_state_refuses(daemon: Filterd) -> None:
    """Exit 1 and words; the first one serves on, its socket and its status untouched."""
    started = status(daemon)["started"]
    command = [*COMMAND, "run", "--config", str(daemon.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=STOPS, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"another filterd runs with the folder {daemon.folder}/state: stop it first" in done.stderr
    assert status(daemon)["started"] == started
    _accepted(daemon)


@pytest.mark.threat("QUA-10")
def test_nothing_of_the_state_is_open_to_others(daemon: Filterd) -> None:
    """Started under umask 0: files 0600, folders closed but for passing to the socket, the socket as configured."""
    with greeted(daemon, STRANGER) as session:
        spoof = mail(message("ceo@strict.test", "Urgent transfer"), "x@elsewhere.test")
        assert session.message(spoof).code == DISCARD
    wait_until((daemon.folder / "state" / "journal.sqlite").exists, "the journal")
    seen = set()
    for path in (daemon.folder / "state").rglob("*"):
        with suppress(FileNotFoundError):  # what is only there for a moment
            mode = path.lstat().st_mode
            seen.add(path.name)
            allowed = 0o711 if stat.S_ISDIR(mode) else 0o600
            # The folder that inspectors enter as their root is empty.
            assert not stat.S_IMODE(mode) & ~allowed or path.name == "empty", (path, oct(mode))
    assert seen >= {"journal.sqlite", "quarantine", "ledger.sqlite", "segments", "filterd.lock", "status.json"}
    held = daemon.folder / "state" / "quarantine"
    assert any((held / "segments").iterdir())
    folders = (held, *[held / name for name in ("blobs", "evidence", "segments")])
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert stat.S_IMODE((daemon.folder / "milter.sock").stat().st_mode) == 0o666


# --- stopping


def _refused(daemon: Filterd) -> bool:
    """Whether an MTA that connects now is turned away at once; one that would wait fails by its own timeout."""
    try:
        with Session(daemon.listen, timeout=STOPS) as session:
            session.negotiate(Offer())
    except (ConnectionError, FileNotFoundError):
        return True
    return False


@pytest.mark.parametrize(
    ("number", "kind"),
    [(signal.SIGTERM, "unix"), (signal.SIGHUP, "inet")],
    ids=["SIGTERM on a unix socket", "SIGHUP on an inet socket"],
)
@pytest.mark.threat("MTA-05")
def test_a_stop_lets_messages_in_flight_end(dns: DnsServer, number: signal.Signals, kind: str) -> None:
    """The session that was open gets its verdict; nobody new is let in; exit 0, and everything written."""
    with open_folder() as folder:
        milter: dict[str, object] = {"workers": 1}
        if kind == "inet":
            milter["listen"] = f"inet:{free_port()}@127.0.0.1"
        daemon = Filterd(folder, {"milter": milter, "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]}})
        daemon.start()
        with greeted(daemon) as session:
            session.mail("<alice@aligned.test>")
            session.rcpt("<user@local.test>")
            daemon.process.signal(number)
            wait_until(lambda: _refused(daemon), "nobody new let in", STOPS)
            for name, value in mail(CLEAN).fields:
                session.header(name, value)
            session.eoh()
            assert session.eom({"i": "4XQ9"}).code == ACCEPT
            session.quit()
        assert daemon.process.wait(STOPS) == 0
        assert [event["queue_id"] for event in daemon.events("message")] == ["4XQ9"]
        assert daemon.events("stopped")[0]["cut_off"] == 0
        assert daemon.crashes() == []
        assert not (folder / "state" / "status.json").exists()
        assert not (folder / "milter.sock").exists()
        assert _command(daemon, "status").exit_code == 1


def test_a_session_that_does_not_end_is_cut_off_in_time(dns: DnsServer) -> None:
    """An idle MTA connection does not keep the daemon from stopping; it is said that it was cut."""
    with open_folder() as folder:
        settings: Settings = {
            "milter": {"workers": 1},
            "limits": {"drain": 0},
            "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
        }
        daemon = Filterd(folder, settings)
        daemon.start()
        with greeted(daemon) as session:
            session.message(Mail(fields=[(b"Subject", b" x")]))
            session.mail("<alice@aligned.test>")
            assert daemon.stop() == 0
            with pytest.raises((MilterGoneError, BrokenPipeError)):
                session.rcpt("<user@local.test>")
        assert daemon.events("stopped")[0]["cut_off"] == 1
        assert daemon.crashes() == []


def test_without_its_supervisor_nothing_stays_behind(dns: DnsServer) -> None:
    """A supervisor that is killed takes fronts, nursery and inspectors along; a new daemon starts on the same state."""
    with open_folder() as folder:
        daemon = Filterd(folder, {"milter": {"workers": 1}, "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]}})
        daemon.start()
        others = psutil.Process(daemon.process.pid).children(recursive=True)
        assert len(others) >= 3
        daemon.process.signal(signal.SIGKILL)
        daemon.process.wait()
        _, alive = psutil.wait_procs(others, STOPS)
        assert alive == []
        daemon.start()
        _accepted(daemon)
        assert daemon.stop() == 0
