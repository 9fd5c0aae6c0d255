"""filterd doctor --postfix and --sendmail: what is printed, and with which exit code it ends."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app

CF = """O InputMailFilters=filterd
O DaemonPortOptions=Name=MTA, Port=25
O DaemonPortOptions=Name=release, Addr=127.0.0.1, Port=10026, InputMailFilters=
O MaxHeadersLength=60000
O MaxMessageSize=50000000
Xfilterd, S=inet:8891@127.0.0.1, F=T, T=S:30s;R:90s;E:120s
"""


def doctor(folder: Path, *arguments: str, cf: str = CF) -> Result:
    """The command, with a configuration of its own."""
    (folder / "sendmail.cf").write_text(cf)
    (folder / "filterd.toml").write_text('[milter]\nlisten = "inet:8891@127.0.0.1"\n')
    return CliRunner().invoke(app, ["doctor", *arguments, "--config", str(folder / "filterd.toml")])


def test_a_sound_one(tmp_path: Path) -> None:
    """Exit code 0, and one line for each thing that was looked at."""
    done = doctor(tmp_path, "--sendmail", str(tmp_path))
    assert done.exit_code == 0
    assert {line.split("\t")[0] for line in done.stdout.splitlines()} == {"ok"}


@pytest.mark.threat("MTA-06")
def test_a_dangerous_one(tmp_path: Path) -> None:
    """Exit code 1, the risk in words, and the line to write."""
    done = doctor(tmp_path, "--sendmail", str(tmp_path / "sendmail.cf"), cf=CF.replace("F=T, ", ""))
    assert done.exit_code == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("failed")]
    assert "mail passes unfiltered while filterd is down\tin sendmail.mc: INPUT_MAIL_FILTER(`filterd'" in line


def test_json(tmp_path: Path) -> None:
    """One object a line, with the four words that doctor's have."""
    done = doctor(tmp_path, "--sendmail", str(tmp_path), "--json", cf=CF.replace("60000", "0"))
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {tuple(sorted(one)) for one in found} == {("level", "remedy", "subject", "text")}
    assert [one["subject"] for one in found if one["level"] == "warning"] == ["Sendmail MaxHeadersLength"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--postfix", "--sendmail"], 2, "expected one of --postfix and --sendmail"),
        (["/etc/postfix"], 2, "expected --postfix or --sendmail before /etc/postfix"),
        (["--sendmail", "/nowhere"], 1, "/nowhere: No such file"),
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, arguments: list[str], code: int, text: str) -> None:
    """Usage is exit code 2, a file that is not there 1, each in words."""
    done = doctor(tmp_path, *arguments)
    assert done.exit_code == code
    assert text in " ".join(done.output.replace("\u2502", " ").split())


def test_no_postfix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without Postfix is told so."""
    monkeypatch.setattr("filterd.operations.postconf.MAIN", tmp_path / "main.cf")
    done = doctor(tmp_path, "--postfix")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no Postfix here" in done.stderr
