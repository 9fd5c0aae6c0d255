"""yara-x beside the compiler: what it says of lines, and rule files in one form."""

from datetime import date
from pathlib import Path

import pytest
import yara_x

from filterd.yarascan import yarax
from filterd.yarascan.grammar import rules_in
from filterd.yarascan.lint import lint
from filterd.yarascan.sources import RuleFile, read_files, read_paths

RULES = Path(__file__).resolve().parents[2] / "rules" / "yara"
UGLY = """rule a { meta: owner="o"
strings: $a="needle"   nocase
   // said by hand
condition:
  $a   and filename != "x  y" }"""
FORMED = """rule a
{
    meta:
        owner = "o"
    strings:
        $a = "needle" nocase
    // said by hand
    condition:
        $a and filename != "x  y"
}
"""


def file(text: str, name: str = "a") -> RuleFile:
    """A rule file."""
    return RuleFile(Path(f"{name}.yar"), name, text)


@pytest.mark.parametrize(
    ("strings", "line", "slow", "words"),
    [
        ("$a = { 01 [1-500] 02 }", 3, True, "yara-x: slow pattern"),
        ('$a = "a"', 3, True, "yara-x: slow pattern"),
        ('$a = "abc"\n condition: 2 of ($a) }\nrule y { strings: $a = "abc"', 4, False, "always false"),
    ],
)
def test_warnings_have_a_line(strings: str, line: int, slow: bool, words: str) -> None:  # noqa: FBT001  # what is expected
    """Slow patterns are told from all else."""
    found = yarax.remarks(file(f"rule x\n{{ strings:\n {strings}\n condition: $a }}"))
    assert (found[0].line, found[0].slow) == (line, slow)
    assert words in found[0].text


def test_what_the_successor_does_not_take_is_a_warning() -> None:
    """The compiler in use takes it: the file works, and will not for ever. Of one line is one warning."""
    found = yarax.remarks(file('rule a { condition: nosuch("x") }'))
    assert found[0].text.startswith("yara-x: its syntax is no longer taken: ")
    assert "\n" not in found[0].text


def test_lint_has_them_by_file_and_line(tmp_path: Path) -> None:
    """Beside those of the compiler, under the rule they stand in; a file that does not compile has its error alone."""
    (tmp_path / "a.yar").write_text("rule x {\n strings:\n  $a = { 01 [1-500] 02 }\n condition: $a }")
    (tmp_path / "b.yar").write_text("rule y { condition: nosuch }")
    found = [(Path(one.path).name, one.line, one.rule, one.kind) for one in lint(*_read(tmp_path)) if "-x:" in one.text]
    assert found == [("a.yar", 3, "x", "slow")]


def _read(folder: Path) -> tuple[tuple[RuleFile, ...], date]:
    return read_paths([folder])[0], date(2026, 1, 1)


def test_without_it_nothing_is_said_of_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the linter does not need it."""
    monkeypatch.setattr(yarax, "AVAILABLE", False)
    (tmp_path / "a.yar").write_text("rule x { strings: $a = { 01 [1-500] 02 } condition: $a }")
    assert not [one for one in lint(*_read(tmp_path)) if "yara-x" in one.text]
    assert yarax.library() is None


def test_formatting_changes_white_space_alone() -> None:
    """Comments and the blanks in texts stay; twice is as once; line ends become those of Unix."""
    assert yarax.formatted(file(UGLY)) == yarax.Formatted(FORMED)
    assert yarax.formatted(file(FORMED)) == yarax.Formatted(FORMED)
    assert yarax.formatted(file(FORMED.replace("\n", "\r\n"))).text == FORMED
    assert yarax.formatted(file("")).text == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rule a { condition: ", "a.yar:1: syntax error"),
        ('rule a { meta: x = "\udcff" condition: true }', "a.yar: "),
    ],
)
def test_what_cannot_be_formatted_is_left_as_it_is(text: str, words: str) -> None:
    """With its line where there is one."""
    found = yarax.formatted(file(text))
    assert (found.text, found.problem[: len(words)]) == ("", words)


def test_a_formatter_that_changes_more_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that says something else after it would be the worst that can happen."""

    class Wrong:
        """Writes another condition."""

        def __init__(self, **_style: object) -> None:
            """Take any style."""

        def format(self, _source: object, target: object) -> None:
            """As the real one is called."""
            getattr(target, "write")(b"rule a { condition: false }")  # noqa: B009  # a file

    monkeypatch.setattr(yara_x, "Formatter", Wrong)
    assert "more than white space" in yarax.formatted(file("rule a { condition: true }")).problem


@pytest.mark.parametrize("found", read_files(RULES)[0], ids=lambda found: found.namespace)
def test_the_shipped_rules_are_formatted(found: RuleFile) -> None:
    """And formatting has not lost one."""
    done = yarax.formatted(found)
    assert (done.text, done.problem) == (found.text, "")
    assert [rule.name for rule in rules_in(done.text)] == [rule.name for rule in rules_in(found.text)]


def test_the_difference_is_shown_as_diff_does() -> None:
    """With the file's name and what goes and comes."""
    shown = yarax.difference(file("rule a { condition: true }\n"), "rule a\n")
    assert shown == "--- a.yar\n+++ a.yar\n@@ -1 +1 @@\n-rule a { condition: true }\n+rule a\n"
