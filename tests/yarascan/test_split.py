"""A rule file as one file for each rule."""

import yara

from filterd.yarascan.split import split

TEXT = """import "math"
global rule always { condition: filesize > 0 }
private rule base { strings: $a = "x1x" condition: $a }
rule one { condition: base and math.abs(-1) == 1 }
rule two { condition: one or base }
rule three { condition: true }
"""


def test_each_rule_stands_on_what_it_needs() -> None:
    """Imports, global rules, and those it refers to, however far; each compiles by itself."""
    found = {name: [rule.identifier for rule in yara.compile(source=text)] for name, text in split(TEXT)}
    assert found == {
        "always": ["always"],
        "one": ["always", "base", "one"],
        "two": ["always", "base", "one", "two"],
        "three": ["always", "three"],
    }
