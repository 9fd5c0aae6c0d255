"""A restart in place: another program in the same process, and nobody who speaks with the daemon notices."""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app
from filterd.supervisor.handover import VARIABLE, Handover, LeftFront, LeftGeneration
from tests.milter.wire import greeted, internet, mail, metric
from tests.support.daemon import Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.miltertalk import ACCEPT, Offer, Session
from tests.support.process import free_port, open_folder, wait_until
from tests.support.processes import descriptors, fronts, nurseries
from tests.support.world import message

CLEAN = message("alice@aligned.test", "Minutes of Monday")
WITHIN = 60.0  # seconds until a test is given up


@contextmanager
def running(address: Callable[[Path, str], str]) -> Iterator[Filterd]:
    """Two fronts, the policy service and metrics."""
    with open_folder() as folder, DnsServer(internet()) as dns:
        settings: Settings = {
            "milter": {"workers": 2, "listen": address(folder, "milter")},
            "policy": {"listen": address(folder, "policy")},
            "metrics": {"listen": f"unix:{folder}/metrics.sock"},
            "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
        }
        with Filterd(folder, settings) as filterd:
            wait_until((folder / "state" / "status.json").exists, "its first word of itself")
            yield filterd


def port(_folder: Path, _name: str) -> str:
    """An address that is none of the file system."""
    return f"inet:{free_port()}@127.0.0.1"


@pytest.fixture(scope="module")
def daemon() -> Iterator[Filterd]:
    """On sockets with paths; every test leaves it serving."""
    with running(lambda folder, name: f"unix:{folder}/{name}.sock") as filterd:
        yield filterd


def command(daemon: Filterd, *arguments: str) -> Result:
    """A command about this daemon."""
    return CliRunner().invoke(app, [*arguments, "--config", str(daemon.config)])


def status(daemon: Filterd) -> dict[str, Any]:
    """What it says of itself."""
    found: dict[str, Any] = json.loads(command(daemon, "status", "--json").stdout)
    return found


def restart(daemon: Filterd) -> None:
    """And only what the new program has started is left."""
    old = {*fronts(daemon), *nurseries(daemon)}
    done = command(daemon, "restart", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout).keys() == {"version"}
    wait_until(lambda: not old & {*fronts(daemon), *nurseries(daemon)}, "the old processes gone", WITHIN)


def accepted(daemon: Filterd) -> bool:
    """Whether a message of a new session is judged."""
    with greeted(daemon) as session:
        return session.message(mail(CLEAN)).code == ACCEPT


def policy(daemon: Filterd) -> str:
    """What the policy service answers to a request."""
    kind, _, rest = str(daemon.settings["policy"]["listen"]).partition(":")
    port, _, host = rest.partition("@")
    with socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET) as client:
        client.settimeout(WITHIN)
        client.connect(rest if kind == "unix" else (host, int(port)))
        client.sendall(b"request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.10\n\n")
        return client.recv(1_000).decode()


@pytest.mark.integration
@pytest.mark.threat("OPS-12")
def test_everything_serves_again(daemon: Filterd) -> None:
    """Milter, policy service, metrics, control; the same process; twice in a row, and no descriptor is left behind."""
    pid = daemon.process.pid
    restart(daemon)
    before = len(descriptors(pid))
    restart(daemon)
    assert accepted(daemon)
    assert policy(daemon).startswith("action=")
    assert metric(daemon, "filterd_fronts") == 2
    found = status(daemon)
    assert (found["pid"], found["health"], len(found["fronts"])) == (pid, "ok", 2)
    assert len(descriptors(pid)) == before
    assert len(nurseries(daemon)) == 1
    assert len(list((daemon.folder / "state").glob("inspect-*"))) == 1


@pytest.mark.integration
@pytest.mark.threat("OPS-12")
def test_an_open_session_goes_on(daemon: Filterd) -> None:
    """With its front and that one's inspectors, message after message; they end when it does."""
    old = {*fronts(daemon), *nurseries(daemon)}
    with greeted(daemon) as session:
        assert command(daemon, "restart").exit_code == 0
        assert session.message(mail(CLEAN)).code == ACCEPT
        assert session.message(mail(CLEAN)).code == ACCEPT
        wait_until(lambda: len(old & {*fronts(daemon), *nurseries(daemon)}) == 2, "its front and nursery alone", WITHIN)
        assert sum(front["draining"] for front in status(daemon)["front_processes"]) == 1
    wait_until(lambda: not old & {*fronts(daemon), *nurseries(daemon)}, "they have ended", WITHIN)
    assert accepted(daemon)


