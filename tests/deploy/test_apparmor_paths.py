"""What a daemon opens, makes and executes, seen by strace, and whether the profile lets it: no kernel enforces it here.

Not seen are sockets between processes, signals, and what an abstraction has only for other machines.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import pytest

from filterd.control import Command, Request, ask
from tests.deploy.confined import UNIT
from tests.milter.wire import greeted, internet, judged, mail
from tests.support import daemon as support
from tests.support.daemon import Filterd
from tests.support.dnsserver import DnsServer
from tests.support.process import open_folder, require_program
from tests.support.world import STRANGER, message

pytestmark = pytest.mark.integration

PROFILE: Final = UNIT.parents[1] / "apparmor" / "filterd"
ROOT: Final = UNIT.parents[2]
CALLS: Final = "open,openat,execve,unlink,unlinkat,rename,mkdir,rmdir,chmod,link,bind"
VARIABLES: Final = {"PROC": "/proc/", "pid": "{[1-9],[1-9][0-9]*,self}", "run": "{/run,/var/run}", "etc_ro": "/etc"}
RULE: Final = re.compile(r'(?:allow )?(?:owner )?"?((?:/|@\{)[^\s"]*)"?\s+([rwamklixpPcCuU]+),')
CALL: Final = re.compile(r"\d+ +(\w+)\((.*)")
WRITES: Final = ("O_WRONLY", "O_RDWR", "O_CREAT")
SLOW: Final = 90.0  # seconds: strace takes its time


@dataclass(frozen=True)
class Access:
    """A path as it is where the unit has it, and which right it takes."""

    path: str
    right: str


def pattern(glob: str) -> re.Pattern[str]:
    """A path of a profile as a regular expression."""
    for _ in range(3):  # variables in variables
        glob = re.sub(r"@\{(\w+)\}", lambda name: VARIABLES.get(name[1], "*"), glob)
    glob, found, deep = re.sub("/+", "/", glob), "", 0
    for part in re.findall(r"\*\*|\[[^\]]*\]|.", glob):
        deep += (part == "{") - (part == "}")
        known = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}
        found += known.get(part) or ("|" if part == "," and deep else part if part[0] == "[" else re.escape(part))
    return re.compile(found + r"\Z")


def rules() -> list[tuple[re.Pattern[str], str]]:
    """What the profile allows, with all that it includes."""
    argv = ["apparmor_parser", "--skip-kernel-load", "--skip-read-cache", "--preprocess", str(PROFILE)]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = [RULE.match(line.strip()) for line in text.splitlines()]
    return [(pattern(match[1]), match[2]) for match in found if match]


def accesses(log: Path, folder: Path) -> Iterator[Access]:
    """What strace saw, of what is there."""
    places = [(f"{folder}/state", "/var/lib/filterd"), (str(folder), "/run/filterd"), (str(ROOT), "/opt/filterd")]
    places += [(sys.base_prefix, "/usr")]
    for line in log.read_text(errors="replace").splitlines():
        found = CALL.match(line)
        if found is None or "ENOENT" in line:
            continue
        call, rest = found[1], found[2]
        named = re.findall(r'"(/[^"]*)"', rest)
        for name in named[:1] if call == "execve" else named:
            path = name
            for here, there in places:
                path = path.replace(here, there)
            if call == "execve":
                right = "x"
            elif ".so" in Path(path).suffixes:
                right = "m"
            else:
                right = "w" if not call.startswith("open") or any(flag in rest for flag in WRITES) else "r"
            yield Access(path, right)


@pytest.mark.threat("OPS-13")
def test_all_that_a_daemon_does_to_files_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message judged and held, status, a reload, a stop: every path is one that the profile names."""
    require_program("strace", "apparmor_parser")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # an installed one is compiled, a checkout as it is imported
    allowed = rules()
    with open_folder() as folder, DnsServer(internet()) as dns:
        log = folder / "strace"
        argv = ("strace", "-f", "-qq", "-o", str(log), "-e", f"trace={CALLS}", sys.executable, "-m", "filterd")
        monkeypatch.setattr(support, "COMMAND", argv)
        daemon = Filterd(folder, {"milter": {"workers": 1}, "dns": {"nameservers": [f"127.0.0.1:{dns.port}"]}})
        with daemon:
            with greeted(daemon, STRANGER) as session:
                spoof = mail(message("ceo@strict.test", "Urgent transfer"), "x@elsewhere.test")
                judged(daemon, session, spoof)
            for command in (Command.STATUS, Command.RELOAD):
                ask(folder / "state" / "control.sock", Request(command), SLOW)
            (traced,) = psutil.Process(daemon.process.pid).children()
            traced.terminate()  # strace ends with it; told itself, it would let go of a daemon that runs on
            assert daemon.process.wait(SLOW) == 0
        seen = set(accesses(log, folder))
    assert {"x", "m", "w", "r"} == {access.right for access in seen}
    refused = {
        access
        for access in seen
        if not any(
            access.right in rights and (rule.match(access.path) or rule.match(f"{access.path.rstrip('/')}/"))
            for rule, rights in allowed
        )
    }
    assert refused == set()
