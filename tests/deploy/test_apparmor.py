"""The AppArmor profile, as far as it can be looked at without a kernel that enforces it."""

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.confined import UNIT, settings
from tests.support.process import require_program

PROFILE: Final = UNIT.parents[1] / "apparmor" / "filterd"


def parsed(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What the parser makes of it, without loading it."""
    require_program("apparmor_parser")
    argv = ["apparmor_parser", "--skip-kernel-load", "--skip-read-cache", *options, str(path)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.mark.threat("OPS-13")
def test_it_parses(tmp_path: Path) -> None:
    """As apparmor_parser reads it, with all it includes; a word that is none does not."""
    done = parsed(PROFILE)
    assert done.returncode == 0, done.stderr
    (tmp_path / "bad").write_text(PROFILE.read_text().replace("deny ptrace,", "deny petrace,"))
    assert parsed(tmp_path / "bad").returncode != 0


@pytest.mark.threat("OPS-13")
def test_nothing_in_it_gives_a_right_that_the_unit_takes() -> None:
    """No capability, no raw packets, no program but the interpreter, wherever an abstraction is included."""
    lines = [line.strip() for line in parsed(PROFILE, "--preprocess").stdout.splitlines()]
    rules = [" ".join(line.split()) for line in lines if line and not line.startswith("#")]
    given = {rule for rule in rules if rule.startswith("capability")}
    assert given <= {rule.removeprefix("deny ") for rule in rules if rule.startswith("deny capability")}
    assert {rule for rule in rules if rule.startswith("network") and "netlink" not in rule} == {
        f"network {family} {kind}," for family in ("inet", "inet6") for kind in ("stream", "dgram")
    }
    executed = [rule for rule in rules if re.search(r"\s[rwmkl]*[pPcCuUi]?x,$", rule) and not rule.startswith("deny")]
    # The abstraction of names says x of the name cache's tables, which are mapped: they are no programs.
    assert {rule.split()[0] for rule in executed if "/nscd/" not in rule} == {
        "/{opt/filterd/.venv,usr/lib/filterd}/bin/filterd",
        "/{opt/filterd/.venv,usr/lib/filterd}/bin/python{,3,3.[0-9]*}",
        "/usr/bin/python3{,.[0-9]*}",
        "/{,usr/}sbin/ldconfig{,.real}",
    }


def test_unit_and_profile_speak_of_the_same_folders() -> None:
    """What the unit makes and starts is what the profile lets be written and executed; the unit asks for it by name."""
    unit, text = settings(UNIT), PROFILE.read_text()
    assert unit["AppArmorProfile"] == ["-filterd"]
    assert "profile filterd " in text
    for folder in (f"/var/lib/{unit['StateDirectory'][0]}", f"/run/{unit['RuntimeDirectory'][0]}"):
        assert f"owner {folder}/** rw" in text
    program = unit["ExecStart"][0].split()[0]
    assert program == "/opt/filterd/.venv/bin/filterd"
    assert "  /{opt/filterd/.venv,usr/lib/filterd}/bin/filterd mrix," in text
