"""The running daemon asked over its socket and by probes, by people with and without a role."""

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app
from filterd.quarantine import EntryFilter, Place, open_quarantine
from tests.milter.wire import greeted, internet, judged, mail
from tests.support.daemon import COMMAND, Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.process import open_folder, wait_until
from tests.support.world import STRANGER, message

pytestmark = pytest.mark.integration

NOBODY = pwd.getpwnam("nobody").pw_uid
STOPS = 60.0  # seconds until a test is given up
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    """The tests' small Internet."""
    with DnsServer(internet()) as server:
        yield server


def settings(folder: Path, dns: DnsServer) -> Settings:
    """One front; nobody may release held mail of one domain, and no more."""
    role = {"users": ["nobody"], "may": ["release"], "domains": ["local.test"]}
    return {
        "milter": {"workers": 1},
        "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
        "metrics": {"listen": f"unix:{folder}/metrics.sock"},
        "control": {"roles": {"desk": role}},
    }


@pytest.fixture(scope="module")
def daemon(dns: DnsServer) -> Iterator[Filterd]:
    """Every test leaves it serving, with the first configuration in the file."""
    with open_folder() as folder, Filterd(folder, settings(folder, dns)) as filterd:
        wait_until((folder / "state" / "status.json").exists, "its first word of itself")
        yield filterd


def command(daemon: Filterd, *arguments: str) -> Result:
    """What root is answered."""
    return CliRunner().invoke(app, [*arguments, "--config", str(daemon.config)])


def as_nobody(daemon: Filterd, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a reviewer is answered, who cannot read a file of the daemon's."""
    argv = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *COMMAND, *arguments]
    at = f"{daemon.folder}/state/control.sock"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HOME": "/"}
    return subprocess.run(
        [*argv, "--socket", at], capture_output=True, text=True, timeout=STOPS, check=False, env=environment
    )


def probe(daemon: Filterd, path: str) -> tuple[int, str]:
    """Status and words of a path of the metrics' address."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(STOPS)
        client.connect(str(daemon.folder / "metrics.sock"))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head, _, body = b"".join(iter(lambda: client.recv(65_536), b"")).decode().partition("\r\n\r\n")
    return int(head.split(" ")[1]), body.strip()


def hold(daemon: Filterd, *recipients: str) -> str:
    """Have a spoof held for these; its id."""
    with greeted(daemon, STRANGER) as session:
        spoof = mail(
            message("ceo@strict.test", "Urgent transfer"),
            "x@elsewhere.test",
            recipients=tuple([f"<{one}>" for one in recipients]),
        )
        _, event = judged(daemon, session, spoof)
    assert event["action"] == "quarantine"
    return str(event["id"])


# --- status


@pytest.mark.threat("RES-03")
def test_status_says_how_it_is(daemon: Filterd) -> None:
    """Health, each front with its sessions, inspectors, state, held mail, model; exit 0 as long as all is well."""
    with greeted(daemon):
        wait_until(lambda: _status(daemon)["front_processes"][0]["sessions"] == 1, "the session counted")
    done = command(daemon, "status", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["health"], found["problems"]) == (0, "ok", [])
    (front,) = found["front_processes"]
    assert (front["pid"], front["draining"], front["age"] >= 0) == (found["fronts"][0], False, True)
    assert (found["inspectors_serving"], found["store_state"]["answers"]) == (2, True)
    assert found["queue"].keys() == {"held", "bytes", "releases_due"}
    assert found["rules_changed"] <= found["loaded"] <= time.time()
    table = command(daemon, "status").stdout
    assert table.startswith("health\tok\n")
    assert f"front\t{front['pid']}: " in table


def _status(daemon: Filterd) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = json.loads(command(daemon, "status", "--json").stdout)
    return found


@root
@pytest.mark.threat("OPS-07")
def test_who_may_not_view_or_reload_is_told_so(daemon: Filterd) -> None:
    """A reviewer's role is for held mail; exit 1, words, and the daemon goes on as it was."""
    before = len(daemon.events("reloaded"))
    for what in ("status", "reload"):
        done = as_nobody(daemon, what)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"nobody may not {what}: see [control.roles] in filterd.toml\n"
    assert len(daemon.events("reloaded")) == before


# --- reload


@pytest.mark.threat("RES-11")
def test_a_reload_that_is_not_to_be_says_why(daemon: Filterd) -> None:
    """Exit 1, the old configuration goes on; degraded until a reload succeeds, and alive and ready all the time."""
    daemon.settings["milter"]["socket_mode"] = "0600"
    daemon.write()
    try:
        done = command(daemon, "reload")
    finally:
        daemon.settings["milter"]["socket_mode"] = "0666"
        daemon.write()
    assert done.exit_code == 1
    assert done.stderr.startswith("the old configuration goes on: milter.socket_mode cannot change by a reload")
    done = command(daemon, "status")
    assert (done.exit_code, "last reload\tfailed" in done.stdout) == (3, True)
    assert done.stdout.startswith(
        "health\tdegraded\nproblem\tthe last reload failed, what was loaded before goes on: milter.socket_mode cannot"
    )
    assert (probe(daemon, "/healthz")[0], probe(daemon, "/readyz")[0]) == (200, 200)
    assert command(daemon, "reload").exit_code == 0
    done = command(daemon, "status")
    assert (done.exit_code, done.stdout.startswith("health\tok\n")) == (0, True)
    assert "last reload\tgood" in done.stdout


