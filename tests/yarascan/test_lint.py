"""rules check: every complaint with its file and line."""

from datetime import date
from pathlib import Path

import pytest

from filterd.yarascan import check as checking
from filterd.yarascan.lint import lint
from filterd.yarascan.sources import RuleFile, read_paths

DAY = date(2026, 6, 1)
GOOD = """rule good {
  meta:
    description = "d"
    owner = "o"
    severity = "low"
    stage = "score"
    score = 1
  strings:
    $a = "needle"
  condition: $a
}
"""


def complaints(folder: Path, **files: str) -> list[str]:
    """What is said of these files (name without suffix), without the directory."""
    for name, text in files.items():
        (folder / f"{name}.yar").write_text(text)
    found, problems = read_paths([folder])
    assert problems == ()
    told = [f"{one.path}:{one.line}: {one.severity} {one.kind} {one.rule}: {one.text}" for one in lint(found, DAY)]
    return [text.replace(f"{folder}/", "") for text in told]


def test_a_good_rule_is_not_complained_of(tmp_path: Path) -> None:
    """Nothing is said where nothing is wrong, and private rules want no metadata."""
    assert complaints(tmp_path, a=GOOD, b="private rule p { condition: filesize > 9 }") == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("$a = ", "$b = ", "a.yar:11: error syntax good: undefined string"),
        ("rule good", 'import "cuckoo"\nrule good', "a.yar:0: error module : imports what rules may not have: cuckoo"),
        ("rule good", 'include "x"\nrule good', "a.yar:1: error module : includes are disabled"),
        ('"needle"', "/needle.*x/", "a.yar:9: warning slow good: $a: .* repeats without an upper bound"),
        ('"needle"', '"a"', "a.yar:9: warning slow good: $a: shorter than 3 bytes"),
        ('    owner = "o"\n', "", "a.yar:1: warning metadata good: meta lacks owner"),
        ('"score"', '"live"', "a.yar:6: error metadata good: stage: expected one of test, shadow, score, enforce"),
        ('"low"', '"dire"', "a.yar:5: error metadata good: severity: expected one of low, medium, high, got 'dire'"),
        ("score = 1", 'score = "x"', "a.yar:7: error metadata good: score: expected a number of at most 100, got 'x'"),
        ("score = 1", 'action = "kill"', "a.yar:7: error metadata good: action: expected one of accept,"),
        ("score = 1", 'symbol = "SPF_PASS"', "a.yar:7: error metadata good: symbol: expected YARA_ and capitals"),
        ("score = 1", 'expires = "soon"', "a.yar:7: error metadata good: expires: expected a date as 2026-12-31"),
        ("score = 1", 'expires = "2026-05-31"', "a.yar:1: warning metadata good: expired 2026-05-31"),
        ("    score = 1\n", "", "a.yar:1: warning metadata good: has no score"),
        ('"score"', '"enforce"', "a.yar:1: warning metadata good: stage is enforce, and there is no action"),
    ],
)
def test_every_complaint(tmp_path: Path, old: str, new: str, words: str) -> None:
    """Syntax, modules, patterns and metadata, each where it stands."""
    assert GOOD.count(old) == 1
    assert any(told.startswith(words) for told in complaints(tmp_path, a=GOOD.replace(old, new)))


def test_names_that_are_shared(tmp_path: Path) -> None:
    """Of two rules with one name nobody knows which is meant, in one file or in two."""
    told = complaints(tmp_path, a=GOOD, b=GOOD)
    assert told == ["b.yar:1: error duplicate good: rule good is also in a.yar:1"]
    (tmp_path / "a.yara").write_text("rule other { condition: true }")
    assert any("has the same name without suffix as" in text for text in complaints(tmp_path))


def test_a_rule_that_ends_the_compiler_ends_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said of that file, and the others are looked at."""
    real = checking.check

    def crash(file: RuleFile) -> tuple[str, bytes]:
        if file.namespace == "a":
            raise SystemError
        return real(file)

    monkeypatch.setattr(checking, "check", crash)
    told = complaints(tmp_path, a=GOOD, b=GOOD.replace("good", "fine").replace('"low"', '"dire"'))
    assert told[0] == "a.yar:0: error syntax : ended the compiler (crash, time or memory limit)"
    assert told[1].startswith("b.yar:5: error metadata fine: severity")
