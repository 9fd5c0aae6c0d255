"""Another stage for a regex rule, in its own file."""

from pathlib import Path

import pytest

from filterd.operations.rules_stage import StageError, move
from filterd.regex.declarations import RegexRule, read_file

RULE = '[rules.REGEX_A]\ntarget = "subject"\npattern = "x"\nweight = 1.5\ndescription = "y"\n'
OTHER = RULE.replace("REGEX_A", "REGEX_B") + 'stage = "score"\n'


def rules(tmp_path: Path, text: str) -> tuple[RegexRule, ...]:
    """The rules of a file with that text."""
    path = tmp_path / "a.toml"
    with path.open("w", newline="") as file:
        file.write(text)
    return read_file(path)


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        (RULE + OTHER, "promote", RULE.replace("\n", '\nstage = "enforce"\n', 1) + OTHER),
        (RULE + "stage  =  'test' # new\n" + OTHER, "promote", RULE + 'stage  =  "shadow" # new\n' + OTHER),
        (OTHER + RULE + 'stage = "enforce"', "demote", OTHER + RULE + 'stage = "score"'),
        (RULE.replace("\n", "\r\n"), "demote", RULE.replace("\n", '\nstage = "shadow"\n', 1).replace("\n", "\r\n")),
    ],
)
def test_the_stage_alone_changes(tmp_path: Path, text: str, word: str, expected: str) -> None:
    """Where there is one it is replaced, else it comes first; line ends and comments stay."""
    moved = move(rules(tmp_path, text), "REGEX_A", word)
    path = tmp_path / "a.toml"
    assert path.read_bytes().decode() == expected
    assert moved["file"] == str(path)
    assert moved["after"] == next(rule.stage for rule in read_file(path) if rule.symbol == "REGEX_A")


@pytest.mark.parametrize(
    ("text", "word", "problem"),
    [
        (OTHER, "promote", "no rule 'REGEX_A'"),
        (RULE + 'stage = "test"\n', "demote", "REGEX_A is at stage test already, the first"),
        (RULE + 'floor = "reject"\n', "promote", "REGEX_A is at stage enforce already, the last"),
        (
            '[rules]\nREGEX_A = { target = "subject", pattern = "x", weight = 1, description = "y" }\n',
            "promote",
            "the stage cannot be written into this rule",
        ),
        (RULE.replace('"y"', '"""\nstage = "test"\n"""'), "promote", "the stage cannot be written into this rule"),
    ],
)
def test_what_cannot_be_done_changes_nothing(tmp_path: Path, text: str, word: str, problem: str) -> None:
    """And says why."""
    found = rules(tmp_path, text)
    with pytest.raises(StageError, match=problem):
        move(found, "REGEX_A", word)
    assert (tmp_path / "a.toml").read_text() == text


def test_one_of_two_is_not_chosen(tmp_path: Path) -> None:
    """The same symbol in two files is somebody's mistake."""
    found = rules(tmp_path, RULE)
    with pytest.raises(StageError, match="is in several places"):
        move([*found, *found], "REGEX_A", "promote")
