"""Asking the process that reads rule files."""

from pathlib import Path

import pytest

from filterd.operations import rules
from filterd.operations.rules import RulesCommandError, ask, next_step

pytestmark = pytest.mark.integration  # starts processes


def test_rows_come_as_they_are_said(tmp_path: Path) -> None:
    """One object a line."""
    (tmp_path / "a.yar").write_text("rule one { condition: true } rule two { condition: true }")
    assert [row["rule"] for row in ask("list", [str(tmp_path)])] == ["one", "two"]


def test_a_failure_is_said_in_words(tmp_path: Path) -> None:
    """Of what was asked, and where the process itself does not come up."""
    with pytest.raises(RulesCommandError, match="no such file or directory"):
        list(ask("list", [str(tmp_path / "none")]))
    with pytest.raises(RulesCommandError, match="expected one of check, test, list"):
        list(ask("sing", []))


def test_whoever_stops_asking_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not go on for nobody, and nothing is left to wait for."""
    (tmp_path / "endless.py").write_text("import time\nprint('{}', flush=True)\ntime.sleep(600)\n")
    monkeypatch.setattr(rules, "_CODE", str(tmp_path))
    monkeypatch.setattr(rules, "MODULE", "endless")
    rows = ask("list", [])
    assert next(rows) == {}
    rows.close()  # type: ignore[attr-defined]  # a generator behind an iterator


@pytest.mark.parametrize(
    ("after", "score", "action", "words"),
    [
        ("test", "3", "", "only counted"),
        ("shadow", "3", "", "weighs nothing"),
        ("score", "3", "", "adds 3 points"),
        ("score", "", "", "has no score yet"),
        ("enforce", "3", "reject", "sets reject, whatever the score"),
        ("enforce", "3", "", "has no action to set yet"),
    ],
)
def test_what_comes_next(after: str, score: str, action: str, words: str) -> None:
    """For every stage, and for what the rule lacks there."""
    assert words in next_step({"after": after, "score": score, "action": action, "file": "a.yar"})
