"""filterd learn evaluate: what is printed, drawn and refused."""

import json
import random
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filterd.cli import app

WORDS = {
    "spam": ["pills", "casino", "winner", "cheap", "offer", "click", "credit"],
    "ham": ["meeting", "minutes", "patch", "review", "lunch"],
}


def run(index: Path, *arguments: str) -> Result:
    """One command, with a state of its own."""
    config = index.parent / "filterd.toml"
    config.write_text(f'[paths]\nstate = "{index.parent / "state"}"\n')
    return CliRunner().invoke(app, ["learn", "evaluate", str(index), *arguments, "--config", str(config)])


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Sixty messages of two kinds."""
    chance = random.Random(1)
    lines = []
    for number in range(60):
        kind = "spam" if number % 2 else "ham"
        text = " ".join(chance.choices(WORDS[kind], k=30))
        (tmp_path / f"{number}.eml").write_text(f"From: a{number}@x.test\nSubject: {text[:9]}\n\n{text}\n")
        lines.append(f"{kind} {number}.eml\n")
    path = tmp_path / "index"
    path.write_text("".join(lines))
    return path


@pytest.mark.integration
@pytest.mark.parametrize("layers", ["classifier", "rules", "all"])
def test_json_has_what_scripts_read(index: Path, layers: str) -> None:
    """One line, for each choice of layers."""
    done = run(index, "--json", "--shuffle", "--seed", "3", "--layers", layers)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["messages"], found["spam"], found["ham"]) == (60, 30, 30)
    assert found["seconds"] > 0
    if layers == "classifier":
        assert found["one_minus_auc_percent"] < 20
        assert {"features", "judging", "learning"} <= found["ms"].keys()


@pytest.mark.integration
def test_text_and_picture(index: Path, tmp_path: Path) -> None:
    """Figures, the learning curve in lines, and as PNG where it is wanted."""
    picture = tmp_path / "curve.png"
    done = run(index, "--train-first", "20", "--plot", str(picture))
    assert done.exit_code == 0, done.output
    assert "40 messages judged: 20 ham, 20 spam" in done.stdout
    assert "(1-AUC)" in done.stdout
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_picture_needs_matplotlib(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before anything is read."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = run(index, "--plot", "x.png")
    assert done.exit_code == 1
    assert "filterd[plot]" in done.output


def test_an_index_that_is_none_is_refused(index: Path) -> None:
    """With the line, or that there is nothing in it."""
    index.write_text("perhaps 1.eml\n")
    assert ":1: expected spam or ham and a path" in run(index).output
    index.write_text("\n")
    done = run(index)
    assert done.exit_code == 1
    assert "no messages" in done.output