@pytest.mark.integration
@pytest.mark.threat("OPS-12")
def test_a_program_that_would_not_start_does_not_begin(daemon: Filterd) -> None:
    """Exit 1 with its own words, the old one goes on with all its processes, and a good one may follow."""
    old = [*fronts(daemon), *nurseries(daemon)]
    daemon.settings["milter"]["sort"] = "new"
    daemon.write()
    try:
        done = command(daemon, "restart", "--socket", f"{daemon.folder}/state/control.sock")
    finally:
        del daemon.settings["milter"]["sort"]
        daemon.write()
    assert done.exit_code == 1
    assert done.stderr.startswith("the old program goes on: ")
    assert "[milter] sort: unknown key" in done.stderr
    assert [*fronts(daemon), *nurseries(daemon)] == old
    assert len(daemon.events("restart_failed")) == 1
    assert accepted(daemon)
    restart(daemon)
    assert status(daemon)["health"] == "ok"


@pytest.mark.integration
@pytest.mark.threat("OPS-12")
def test_ports() -> None:
    """What listens on ports is kept open too; a configuration with another address gets that one instead."""
    with running(port) as daemon:
        restart(daemon)
        assert accepted(daemon)
        assert policy(daemon).startswith("action=")
        old = daemon.listen
        daemon.settings["milter"]["listen"] = port(daemon.folder, "milter")
        daemon.write()
        restart(daemon)
        assert accepted(daemon)
        assert policy(daemon).startswith("action=")
        with pytest.raises(OSError, match="refused"):
            Session(old, Offer(), timeout=5).quit()


@pytest.mark.integration
@pytest.mark.threat("OPS-12")
def test_a_stop_afterwards(daemon: Filterd) -> None:
    """What both programs have started ends: an open session is drained, no process is left, the lock is free."""
    supervisor = psutil.Process(daemon.process.pid)
    session = greeted(daemon)
    try:
        assert command(daemon, "restart").exit_code == 0
        family = supervisor.children(recursive=True)
        daemon.process.signal(signal.SIGTERM)
        wait_until(lambda: daemon.events("stopping"), "told to stop", WITHIN)
        assert session.message(mail(CLEAN)).code == ACCEPT
    finally:
        session.quit()
    assert daemon.process.wait(WITHIN) == 0
    wait_until(lambda: not any(one.is_running() for one in family), "no process left", WITHIN)
    daemon.start()
    assert accepted(daemon)


def handed(pid: int, descriptor: int) -> Handover:
    """What a program of that process left, with one descriptor for everything."""
    left = LeftGeneration(3, (LeftFront(10, 0, 5.0), LeftFront(11, 1, 6.0)), 9, "/run/inspect-1-3")
    return Handover(pid, {"lock": "/run"}, (descriptor,), None, descriptor, 3, (left,))


def test_what_is_left() -> None:
    """It is found once, by the same process, whose later children do not get the descriptors."""
    with closing(socket.socket(socket.AF_UNIX)) as one:
        environment: dict[str, str] = {}
        given = handed(os.getpid(), one.fileno())
        given.give(environment)
        assert os.get_inheritable(one.fileno())
        assert Handover.take(environment) == given
        assert not os.get_inheritable(one.fileno())
        assert Handover.take(environment) is None
        assert environment == {}


@pytest.mark.parametrize("text", ["", "{}", "null", "[1]", "{", '{"pid": 1}', "\udcff"])
def test_nothing_is_left(text: str) -> None:
    """Whatever else stands in the variable is no hand-over."""
    assert Handover.take({VARIABLE: text}) is None


def test_left_to_another() -> None:
    """A child that inherits the variable is nobody's successor."""
    with closing(socket.socket(socket.AF_UNIX)) as one:
        environment: dict[str, str] = {}
        handed(os.getpid() + 1, one.fileno()).give(environment)
        assert Handover.take(environment) is None
