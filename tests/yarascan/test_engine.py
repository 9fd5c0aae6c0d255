"""A set over a stream: hits as values, and never a scan that seems to have come to its end."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yara

from filterd.model.inspection import RuleHit
from filterd.yarascan.engine import MAX_DETAILED, MAX_STRINGS, Engine, Scan, symbol_of
from filterd.yarascan.externals import EXTERNALS
from filterd.yarascan.load import RuleSet, load_rules

NEEDLE = """
rule needle {
    meta:
        symbol = "YARA_NEEDLE"
        score = 3
        exact = true
    strings:
        $a = "needle"
        $b = { 00 01 }
    condition:
        any of them
}
"""
# Nothing to do on the canary; on what begins with "X" no end.
LOOP = "for any i in (1..filesize) : (for any j in (1..filesize) : (i * j < 0))"
SLOW = f"rule slow {{ condition: uint8(0) == 0x58 and {LOOP} }}"


def engine(clock: Callable[[], float] | None = None, **texts: str) -> Engine:
    """An engine over these files."""
    with tempfile.TemporaryDirectory() as name:
        for file, text in texts.items():
            (Path(name) / f"{file}.yar").write_text(text)
        rule_set = load_rules(Path(name))
    assert rule_set.problems == ()
    return Engine(rule_set) if clock is None else Engine(rule_set, clock=clock)


class TooSlow:
    """A joint set that never comes to an end."""

    def match(self, **_: object) -> None:
        """Time is over."""
        raise yara.TimeoutError("scanning timed out")


def alone(text: str) -> bytes:
    """One file's compiled rules."""
    out = io.BytesIO()
    yara.compile(source=text, externals=EXTERNALS).save(file=out)
    return out.getvalue()


def test_a_hit_says_rule_file_part_strings_and_metadata() -> None:
    """Everything that weighing and explaining need, unprintable bytes escaped."""
    assert engine(family=NEEDLE).scan(b"a needle\0\1", {"filepath": "1.2/x"}, 10) == Scan(
        (
            RuleHit(
                "needle",
                "family",
                "YARA_NEEDLE",
                "1.2/x",
                ("$a at 2: b'needle'", "$b at 8: b'\\x00\\x01'"),
                {"symbol": "YARA_NEEDLE", "score": 3, "exact": True},
            ),
        )
    )


def test_nothing_found_and_no_rules_at_all() -> None:
    """Both come to an end without hits."""
    assert engine(a=NEEDLE).scan(b"hay", {}, 10) == Scan()
    assert Engine(RuleSet(None, "id")).scan(b"needle", {}, 10) == Scan()


def test_a_view_is_scanned_without_a_copy() -> None:
    """A part is a slice of the message."""
    assert len(engine(a=NEEDLE).scan(memoryview(b"xx needle")[1:], {}, 10).hits) == 1


@pytest.mark.parametrize(
    ("declared", "symbol"),
    [
        ("YARA_X9", "YARA_X9"),
        (None, "YARA_MY_RULE"),
        ("DNSWL_HIGH", "YARA_MY_RULE"),
        ("YARA_small", "YARA_MY_RULE"),
        ("YARA_", "YARA_MY_RULE"),
        ("YARA_A\nB", "YARA_MY_RULE"),
        ("YARA_" + "X" * 60, "YARA_MY_RULE"),
        (7, "YARA_MY_RULE"),
    ],
)
def test_a_symbol_is_the_rules_own(declared: str | int | None, symbol: str) -> None:
    """What is not YARA_ and capitals could be a check's, and is not taken."""
    assert symbol_of("my_rule", {} if declared is None else {"symbol": declared}) == symbol


@pytest.mark.threat("RES-10")
def test_a_slow_rule_is_named_and_the_others_hits_are_kept() -> None:
    """One rule without end is told; a rule beside it has matched all the same."""
    found = engine(good=NEEDLE, slow=SLOW).scan(b"X needle " + bytes(2_000_000), {"filepath": "1"}, 4)
    assert [hit.symbol for hit in found.hits] == ["YARA_NEEDLE"]
    assert found.hits[0].namespace == "good"
    assert (found.cut, found.slow, found.unasked) == ("too slow: slow", ("slow",), 0)


