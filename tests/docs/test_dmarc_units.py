"""The units that send DMARC reports are what systemd takes, and say what the document says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from filterd.cli import app
from tests.support.process import refuse

pytestmark = pytest.mark.docs

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "deploy" / "systemd"
SERVICE = (UNITS / "filterd-dmarc-reports.service").read_text()
EXPOSED = 1.5  # at most, as the daemon's own unit


def analyze(*arguments: str) -> str:
    """What systemd-analyze says."""
    if shutil.which("systemd-analyze") is None:
        refuse("not installed: systemd")
    argv = ["systemd-analyze", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_systemd_takes_them(tmp_path: Path) -> None:
    """Nothing in them is unknown, or of a wrong form; the program is put in by the installation."""
    timer = UNITS / "filterd-dmarc-reports.timer"
    shutil.copy(timer, tmp_path)
    service = tmp_path / "filterd-dmarc-reports.service"
    service.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", SERVICE))
    said = analyze("verify", str(service), str(tmp_path / timer.name))
    assert [line for line in said.splitlines() if "filterd-dmarc" in line] == []


@pytest.mark.threat("OPS-01")
def test_it_is_locked_in() -> None:
    """It reads a key and the state, and speaks to a name server and an MTA: the rest is closed."""
    said = analyze("security", "--offline=true", "--no-pager", str(UNITS / "filterd-dmarc-reports.service"))
    found = re.search(r"exposure level for \S+: ([0-9.]+)", said)
    assert found is not None
    assert float(found[1]) <= EXPOSED


def test_the_command_is_there() -> None:
    """With the options that the unit gives it, and under the name of the credential that the document has."""
    words = re.findall(r"^ExecStart=\S+ (.*)$", SERVICE, re.MULTILINE)[0].split()
    group = getattr(typer.main.get_command(app), "commands")["dmarc"]  # noqa: B009  # of a class that typer does not export
    assert words[:2] == ["dmarc", "send"]
    options = {name for option in group.commands["send"].params for name in option.opts}
    assert {word for word in words[2:] if word.startswith("-")} <= options
    (name,) = re.findall(r"^LoadCredential=([a-z-]+):", SERVICE, re.MULTILINE)
    assert f'dkim_key_file = "credential:{name}"' in (ROOT / "docs" / "dmarc-reports.md").read_text()
