from collections.abc import Iterator
from pathlib import Path

import pytest

from filterd.score import rule_names
from filterd.score.rule_names import symbols_in, yara_symbols
from filterd.yarascan.engine import symbol_of
from filterd.yarascan.grammar import rules_in

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("rule one { condition: true }", ["YARA_ONE"]),
        ('rule one : tag { meta: symbol = "YARA_OTHER" condition: true }', ["YARA_OTHER"]),
        ('rule one { meta: symbol = "SPF_PASS" condition: true }', ["YARA_ONE"]),
        ("private rule one { condition: true } global rule two { condition: one }", ["YARA_TWO"]),
        ("// rule one\n/* rule two */ rule three { condition: true }", ["YARA_THREE"]),
        ('rule one { strings: $a = "rule two" $b = /rule three/ condition: any of them }', ["YARA_ONE"]),
        ("/* rule one", []),
        ('"rule one', []),
    ],
)
def test_the_symbols_of_a_file(text: str, symbols: list[str]) -> None:
    """Of rules that report one, under the name that a hit would have."""
    assert list(symbols_in(text)) == symbols


def test_the_shipped_files_read_as_the_grammar_reads_them() -> None:
    """This quick look and the reader of rules agree."""
    files = sorted((ROOT / "rules" / "yara").glob("*.yar"))
    rules = [rule for path in files for rule in rules_in(path.read_text()) if not rule.private]
    expected = {symbol_of(rule.name, {one.key: one.value for one in rule.meta}) for rule in rules}
    assert yara_symbols(ROOT / "rules" / "yara", {*expected, "YARA_NOBODY"}) == (frozenset(expected), True)


def test_only_files_that_may_have_one_are_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples never are; a file that cannot be read makes the answer doubtful."""
    looked: list[str] = []

    def noted(text: str) -> Iterator[str]:
        looked.append(text)
        return symbols_in(text)

    monkeypatch.setattr(rule_names, "symbols_in", noted)
    (tmp_path / "a.samples").mkdir()
    for name, text in {"a.yar": "rule One {}", "b.yara": "rule two {}", "a.samples/c.yar": "rule one {}"}.items():
        (tmp_path / name).write_text(text)
    assert yara_symbols(tmp_path, ["YARA_ONE", "YARA_THREE"]) == (frozenset({"YARA_ONE"}), True)
    assert looked == ["rule One {}"]
    (tmp_path / "gone.yar").symlink_to("nowhere")
    assert yara_symbols(tmp_path, ["YARA_ONE"]) == (frozenset({"YARA_ONE"}), False)
