from pathlib import Path

import pytest

from filterd.config import ConfigError
from filterd.score import GroupRule, ScoreRules, SymbolRule
from filterd.score.definitions import Known, Source, read_composites, try_cases, with_composites

RULES = ScoreRules({name: SymbolRule(1.0) for name in ("SPF_FAIL", "HTML_FORM", "TO_IS_FROM")}, {"g": GroupRule(5.0)})
KNOWN = Known(frozenset({"YARA_EICAR"}))


def written(tmp_path: Path, *tables: str, name: str = "composites.toml") -> Source:
    """A file with these composites: the text of one table each, behind a weight and a description."""
    path = tmp_path / name
    heads = [table.partition("\n") for table in tables]
    texts = [f'[composites.{head}]\nweight = 1.0\ndescription = "x"\n{body}\n' for head, _, body in heads]
    path.write_text("\n".join(texts))
    return read_composites(path)


def said(*sources: Source, known: Known = KNOWN) -> list[str]:
    """What is wrong, without the folder in front."""
    rules, problems = with_composites(RULES, sources, known)
    assert bool(problems) is (rules is RULES)
    return [problem.removeprefix(f"{sources[0].path.parent}/") for problem in problems]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('ONE\nexpression = "SPF_FAIL &"', "ONE.expression: at 11: expected a symbol"),
        ('ONE\nexpression = "SPF_FALI & HTML_FORM"', "ONE.expression: at 1: unknown symbol SPF_FALI; did you mean"),
        ('ONE\nexpression = "SPF_FAIL & !NOWHERE"', "ONE.expression: at 13: unknown symbol NOWHERE"),
        ('ONE\nexpression = "SPF_FAIL & YARA_NONE"', "ONE.expression: at 12: unknown symbol YARA_NONE"),
        ('ONE\nexpression = "SPF_FAIL | ONE"', "ONE.expression: uses itself: ONE -> ONE"),
        ('ONE\nexpression = "SPF_FAIL"\ngroup = "h"', "ONE.group: expected one of g, got 'h'"),
        ('ONE\nexpression = "SPF_FAIL"\nreplaces = ["HTML_FORM"]', "ONE.replaces: HTML_FORM is no member"),
        ('ONE\nexpression = "SPF_FAIL & !HTML_FORM"\nreplaces = ["HTML_FORM"]', "ONE.replaces: HTML_FORM is no member"),
        ('ONE\nexpression = "SPF_FAIL"\nmatch = [["NOWHERE"]]', "ONE.match: unknown symbol NOWHERE"),
        ('SPF_FAIL\nexpression = "HTML_FORM"', "SPF_FAIL: this name is taken: a check or rule reports it"),
        ('YARA_EICAR\nexpression = "HTML_FORM"', "YARA_EICAR: this name is taken"),
        ('REGEX_MINE\nexpression = "HTML_FORM"', "REGEX_MINE: this name is taken"),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path: Path, table: str, problem: str) -> None:
    """File, line, key and the place in the expression stand in the error."""
    (found,) = said(written(tmp_path, 'GOOD\nexpression = "HTML_FORM"', table))
    assert problem in found
    line, _, key = found.removeprefix("composites.toml:").partition(": [composites] ")
    assert int(line) >= 6
    assert key.startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[composites.ONE]\nweight = 1\n", "ONE.expression"),
        ('[composites.ONE]\nexpression = "A"\nweight = 1\ndescription = ""\n', ":4: [composites] ONE.description"),
        ('[composites.ONE]\nexpresion = "A"\nweight = 1\n', 'ONE.expresion: unknown key; did you mean "expression"?'),
        ('[composites.one]\nexpression = "A"\nweight = 1\ndescription = "x"\n', "expected a symbol in capitals"),
        ("[composites\n", "not valid TOML"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """With file and line."""
    path = tmp_path / "composites.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_composites(path)
    assert problem in str(caught.value)


def test_circles_go_over_files(tmp_path: Path) -> None:
    """And are told where one of them stands."""
    one = written(tmp_path, 'ONE\nexpression = "TWO"')
    two = written(tmp_path, 'TWO\nexpression = "ONE | HTML_FORM"', name="own.toml")
    assert said(one, two) == ["composites.toml:4: [composites] ONE.expression: uses itself: ONE -> TWO -> ONE"]


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    """By whichever file came first."""
    one = written(tmp_path, 'ONE\nexpression = "HTML_FORM"')
    two = written(tmp_path, 'ONE\nexpression = "HTML_FORM"', name="own.toml")
    assert said(one, two) == [f"own.toml:1: [composites] ONE: this name is taken by a composite of {one.path}"]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """Whoever mends a file wants to do it once."""
    found = said(written(tmp_path, 'ONE\nexpression = "NOWHERE & NOBODY"', 'TWO\nexpression = "("'))
    assert [problem.partition("expression: ")[2][:24] for problem in found] == [
        "at 2: expected a symbol,",
        "at 1: unknown symbol NOW",
        "at 11: unknown symbol NO",
    ]


def test_what_a_broken_rule_file_may_bring_is_not_unknown(tmp_path: Path) -> None:
    """A team's mistake must not make the whole configuration one."""
    source = written(tmp_path, 'ONE\nexpression = "REGEX_SOME"')
    assert said(source) != []
    assert said(source, known=Known(doubtful=("REGEX_",))) == []


def test_a_composite_has_a_row(tmp_path: Path) -> None:
    """So that it is explained, and overridden, as any symbol."""
    source = written(tmp_path, 'ONE\nexpression = "SPF_FAIL & YARA_EICAR"\ngroup = "g"\nfloor = "quarantine"')
    rules, _ = with_composites(RULES, [source], KNOWN)
    assert (rules.symbols["ONE"].group, rules.symbols["ONE"].floor) == ("g", "quarantine")


def test_cases_are_tried(tmp_path: Path) -> None:
    """Those for which it must hold, and those for which it must not."""
    table = 'ONE\nexpression = "SPF_FAIL & HTML_FORM"\nmatch = [["SPF_FAIL", "HTML_FORM"], ["SPF_FAIL"]]\n'
    source = written(tmp_path, f'{table}no_match = [["HTML_FORM"], ["HTML_FORM", "SPF_FAIL"]]')
    rules, problems = with_composites(RULES, [source], KNOWN)
    assert problems == ()
    assert [problem.removeprefix(f"{tmp_path}/") for problem in try_cases(rules, source)] == [
        "composites.toml:5: [composites] ONE.match: does not hold for SPF_FAIL",
        "composites.toml:6: [composites] ONE.no_match: holds for HTML_FORM, SPF_FAIL",
    ]