@root
def test_roles_change_with_a_reload(daemon: Filterd) -> None:
    """Who is in the file now may; unknown accounts keep the old roles and are named."""
    role = {"users": ["nobody"], "may": ["view"]}
    daemon.settings["control"]["roles"] = {"watch": role}
    daemon.write()
    try:
        assert command(daemon, "reload").exit_code == 0
        assert as_nobody(daemon, "status").stdout.startswith("health\tok\n")
        daemon.settings["control"]["roles"] = {"watch": {**role, "users": ["no-such-user"]}}
        daemon.write()
        done = command(daemon, "reload")
        assert "[control.roles.watch] users: expected accounts of this machine, got 'no-such-user'" in done.stderr
        assert as_nobody(daemon, "status").returncode == 3  # degraded, and told so: the role is the old one
    finally:
        daemon.settings["control"]["roles"] = {
            "desk": {"users": ["nobody"], "may": ["release"], "domains": ["local.test"]}
        }
        daemon.write()
        command(daemon, "reload")


# --- held mail


@root
@pytest.mark.threat("OPS-07")
def test_a_reviewer_looks_at_mail_of_his_domains(daemon: Filterd) -> None:
    """Why it is held and how it begins, with his name in the audit; of other mail nothing is read or said."""
    his = hold(daemon, "anna@local.test")
    other = hold(daemon, "mallory@elsewhere.test")
    shown = as_nobody(daemon, "reviewer", "show", his).stdout.splitlines()
    assert f"message       {his}" in shown
    assert "  Subject: Urgent transfer" in shown
    as_json = json.loads(as_nobody(daemon, "reviewer", "show", his, "--json").stdout)
    assert (as_json["id"], as_json["explained"]["action"]) == (his, "quarantine")
    for identifier in (other, "01JD3W7Q4Z5S8V1N2M3K4P5R6T", "..etcpasswd"):
        refused = as_nobody(daemon, "reviewer", "show", identifier)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "no such entry, or it is not for your domains" in refused.stderr or "expected" in refused.stderr
    with closing(open_quarantine(Place(), daemon.folder / "state" / "quarantine")) as quarantine:
        looks = [row for row in quarantine.audit(his) if row.action == "view"]
        assert [(row.actor, row.origin) for row in looks] == [("nobody", "control socket")] * 2
        assert [row.action for row in quarantine.audit(other)] == ["hold"]


@root
@pytest.mark.threat("OPS-07")
def test_a_reviewer_sees_and_releases_mail_of_his_domains(daemon: Filterd) -> None:
    """Of other mail he does not learn that it is there, nor may he release it; the audit has his name."""
    his = hold(daemon, "anna@local.test")
    shared = hold(daemon, "anna@local.test", "eve@elsewhere.test")
    listed = [json.loads(line)["id"] for line in as_nobody(daemon, "reviewer", "list", "--json").stdout.splitlines()]
    assert his in listed
    assert shared not in listed
    done = as_nobody(daemon, "reviewer", "release", shared, "01JD3W7Q4Z5S8V1N2M3K4P5R6T")
    assert done.returncode == 1
    words = "refused: no such entry, or it is not for your domains"
    assert done.stdout.splitlines() == [f"{shared} {words}", f"01JD3W7Q4Z5S8V1N2M3K4P5R6T {words}"]
    done = as_nobody(daemon, "reviewer", "release", his)
    assert done.stdout.startswith(f"{his} releasing: ")  # no MTA takes it here: put off
    with closing(open_quarantine(Place(), daemon.folder / "state" / "quarantine")) as quarantine:
        assert ("nobody", "control socket", "release") in [
            (row.actor, row.origin, row.action) for row in quarantine.audit(his)
        ]
        assert [entry.id for entry in quarantine.entries(EntryFilter(recipient="eve@"))] == [shared]
    asked = [event for event in daemon.events("control_asked") if event["command"] == "release"]
    assert asked[-1]["who"] == "nobody"


# --- probes


def test_probes_say_that_it_lives_and_serves(daemon: Filterd) -> None:
    """200 for both, again and again; a path that is none is not found."""
    for _ in range(3):
        assert probe(daemon, "/healthz") == (200, "ok")
        assert probe(daemon, "/readyz") == (200, "ok")
    assert probe(daemon, "/readyz/x")[0] == 404


def test_while_it_drains_it_lives_and_is_not_ready(dns: DnsServer) -> None:
    """A message is at its end when the stop comes: until it has its verdict nothing new is sent here."""
    with open_folder() as folder, Filterd(folder, settings(folder, dns)) as daemon:
        with greeted(daemon) as session:
            session.mail("<alice@aligned.test>")
            daemon.process.signal(signal.SIGTERM)
            wait_until(lambda: probe(daemon, "/readyz")[0] == 503, "not ready")
            assert probe(daemon, "/readyz") == (503, "no new mail is taken: stopping")
            assert probe(daemon, "/healthz") == (200, "ok")
            done = command(daemon, "status", "--json")
            assert (done.exit_code, json.loads(done.stdout)["health"]) == (1, "failed")
            session.quit()
        assert daemon.process.wait(STOPS) == 0
        done = command(daemon, "status")
        assert (done.exit_code, done.stderr) == (1, "no daemon is running with this configuration\n")
