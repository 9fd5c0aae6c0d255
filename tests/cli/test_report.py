"""filterd report: what is shown, as text, as JSON and as a page, and what the exit says."""

import json
import os
import pty
import stat
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app
from filterd.quarantine import Journal, Place, open_quarantine
from tests.quarantine.samples import evidence, journal_row, raw

EVIL = "u@evil\x1b[2J\u202e<b>.test"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with a journal of two accepted messages and a hostile refused one, all of an hour ago."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    now = time.time() - 3_600
    with closing(Journal(folder / "journal.sqlite", clock=lambda: now)) as journal:
        for number in range(3):
            refused = number == 2
            changes = {"action": "reject", "code": "score", "sender": EVIL} if refused else {"action": "accept"}
            journal.record(journal_row(number, received=now + number, **changes))
    return folder


def run(state: Path, *arguments: str, more: str = "") -> Result:
    """One command on that state."""
    config = state.parent / "filterd.toml"
    config.write_text(f'[paths]\nstate = "{state}"\n{more}')
    return CliRunner().invoke(app, ["report", *arguments, "--config", str(config)])


def test_lines(state: Path) -> None:
    """The name of a table, then its cells, parted by tabs."""
    done = run(state)
    assert (done.exit_code, done.stderr) == (0, "")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert ["action", "accept", "2", "66.7 %", "handed on"] in lines
    assert ["action", "reject", "1", "33.3 %", "refused"] in lines
    assert ["total", "messages", "3"] in lines
    assert sorted(path.name for path in state.iterdir() if "quarantine" in path.name) == []  # looking makes nothing


def test_json(state: Path) -> None:
    """One object."""
    (line,) = run(state, "--json").stdout.splitlines()
    found = json.loads(line)
    assert (found["messages"], found["actions"]) == (3, {"accept": 2, "reject": 1})
    assert (found["held"], found["held_error"]) == ({"reasons": [], "symbols": {}, "partly": False}, "")


def test_since(state: Path) -> None:
    """What is older is left out; what is no time is wrong usage."""
    assert "total\tmessages\t0" in run(state, "--since", "10m").stdout
    assert run(state, "--since", "yesterday").exit_code == 2


def test_a_page(state: Path, tmp_path: Path) -> None:
    """It is written whole and for its owner alone, in place of an older one; nothing else is printed."""
    file = tmp_path / "report.html"
    file.write_text("old")
    done = run(state, "--html", str(file))
    assert (done.exit_code, done.stdout) == (0, "")
    assert file.read_text().startswith("<!DOCTYPE html>")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_page_and_json(state: Path, tmp_path: Path) -> None:
    """Both at once."""
    done = run(state, "--html", str(tmp_path / "report.html"), "--json")
    assert json.loads(done.stdout)["messages"] == 3
    assert (tmp_path / "report.html").exists()


def test_a_page_that_cannot_be_written(state: Path, tmp_path: Path) -> None:
    """Words and 1."""
    done = run(state, "--html", str(tmp_path / "nowhere" / "report.html"))
    assert done.exit_code == 1
    assert "No such file or directory" in done.stderr


@pytest.mark.threat("OPS-09")
@pytest.mark.parametrize("form", [(), ("--json",), ("--html", "report.html")])
def test_hostile_senders_are_escaped(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    """Whatever a stranger writes into an envelope is text in each of the forms."""
    monkeypatch.chdir(tmp_path)
    done = run(state, *form)
    text = (tmp_path / "report.html").read_text() if "--html" in form else done.stdout
    assert "evil" in text
    assert all(one.isprintable() or one in "\t\n" for one in text)
    assert "<b>" not in text or "--html" not in form


def test_held_mail(state: Path) -> None:
    """What is held is told with its reason."""
    with closing(open_quarantine(Place(), state / "quarantine")) as quarantine:
        quarantine.prepare()
        with raw() as message:
            quarantine.hold(evidence(), message)
    done = run(state, "--since", "2020-01-01", "--json")
    assert json.loads(done.stdout)["held"]["reasons"][0]["held"] == 1


def test_a_ledger_that_does_not_answer(state: Path) -> None:
    """What the journal has is shown, the failure is told, and the exit is 1: nothing is not what is not known."""
    done = run(state, "--json", more=f'[quarantine]\nurl = "postgresql://nobody@/none?host={state}"\n')
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert (found["messages"], found["held"]) == (3, None)
    assert found["held_error"]
    assert "nothing is known of held mail" in done.stderr


def test_a_journal_that_cannot_be_read(state: Path) -> None:
    """Words and 1."""
    (state / "journal.sqlite").write_bytes(b"no database at all" * 100)
    done = run(state)
    assert done.exit_code == 1
    assert done.stderr.startswith("journal: ")


def test_progress_is_for_who_looks_on(state: Path) -> None:
    """On a terminal standard error says how much is read; what is printed is the same as without one."""
    quiet = run(state, "--json").stdout
    reader, writer = pty.openpty()
    command = [sys.executable, "-m", "filterd", "report", "--json", "--config", str(state.parent / "filterd.toml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=writer) as process:
        assert process.stdout is not None
        told = process.stdout.read()
    os.close(writer)
    seen = b""
    with suppress(OSError), closing(os.fdopen(reader, "rb", buffering=0)) as terminal:  # EIO where nobody writes more
        while piece := terminal.read(1_024):
            seen += piece
    assert process.returncode == 0
    assert b"3 verdicts read" in seen
    assert json.loads(told)["actions"] == json.loads(quiet)["actions"]
