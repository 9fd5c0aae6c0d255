from pathlib import Path

import pytest
import re2

from filterd.regex import engine
from filterd.regex.declarations import RegexRule, Target
from filterd.regex.engine import Regexes, Seen, load_regexes

FILE = Path("a.toml")


def rule(symbol: str, pattern: str, target: Target = Target.BODY, header: str = "", path: Path = FILE) -> RegexRule:
    """A rule that weighs a point."""
    return RegexRule(symbol, target, pattern, 1.0, "x", header, path=path, namespace=path.stem)


def seen(**values: object) -> Seen:
    """A message that has nothing else."""
    return Seen(**{"header": lambda _: (), **values})  # type: ignore[arg-type]  # the caller's values


@pytest.mark.parametrize(
    ("target", "header", "values", "place"),
    [
        (
            Target.HEADER,
            "X-Word",
            {"header": lambda name: ["a", "the word"] if name == b"x-word" else []},
            "header x-word",
        ),
        (Target.SUBJECT, "", {"subject": "a word"}, "subject"),
        (Target.BODY, "", {"body": "many\nword"}, "body"),
        (Target.RAW, "", {"raw": memoryview(b"\xff word")}, "raw"),
        (Target.URL, "", {"urls": ["http://x.test/", "http://y.test/word"]}, "url"),
        (Target.FILE_NAME, "", {"file_names": ["a.txt", "word.exe"]}, "file_name"),
    ],
)
def test_each_target(target: Target, header: str, values: dict[str, object], place: str) -> None:
    """A hit names its place and what matched, and nothing else is searched."""
    rules = Regexes([rule("REGEX_A", "w.rd", target, header), rule("REGEX_B", "nowhere", target, header)])
    (hit,) = rules.find(seen(**values))
    assert (hit.symbol, hit.rule, hit.namespace, hit.part) == ("REGEX_A", "REGEX_A", "a", place)
    assert hit.strings in {("'word'",), ("b'word'",)}
    others = {"subject": "word", "body": "word", "urls": ["word"], "file_names": ["word"]}
    other = Target.RAW if target is not Target.RAW else Target.SUBJECT
    assert (
        Regexes([rule("REGEX_A", "word", other)]).find(seen(**(others | {"subject": "", "raw": memoryview(b"")}))) == ()
    )


def test_a_rule_hits_once() -> None:
    """However many links match."""
    rules = Regexes([rule("REGEX_A", "x", Target.URL), rule("REGEX_B", "y", Target.URL)])
    assert [hit.symbol for hit in rules.find(seen(urls=["x", "xy", "x"]))] == ["REGEX_A", "REGEX_B"]


def test_what_was_declared_goes_with_a_hit() -> None:
    """Stage, expiry and floor are settled by the front, as a YARA rule's are."""
    declared = RegexRule(
        "REGEX_A", Target.BODY, "x", 2.5, "x", floor=None, expires="2026-01-01", group="words", path=FILE
    )
    (hit,) = Regexes([declared]).find(seen(body="x"))
    assert hit.meta == {"stage": "score", "score": "2.5", "expires": "2026-01-01", "group": "words"}


def test_a_broken_file_is_left_out_and_the_others_are_not() -> None:
    """With its good rules: half a file is not what its author meant."""
    broken = Path("b.toml")
    rules = Regexes([rule("REGEX_A", "x"), rule("REGEX_B", "(x", path=broken), rule("REGEX_C", "x", path=broken)])
    assert [hit.symbol for hit in rules.find(seen(body="x"))] == ["REGEX_A"]
    (problem,) = rules.problems
    assert problem.startswith("b.toml:0: [rules] REGEX_B.pattern: missing )")


def test_of_two_rules_under_one_symbol_the_first_stays() -> None:
    """And the second is told; one of a broken file takes nobody's symbol."""
    first, second, broken = (Path(f"{name}.toml") for name in ("a", "b", "0"))
    rules = Regexes(
        [
            rule("REGEX_A", "x", path=broken),
            rule("REGEX_B", "(", path=broken),
            rule("REGEX_A", "x", path=first),
            rule("REGEX_A", "x", path=second),
        ]
    )
    assert [hit.namespace for hit in rules.find(seen(body="x"))] == ["a"]
    assert rules.problems[1] == "b.toml:0: [rules] REGEX_A: this symbol is taken by a rule of a.toml; left out"


@pytest.mark.parametrize("pattern", [r"(a)\1", r"a(?=b)", r"a{2000}", "(?:" * 2000, "a" * 3, r"\xff", "\x00", "é"])
def test_any_pattern_compiles_or_is_a_problem(pattern: str) -> None:
    """What RE2 does not have, or finds too large, is told."""
    rules = Regexes([rule("REGEX_A", pattern)])
    assert bool(rules) is not bool(rules.problems)
    rules.find(seen(body="a" * 100))


def test_many_patterns_are_searched_in_one_pass() -> None:
    """A thousand make one set; those that matched are named by its numbers."""
    rules = Regexes([rule(f"REGEX_{n}", rf"\bword{n}\b") for n in range(1000)])
    assert [len(sets) for sets in rules._sets.values()] == [1]
    assert {hit.symbol for hit in rules.find(seen(body="word7 word77 word999 word1000"))} == {
        "REGEX_7",
        "REGEX_77",
        "REGEX_999",
    }


def test_what_is_too_large_for_one_set_makes_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Down to patterns that are searched alone."""
    monkeypatch.setattr(engine, "SET_MEMORY", 20_000)
    rules = Regexes([rule(f"REGEX_{n}", rf"a{n}[bc]{{1,40}}d") for n in range(20)])
    assert max(len(sets) for sets in rules._sets.values()) > 1
    assert [hit.symbol for hit in rules.find(seen(body="a13bcd"))] == ["REGEX_13"]


def test_a_text_that_exhausts_the_automaton_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """RE2 says then that nothing matches: the patterns are searched one by one instead."""
    rules = Regexes([rule("REGEX_A", "word"), rule("REGEX_B", "other")])
    (sets,) = rules._sets.values()

    class Exhausted:
        def Match(self, _: str) -> None:  # noqa: N802  # RE2's name
            return None

    monkeypatch.setattr(sets[0], "_joint", Exhausted())
    assert [hit.symbol for hit in rules.find(seen(body="a word"))] == ["REGEX_A"]


@pytest.mark.threat("RES-10")
def test_a_nested_repetition_is_linear() -> None:
    """What takes a backtracking engine for ever is one pass here."""
    rules = Regexes([rule("REGEX_A", "(a+)+$")])
    assert rules.find(seen(body="a" * 200_000 + "b")) == ()
    assert re2.search("(a+)+$", "a" * 200_000 + "b") is None


def test_directories(tmp_path: Path) -> None:
    """Several are read together; one that is not there has no rules."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        text = f'[rules.REGEX_{name.upper()}]\ntarget = "body"\npattern = "x"\nweight = 1\ndescription = "y"\n'
        (tmp_path / name / "a.toml").write_text(text)
    (tmp_path / "two" / "b.toml").write_text("[rules\n")
    rules, problems = load_regexes([tmp_path / "one", tmp_path / "two", tmp_path / "none"])
    assert rules is not None
    assert [hit.symbol for hit in rules.find(seen(body="x"))] == ["REGEX_ONE", "REGEX_TWO"]
    (problem,) = problems
    assert problem.startswith(f"{tmp_path}/two/b.toml")
    assert load_regexes([tmp_path / "none"]) == (None, ())
