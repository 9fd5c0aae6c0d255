"""Another stage for a rule: that one value changes in its file, and nothing else."""

from pathlib import Path

import pytest
import yara

from filterd.yarascan.promotion import PromotionError, move
from filterd.yarascan.sources import read_paths

RULE = (
    b'// \xff stage = "test"\r\nrule a {\r\n\tmeta:\r\n\t\tx = 1\r\n\t\tstage = "shadow" // here\r\n'
    b"\tcondition: true\r\n}"
)


def moved(path: Path, name: str, steps: int = 1) -> tuple[str, str, bytes]:
    """Stage before and after, and what the file holds then."""
    done = move(read_paths([path])[0], name, steps)
    return done.before, done.after, path.read_bytes()


def test_only_the_stage_changes(tmp_path: Path) -> None:
    """Line ends, tabs, comments and bytes that are no text stay; so does the file's mode."""
    path = tmp_path / "a.yar"
    path.write_bytes(RULE)
    path.chmod(0o640)
    assert moved(path, "a") == ("shadow", "score", RULE.replace(b'"shadow"', b'"score"'))
    assert moved(path, "a", -1) == ("score", "shadow", RULE)
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.yar"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "rule a {\n  meta:\n    x = 1\n  condition: true }",
            'rule a {\n  meta:\n    x = 1\n    stage = "enforce"\n  condition: true }',
        ),
        ("rule a { meta: x = 1 condition: true }", 'rule a { meta: x = 1\n        stage = "enforce" condition: true }'),
        (
            "rule a {\n  condition: true }",
            'rule a {\n    meta:\n        stage = "enforce"\n  condition: true }',
        ),
    ],
)
def test_a_rule_without_a_stage_gets_one(tmp_path: Path, before: str, after: str) -> None:
    """Behind its last entry, or in a section of its own; it still compiles."""
    path = tmp_path / "a.yar"
    path.write_text(before)
    assert moved(path, "a") == ("score", "enforce", after.encode())
    assert next(iter(yara.compile(source=path.read_text()))).meta["stage"] == "enforce"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Rules directories are often linked from a checkout: the file behind the link changes."""
    (tmp_path / "real").mkdir()
    path = tmp_path / "real" / "a.yar"
    path.write_bytes(RULE)
    link = tmp_path / "a.yar"
    link.symlink_to(path)
    moved(link, "a")
    assert link.is_symlink()
    assert b'"score"' in path.read_bytes()


@pytest.mark.parametrize(
    ("text", "name", "steps", "words"),
    [
        ("rule a { condition: true }", "b", 1, "no rule 'b'"),
        ("rule a { condition: true } rule a { condition: true }", "a", 1, "a is in several places"),
        ("private rule a { condition: true }", "a", 1, "a is private"),
        ('rule a { meta: stage = "enforce" condition: true }', "a", 1, "a is at stage enforce already, the last"),
        ('rule a { meta: stage = "test" condition: true }', "a", -1, "a is at stage test already, the first"),
    ],
)
def test_what_cannot_be_moved(tmp_path: Path, text: str, name: str, steps: int, words: str) -> None:
    """It is said, and the file stays as it was."""
    path = tmp_path / "a.yar"
    path.write_text(text)
    with pytest.raises(PromotionError, match=words):
        moved(path, name, steps)
    assert path.read_text() == text
