"""What `filterd doctor --postfix` finds in a configuration of Postfix, asked by the real postconf, and what mends it.

Each folder of tests/cases/doctor is one fault: lines for main.cf, or another master.cf, beside the sound ones of `base`
(and filterd.toml where that matters), and the one finding. @ETC@ and @RUN@ are folders of the test. Where the finding
names a command it is carried out, and then nothing is wrong any more.
"""

import os
import shutil
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from filterd.app.diagnosing import postfix_findings
from filterd.app.site import load_config
from filterd.operations.doctor import Diagnosis, Level
from tests.support.daemon import COMMAND, toml
from tests.support.postfix import LONG_AGO
from tests.support.process import open_folder, require_program

CASES = Path(__file__).parents[1] / "cases" / "doctor"
NAMES = sorted(path.name for path in CASES.iterdir() if path.name != "base")


class Site:
    """A configuration of Postfix and one of filterd, with sockets that are there."""

    def __init__(self, folder: Path) -> None:
        """Copy what is sound."""
        self.etc, self.run, self.config = folder / "etc", folder / "run", folder / "filterd.toml"
        for path in (self.etc, self.run):
            path.mkdir()
        for name in ("main.cf", "master.cf"):
            (self.etc / name).write_text(self.filled((CASES / "base" / name).read_text()))
        self.settings: dict[str, dict[str, object]] = {
            "paths": {"state": str(folder / "state")},
            "milter": {"listen": f"unix:{self.run}/milter.sock"},
            "policy": {"listen": f"unix:{self.run}/policy.sock"},
        }

    def filled(self, text: str) -> str:
        """With the test's folders in it."""
        return text.replace("@RUN@", str(self.run)).replace("@ETC@", str(self.etc))

    def plant(self, case: Path) -> None:
        """Make one fault: a setting replaces the sound one of its name."""
        for path in case.iterdir():
            text = self.filled(path.read_text())
            if path.name == "main.cf":
                names = {line.partition(" =")[0] for line in text.splitlines()}
                kept = (self.etc / "main.cf").read_text().splitlines()
                kept = [line for line in kept if line.partition(" =")[0] not in names]
                text = "\n".join([*kept, text])
            elif path.name == "filterd.toml":
                for table, keys in tomllib.loads(text).items():
                    self.settings.setdefault(table, {}).update(keys)
                continue
            (self.etc / path.name).write_text(text)

    def age(self) -> None:
        """Every program of Postfix waits where main.cf was changed within the last seconds."""
        for name in ("main.cf", "master.cf"):
            os.utime(self.etc / name, LONG_AGO)

    def wrong(self) -> list[Diagnosis]:
        """What is found that is not as it should be."""
        self.config.write_text(toml(self.settings))
        self.age()
        found = list(postfix_findings(load_config(self.config), self.etc))
        assert all(bool(one.remedy) is (one.level is not Level.OK) for one in found)
        return [one for one in found if one.level is not Level.OK]


@pytest.fixture
def site() -> Iterator[Site]:
    """One that is sound."""
    require_program("postconf")
    with open_folder() as folder, ExitStack() as sockets:
        made = Site(folder)
        for name in ("milter.sock", "policy.sock"):
            server = sockets.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(str(made.run / name))
            (made.run / name).chmod(0o666)
        yield made


def test_a_sound_one(site: Site) -> None:
    """Nothing is wrong with it."""
    assert site.wrong() == []


@pytest.mark.threat("MTA-06", "MTA-25", "POL-05", "MTA-13")
@pytest.mark.parametrize("name", NAMES)
def test_fault(site: Site, name: str) -> None:
    """The fault is the one finding, and the command that it names mends it."""
    site.plant(CASES / name)
    expected = tomllib.loads(site.filled((CASES / name / "expect.toml").read_text()))
    (found,) = site.wrong()
    assert (found.level.value, found.subject) == (expected["level"], expected["subject"])
    assert expected["text"] in found.text
    if expected["remedy"]:
        assert found.remedy == expected["remedy"]
        subprocess.run(["sh", "-c", found.remedy], check=True, capture_output=True)
        assert site.wrong() == []
    else:
        assert not found.remedy.startswith("postconf")


@pytest.mark.threat("QUA-10")
@pytest.mark.parametrize(("mode", "what"), [(0o600, "may not write to"), (0o666, "cannot get to")])
def test_a_socket_that_postfix_cannot_open(site: Site, mode: int, what: str) -> None:
    """Its rights are looked at as Postfix' own user has them, and those of the folders above."""
    if os.geteuid():
        pytest.skip("only root can look as somebody else")
    (site.run / "milter.sock").chmod(mode)
    if what == "cannot get to":
        site.run.chmod(0o700)
    found = site.wrong()
    assert found[0].subject == "Postfix and [milter] listen"
    assert f"postfix {what}" in found[0].text
    assert found[0].level is Level.FAILED


def test_no_socket(site: Site) -> None:
    """Where filterd is not running the configuration is judged all the same."""
    (site.run / "policy.sock").unlink()
    (found,) = site.wrong()
    assert (found.level, found.remedy) == (Level.WARNING, "start filterd run")


def test_postconf_does_not_answer(site: Site) -> None:
    """A folder without main.cf is an error in postconf's words, and no set-up that is well."""
    shutil.rmtree(site.etc)
    site.config.write_text(toml(site.settings))
    command = [*COMMAND, "doctor", "--postfix", str(site.etc), "--config", str(site.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{site.etc}/main.cf: No such file" in done.stderr
