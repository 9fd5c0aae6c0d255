"""What the log says of Python and packages when the daemon starts."""

import os
from pathlib import Path

import pytest
import structlog

from filterd.app.environment import warn_of_environment
from filterd.operations import environment
from filterd.operations.doctor import Level
from tests.support.daemon import Filterd
from tests.support.process import open_folder

pytestmark = pytest.mark.threat("OPS-08")

FLOORS = 'as_of = "2026-01-01"\n[branches]\n'


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the two tables are read."""
    (tmp_path / "floors.toml").write_text(FLOORS)
    (tmp_path / "packages.toml").write_text("")
    monkeypatch.setattr(environment, "DATA", tmp_path)
    return tmp_path


def said(uid: int) -> list[dict[str, object]]:
    """What is logged by a daemon of that user."""
    with structlog.testing.capture_logs() as lines, pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.geteuid", lambda: uid)
        warn_of_environment()
    return [dict(line) for line in lines]


def test_each_is_a_line_with_what_to_do(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter below the floor, and a package of another version."""
    monkeypatch.setattr("sys.base_prefix", "/opt/python")
    monkeypatch.setattr("sys.version_info", (3, 11, 3))
    (data / "floors.toml").write_text(f'{FLOORS}"3.11" = {{ floor = "3.11.16", until = "9999-12-31" }}\n')
    (data / "packages.toml").write_text('redis = "0.1"\n')
    python, packages = said(1)
    assert (python["event"], python["log_level"]) == ("environment", "warning")
    assert python["cause"] == "Python 3.11.3 is older than 3.11.16, which mends known holes"
    assert str(packages["cause"]).endswith("(checked: 0.1)")
    assert python["remedy"]
    assert packages["remedy"]


@pytest.mark.usefixtures("data")
def test_nothing_is_said_where_all_is_well() -> None:
    """No line at all."""
    assert said(1) == []


@pytest.mark.threat("OPS-03")
@pytest.mark.usefixtures("data")
def test_root_is_warned_of() -> None:
    """With what to set."""
    (line,) = said(0)
    assert line["cause"] == "the daemon runs as root, which it needs for nothing"
    assert str(line["remedy"]).startswith("set [paths] user")


@pytest.mark.integration
def test_a_daemon_says_it_before_it_serves() -> None:
    """As many warnings as this machine gives reason for, and it starts."""
    expected = [one for one in environment.check_environment() if one.level is not Level.OK]
    with open_folder() as folder, Filterd(folder, {"milter": {"workers": 1}}) as daemon:
        events = [str(event["event"]) for event in daemon.events()]
        assert events.count("environment") == len(expected) + (os.geteuid() == 0)
        assert "environment" not in events[events.index("started") :]