@pytest.mark.threat("RES-10")
def test_files_for_which_no_time_is_left_are_counted() -> None:
    """What was not asked has not answered no."""
    ticks = iter([0.0, 0.0, 1.0, 2.0, 3.0, 4.0])
    rule_set = RuleSet(TooSlow(), "id", (), {name: alone(NEEDLE) for name in "abcde"})
    found = Engine(rule_set, clock=lambda: next(ticks)).scan(b"needle", {}, 2.5)
    assert (len(found.hits), found.cut) == (3, "too slow together; 2 files not asked")


def test_files_that_are_slow_only_together_are_a_whole_scan() -> None:
    """All were asked, all answered."""
    found = Engine(RuleSet(TooSlow(), "id", (), {"a": alone(NEEDLE)})).scan(b"needle", {}, 10)
    assert (len(found.hits), found.cut) == (1, "")


def test_the_least_time_is_a_second() -> None:
    """Libyara takes whole seconds, and none as for ever."""
    assert engine(slow=SLOW).scan(b"X" + bytes(2_000_000), {}, 0.01).cut == "too slow together; 1 files not asked"


def test_rules_see_the_external_variables() -> None:
    """Names, types and sizes of the stream; undeclared names do no harm."""
    rule = 'rule external { condition: filename == "a.exe" and depth > 1 and size == 9 and extension == "exe" }'
    externals: dict[str, str | int] = {"filename": "a.exe", "depth": 2, "size": 9, "extension": "exe", "novel": 1}
    assert len(engine(a=rule).scan(b"x", externals, 10).hits) == 1
    assert engine(a=rule).scan(b"x", {}, 10) == Scan()


@pytest.mark.parametrize("externals", [{"depth": "deep"}, {"filename": "\udcff"}, {"size": 1 << 70}])
def test_values_that_libyara_refuses_are_no_clean_scan(externals: dict[str, str | int]) -> None:
    """A wrong type, half a surrogate, an enormous number: cut short, not an exception."""
    found = engine(a=NEEDLE).scan(b"needle", externals, 10)
    assert (found.hits, found.cut != "") == ((), True)


def test_a_million_matches_of_a_string_are_a_hit() -> None:
    """Libyara's own limit is reached without a warning or an error."""
    rule = 'rule many { strings: $a = "a" condition: #a > 1000 }'
    found = engine(a=rule).scan(b"a" * 1_100_000, {}, 20)
    assert ([hit.rule for hit in found.hits], found.cut) == (["many"], "")


def test_a_file_that_matches_everything_hides_no_rule() -> None:
    """However many rules match, each is a hit; only the first ones and few strings of each are shown."""
    strings = " ".join(f'$s{number} = "needle"' for number in range(5))
    texts = "\n".join(f"rule r{n} {{ strings: {strings} condition: any of them }}" for n in range(MAX_DETAILED + 50))
    found = engine(a=texts).scan(b"needle", {}, 10)
    assert [len(hit.strings) for hit in found.hits] == [MAX_STRINGS] * MAX_DETAILED + [0] * 50


def test_text_of_a_rule_can_always_be_sent() -> None:
    """What is no UTF-8 in its metadata is left out."""
    found = engine(a='rule odd { meta: text = "a\\xff\\xed\\xa0\\x80b" condition: true }').scan(b"x", {}, 10)
    assert found.hits[0].meta == {"text": "ab"}


def test_a_rule_that_prints_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Had the module got past the list, its output would still go nowhere."""
    rules = yara.compile(source='import "console" rule a { condition: console.log("hostile") }')
    assert len(Engine(RuleSet(rules, "id")).scan(b"x", {}, 10).hits) == 1
    assert capfd.readouterr().out == ""
