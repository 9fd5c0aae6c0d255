"""The shipped unit: how exposed it is by systemd's count, and that filterd works under it."""

import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from filterd.cli import app
from tests.deploy.confined import UNIT, allowed, settings
from tests.milter.wire import greeted, internet, judged, mail
from tests.support import daemon as support
from tests.support.daemon import Filterd
from tests.support.dnsserver import DnsServer
from tests.support.process import open_folder, require_program
from tests.support.world import STRANGER, message

MOST: Final = 15  # tenths; OPS-01
INNER: Final = UNIT.with_name("inner-walls.conf")
NOBODY: Final = pwd.getpwnam("nobody")


@pytest.mark.threat("OPS-01")
def test_it_is_exposed_as_little_as_promised() -> None:
    """At most 1.5 by systemd's own count, which ends with an error beyond it."""
    require_program("systemd-analyze")
    argv = ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={MOST}", str(UNIT)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    """No key or value that it does not know, with the drop-in and without."""
    require_program("systemd-analyze")
    text = UNIT.read_text().replace("/opt/filterd/.venv/bin/filterd", "/bin/true")
    (tmp_path / "filterd.service").write_text(text)
    for _ in range(2):
        argv = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "filterd.service")]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert "filterd.service" not in done.stderr, done.stderr
        (tmp_path / "filterd.service.d").mkdir(exist_ok=True)
        shutil.copy(INNER, tmp_path / "filterd.service.d")


def test_the_watchdog_waits_longer_than_a_probe() -> None:
    """The supervisor beats every second; twice as long as a liveness probe takes to give up is no false alarm."""
    found = settings(UNIT)
    assert int(found["WatchdogSec"][0]) >= 60
    assert found["Type"] == ["notify"]


@pytest.mark.threat("RES-12")
def test_an_inspector_that_is_killed_for_memory_does_not_stop_the_unit() -> None:
    """All of it would end otherwise: that is what systemd does of itself."""
    assert settings(UNIT)["OOMPolicy"] == ["continue"]


@pytest.mark.threat("OPS-02")
def test_the_inspectors_own_walls_may_be_built() -> None:
    """Landlock and seccomp are in no group of Debian 12's systemd: the unit names them."""
    require_program("systemd-analyze")
    calls = allowed(settings(UNIT)["SystemCallFilter"])
    assert {"seccomp", "landlock_create_ruleset", "landlock_restrict_self", "memfd_create"} <= calls
    assert not calls & {"mount", "ptrace", "bpf", "kexec_load", "chroot", "capset", "setresuid", "init_module"}


@contextmanager
def confined(monkeypatch: pytest.MonkeyPatch, *files: Path) -> Iterator[Filterd]:
    """A daemon of a user without rights, under what these unit files forbid."""
    unit = os.pathsep.join(map(str, files))
    user = [f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups", "--no-new-privs"]
    # The one right is for the tests' own sake: the interpreter may lie in a folder of root's.
    rights = [f"--{kind}=-all,+dac_read_search" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    argv = ("setpriv", *user, *rights)
    command = (*argv, sys.executable, "-m", "tests.deploy.confined", unit)
    monkeypatch.setattr(support, "COMMAND", command)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    with open_folder() as folder, DnsServer(internet()) as dns:
        os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
        daemon = Filterd(folder, {"milter": {"workers": 1}, "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]}})
        with daemon:
            yield daemon


def status(daemon: Filterd) -> dict[str, Any]:
    """What the daemon says of itself."""
    found: dict[str, Any] = json.loads(
        CliRunner().invoke(app, ["status", "--json", "--config", str(daemon.config)]).stdout
    )
    return found


@pytest.mark.integration
@pytest.mark.threat("OPS-01", "OPS-02")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("files", [(UNIT,), (UNIT, INNER)], ids=["as shipped", "with inner walls"])
def test_filterd_works_under_it(monkeypatch: pytest.MonkeyPatch, files: tuple[Path, ...]) -> None:
    """Mail is judged and held, commands are answered, a reload and a restart come to their end; the walls stand.

    With the drop-in the others do, too, where the kernel lets this user make namespaces at all.
    """
    require_program("systemd-analyze", "setpriv")
    with confined(monkeypatch, *files) as daemon:
        with greeted(daemon, STRANGER) as session:
            spoof = mail(message("ceo@strict.test", "Urgent transfer"), "x@elsewhere.test")
            _, event = judged(daemon, session, spoof)
        assert event["action"] == "quarantine"
        found = status(daemon)
        assert found["health"] == "ok", found["problems"]
        for what in ("reload", "restart"):
            done = CliRunner().invoke(app, [what, "--config", str(daemon.config)])
            assert done.exit_code == 0, done.stderr
    walls = found["sandbox"]
    assert walls["seccomp"]
    assert walls["landlock"] >= 1 or not Path("/sys/kernel/security/landlock").exists()
    inner = INNER in files
    assert (walls["namespaces"], walls["chroot"]) in ({(True, True), (False, False)} if inner else {(False, False)})
