"""Which Python and which packages are warned of."""

import sys
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from filterd.operations.doctor import Level
from filterd.operations.environment import (
    DATA,
    SHOWN,
    Python,
    check_environment,
    check_packages,
    check_python,
    installed,
)

pytestmark = pytest.mark.threat("OPS-08")

FLOORS: Mapping[str, Any] = {
    "as_of": "2026-08-13",
    "branches": {"3.11": {"floor": "3.11.16", "until": "2027-10-31"}},
}
TODAY = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("release", "prefix", "today", "level", "words"),
    [
        ((3, 11, 15), "/usr/local", TODAY, Level.WARNING, "is older than 3.11.16, which mends known holes"),
        ((3, 11, 9), "/opt/python", TODAY, Level.WARNING, "is older than 3.11.16"),
        ((3, 11, 16), "/usr/local", TODAY, Level.OK, "has what was mended until 2026-08-13"),
        ((3, 11, 17), "/usr/local", TODAY, Level.OK, "has what was mended"),
        ((3, 11, 2), "/usr", TODAY, Level.OK, "is the distribution's"),
        ((3, 99, 0), "/usr/local", TODAY, Level.OK, "is of a branch that was not there on 2026-08-13"),
        ((3, 11, 99), "/usr/local", date(2027, 10, 31), Level.OK, "has what was mended"),
        ((3, 11, 99), "/usr/local", date(2027, 11, 1), Level.WARNING, "is mended by nobody since 2027-10-31"),
    ],
)
def test_an_interpreter(release: tuple[int, ...], prefix: str, today: date, level: Level, words: str) -> None:
    """Below its branch's floor, or past its branch's last day; a distribution mends and keeps the number."""
    found = check_python(Python(release, prefix), FLOORS, today)
    assert found.level is level
    assert found.text.startswith(words)
    assert bool(found.remedy) == (level is Level.WARNING)


def test_the_table_can_be_read() -> None:
    """Floors are releases of their branches, days are days, and the branch of Debian 12 is among them."""
    table = tomllib.loads((DATA / "floors.toml").read_text())
    assert date.fromisoformat(table["as_of"]) <= datetime.now(UTC).date()
    assert "3.11" in table["branches"]
    for branch, entry in table["branches"].items():
        found = check_python(Python((*_numbers(branch), 0), "/usr/local"), table, date(2000, 1, 1))
        assert found.level is Level.WARNING
        assert entry["floor"].startswith(f"{branch}.")
        assert _numbers(entry["floor"])[2] > 0
        assert date.fromisoformat(entry["until"]).day == 31


def _numbers(text: str) -> tuple[int, ...]:
    return tuple([int(part) for part in text.split(".")])


def test_packages_of_other_versions_are_named() -> None:
    """With the version that was checked; what is not installed (an extra), or not needed, is no matter."""
    checked = {"redis": "8.1.0", "msgspec": "0.20.0", "psycopg": "3.3.9"}
    found = check_packages({"redis": "8.0.1", "msgspec": "0.20.0", "flask": "3"}, checked)
    assert found.level is Level.WARNING
    assert found.text == "are not those that this release was checked with: redis 8.0.1 (checked: 8.1.0)"
    assert "--require-hashes -r requirements.lock" in found.remedy
    assert check_packages({"redis": "8.1.0"}, checked).level is Level.OK


def test_many_other_packages_are_a_number() -> None:
    """A line of the log stays one that can be read."""
    checked = {f"package-{number:02}": "1" for number in range(SHOWN + 3)}
    found = check_packages(dict.fromkeys(checked, "2"), checked)
    assert found.text.endswith(f"package-{SHOWN - 1:02} 2 (checked: 1) and 3 more")


def test_installed_packages_are_found_as_python_finds_them(tmp_path: Path) -> None:
    """The first folder of the path that has one, by the name that all spellings come to; folders that are not there."""
    for place in ("a/Ruamel.Yaml_clib-0.2.12.dist-info", "b/ruamel_yaml_clib-0.1.dist-info", "b/redis-8.1.0.dist-info"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "b" / "redis").mkdir()
    folders = [str(tmp_path / "none"), str(tmp_path / "a"), str(tmp_path / "b")]
    assert installed(folders) == {"ruamel-yaml-clib": "0.2.12", "redis": "8.1.0"}


def test_this_environment_is_the_checked_one() -> None:
    """What `make setup` has made has the versions of the lock."""
    python, packages = check_environment()
    assert python.subject == f"Python {'.'.join([str(part) for part in sys.version_info[:3]])}"
    assert packages.text == "are those that this release was checked with"
