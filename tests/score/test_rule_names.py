from pathlib import Path

import pytest

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
    symbols, whole = yara_symbols(ROOT / "rules" / "yara")
    assert symbols == expected
    assert whole
