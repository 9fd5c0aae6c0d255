"""Rule texts: where things stand, in files that are right and in those that are not."""

from collections.abc import Callable
from random import Random

import pytest

from filterd.yarascan.grammar import Meta, Pattern, rules_in
from tests.support.growth import LINEAR, growth

TEXT = """import "pe" // rule no { condition: true }
/* rule neither { } */
private global rule first : tag { condition: true }

rule second : a b
{
    meta:
        owner = "a \\" b" // stage = "x"
        score = -4
        good = true
    strings:
        $a = "rule third {" nocase
        $b = /x}[\\/{]y\\//i
        $ = { 01 [2-4] /* } */ (02|03) }
    condition:
        first and any of them and filename matches /meta:/ and pe.number_of_sections \\ 2 > 1
}
"""

PIECES = (
    *(
        "rule ",
        "a",
        " : ",
        " {",
        "}",
        " meta:",
        " strings:",
        " condition:",
        " private ",
        " global ",
        "=",
        "/",
        "\\",
        "\n",
    ),
    *('"', "x", "/*", "*/", "//", "$a", "$", "-", "1", "[", "]", "\r", "\x00", "\udcff", 'stage = "test"', "import"),
)


def test_rules_with_their_parts() -> None:
    """Comments, strings, expressions and hex strings hide nothing and end nothing."""
    first, second = rules_in(TEXT)
    assert (first.name, first.line, first.private, sorted(first.modifiers)) == ("first", 3, True, ["global", "private"])
    assert TEXT[first.start : first.end] == "private global rule first : tag { condition: true }"
    assert (second.name, second.line, second.private) == ("second", 5, False)
    assert TEXT[second.start : second.end].endswith("> 1\n}")
    assert [(meta.key, meta.value, meta.quoted, meta.line) for meta in second.meta] == [
        ("owner", 'a \\" b', True, 8),
        ("score", "-4", False, 9),
        ("good", "true", False, 10),
    ]
    assert TEXT[second.meta[0].start : second.meta[0].end] == '"a \\" b"'
    assert second.patterns == (
        Pattern("$a", "text", '"rule third {"', 12),
        Pattern("$b", "regex", "/x}[\\/{]y\\//i", 13),
        Pattern("$", "hex", "{ 01 [2-4] /* } */ (02|03) }", 14),
    )
    assert {"first", "filename", "pe"} <= second.uses
    assert second.value("score") == "-4"
    assert second.value("nothing") == ""


def test_of_several_values_the_last_one_counts() -> None:
    """As YARA has it."""
    (rule,) = rules_in('rule a { meta: stage = "test" stage = "score" condition: true }')
    assert rule.value("stage") == "score"
    assert [type(meta) for meta in rule.meta] == [Meta, Meta]


@pytest.mark.parametrize(
    "text",
    ["", "rule", "rule a", "rule a {", "private", '"', "/", "/*", "rule {}", "rule a { meta: x = ", "rule a = {"],
)
def test_what_is_no_rule_gives_none(text: str) -> None:
    """Pieces of rules, as they stand in an editor; nothing raises."""
    assert rules_in(text) == ()


@pytest.mark.parametrize(
    "piece", ["rule a ", "rule a {", "rule a { meta: ", "/", '"\\', "/*", "={", "private ", "$a = /\\"]
)
def test_it_is_linear(piece: str) -> None:
    """Pieces that begin something and never end it."""

    def build(size: int) -> Callable[[], object]:
        text = piece * (size // len(piece))
        return lambda: rules_in(text)

    assert growth(build, 40_000) <= LINEAR


def test_pieces_in_any_order_raise_nothing() -> None:
    """Whatever a file holds, it is read to its end, and offsets stay within it."""
    random = Random(5)  # no secret: the same texts each time
    for _ in range(2_000):
        text = "".join(random.choices(PIECES, k=random.randrange(30)))
        for rule in rules_in(text):
            assert 0 <= rule.start < rule.body <= rule.end <= len(text)
            assert all(rule.body < meta.start < meta.end <= rule.end for meta in rule.meta)
