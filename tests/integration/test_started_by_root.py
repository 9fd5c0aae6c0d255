"""A daemon that root starts: it becomes the user it is told to, whole, and no process of it is root's any more."""

import json
import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path
from typing import Final

import psutil
import pytest
from typer.testing import CliRunner

from filterd.cli import app
from tests.milter.wire import greeted, internet, judged, mail
from tests.support import daemon as support
from tests.support.daemon import COMMAND, Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.process import open_folder, require_program
from tests.support.world import STRANGER, message

pytestmark = [
    pytest.mark.integration,
    pytest.mark.threat("OPS-03"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start it as root"),
]

NOBODY: Final = pwd.getpwnam("nobody")
# In a mount namespace of its own: of a folder that only root may pass, nothing is there but the interpreter below it.
OPENED: Final = """
mkdir -p "$1" && mount --bind "$2" "$1" && mount -t tmpfs -o mode=755 none "$2" && mkdir -p "$2/$3" &&
mount --bind "$1/$3" "$2/$3" && shift 3 && exec "$@"
"""


def reachable(folder: Path) -> tuple[str, ...]:
    """The command of filterd, for an interpreter that every user can execute."""
    prefix = Path(sys.base_prefix)
    closed = [one for one in (*reversed(prefix.parents), prefix) if not one.stat().st_mode & stat.S_IXOTH]
    if not closed:
        return tuple(COMMAND)
    script = ("unshare", "--mount", "sh", "-c", OPENED, "sh", str(folder / "kept"), str(closed[0]))
    return (*script, str(prefix.relative_to(closed[0])), *COMMAND)


def test_it_becomes_the_user_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process has that user's ids alone, no capability, and the folders are that user's; mail is held."""
    require_program("unshare")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    with open_folder() as folder, DnsServer(internet()) as dns:
        monkeypatch.setattr(support, "COMMAND", reachable(folder))
        settings: Settings = {
            "milter": {"workers": 1, "listen": f"unix:{folder}/run/milter.sock"},
            "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]},
            "paths": {"state": f"{folder}/state", "runtime": f"{folder}/run", "user": "nobody"},
        }
        with Filterd(folder, settings) as daemon:
            with greeted(daemon, STRANGER) as session:
                spoof = mail(message("ceo@strict.test", "Urgent transfer"), "x@elsewhere.test")
                _, event = judged(daemon, session, spoof)
            assert event["action"] == "quarantine"
            supervisor = psutil.Process(daemon.process.pid)
            processes = [supervisor, *supervisor.children(recursive=True)]
            for process in processes:
                assert set(process.uids()) | set(process.gids()) == {NOBODY.pw_uid, NOBODY.pw_gid}
                status = dict(
                    line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
                )
                assert (int(status["CapEff"], 16), int(status["CapPrm"], 16)) == (0, 0)
                assert {*status["Groups"].split()} <= {str(group) for group in os.getgrouplist("nobody", NOBODY.pw_gid)}
            assert len(processes) > 4
            assert {path.stat().st_uid for path in (folder / "state").rglob("*")} == {NOBODY.pw_uid}
            causes = [str(event["cause"]) for event in daemon.events("environment")]
            assert not any("runs as root" in cause for cause in causes)
            done = CliRunner().invoke(app, ["status", "--json", "--config", str(daemon.config)])
            found = json.loads(done.stdout)
            assert (found["health"], set(found["sandbox"])) == (
                "ok",
                {"namespaces", "chroot", "landlock", "seccomp"},
            )


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("no-such-user", "[paths] user: expected a user of this machine, got 'no-such-user'"),
        ("nobody", "Permission denied"),
    ],
)
def test_who_cannot_become_that_user_does_not_start(tmp_path: Path, user: str, words: str) -> None:
    """An account that is not there, a state that is root's: exit 1 and words, and nothing serves."""
    tmp_path.chmod(0o755)
    (tmp_path / "state").mkdir(0o700)
    config = tmp_path / "filterd.toml"
    config.write_text(f'[milter]\nlisten = "unix:{tmp_path}/m"\n[paths]\nstate = "{tmp_path}/state"\nuser = "{user}"\n')
    argv = [*COMMAND, "run", "--config", str(config)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert not (tmp_path / "m").exists()
