from pathlib import Path

import pytest

from filterd.config import ConfigError
from filterd.model.verdict import Action
from filterd.regex.declarations import Target, read_file, read_rules
from filterd.regex.samples import check_rules, try_samples
from filterd.score.stages import RuleStage

RULE = '[rules.REGEX_A]\ntarget = "subject"\npattern = "x"\nweight = 1.5\ndescription = "y"\n'
SHIPPED = Path(__file__).resolve().parents[2] / "rules" / "regex"


def written(tmp_path: Path, text: str, name: str = "a.toml") -> Path:
    """A file."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_rule(tmp_path: Path) -> None:
    """Every key, and the line it begins in; a floor makes the stage enforce where none is given."""
    head = '[rules.REGEX_B]\ntarget = "header"\nheader = "X-Mailer"\npattern = "x"\nweight = -1\ndescription = "y"\n'
    more = 'floor = "quarantine"\nowner = "o"\nexpires = "2030-01-31"\ngroup = "g"\nmatch = ["x"]\nno_match = ["y"]\n'
    path = written(tmp_path, RULE + head + more)
    one, two = read_file(path)
    assert (one.symbol, one.target, one.pattern, one.weight, one.line) == ("REGEX_A", Target.SUBJECT, "x", 1.5, 1)
    assert (one.stage, two.stage) == (RuleStage.SCORE, RuleStage.ENFORCE)
    assert (two.header, two.floor, two.line, two.namespace) == ("X-Mailer", Action.QUARANTINE, 6, "a")
    assert two.meta == {
        "stage": "enforce",
        "score": "-1.0",
        "expires": "2030-01-31",
        "action": "quarantine",
        "group": "g",
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (RULE.replace("REGEX_A", "SPF_PASS"), "expected a symbol that begins with REGEX_"),
        (RULE.replace("REGEX_A", "regex_a"), "expected a symbol in capitals"),
        (RULE.replace("subject", "title"), ":2: [rules] REGEX_A.target: expected 'header', 'subject'"),
        (RULE.replace("subject", "header"), 'expected header = "Field-Name" where target is "header"'),
        (RULE + 'header = "X"\n', 'expected header = "Field-Name" where target is "header"'),
        (RULE.replace("subject", "header") + 'header = "X:"\n', "header: expected a field's name"),
        (RULE + 'expires = "soon"\n', "Invalid isoformat string"),
        (RULE + 'stage = "live"\n', "REGEX_A.stage: expected 'test', 'shadow', 'score' or 'enforce'"),
        (RULE.replace('"x"', '""'), "REGEX_A.pattern"),
        (RULE + "wieght = 1\n", 'REGEX_A.wieght: unknown key; did you mean "weight"?'),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, text: str, problem: str) -> None:
    """File, line and key stand in the error."""
    with pytest.raises(ConfigError) as caught:
        read_file(written(tmp_path, text))
    assert problem in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "a.toml"))


def test_samples_are_tried(tmp_path: Path) -> None:
    """Those that must match, those that must not, in the rule's own target."""
    text = RULE.replace('"x"', '"^x"') + 'match = ["xa", "ax"]\nno_match = ["ax", "x"]\n'
    raw = '[rules.REGEX_R]\ntarget = "raw"\npattern = \'\\x{e9}\'\nweight = 1\ndescription = "y"\nmatch = ["\\u00e9"]\n'
    path = written(tmp_path, text + raw)
    assert [problem.removeprefix(f"{path}:") for problem in try_samples(read_file(path))] == [
        "1: [rules] REGEX_A.match: does not match 'ax'",
        "1: [rules] REGEX_A.no_match: matches 'x'",
        "8: [rules] REGEX_R.match: does not match '\u00e9'",
    ]


def test_what_an_author_is_told(tmp_path: Path) -> None:
    """A pattern that is none is an error, samples that are missing are a warning."""
    path = written(tmp_path, RULE.replace('"x"', '"("') + 'no_match = ["y"]\n')
    assert [(kind, text.rpartition("REGEX_A.")[2][:14]) for _, kind, text in check_rules(read_file(path))] == [
        ("error", "pattern: missi"),
        ("warning", "match: expecte"),
    ]
    path.write_text(RULE.replace('"x"', '"o.{0,900}z"') + 'match = ["o z"]\nno_match = ["y"]\n')
    ((_, kind, text),) = check_rules(read_file(path))
    assert (kind, "pattern: a large repetition" in text) == ("warning", True)


def test_the_shipped_rules_agree_with_their_samples() -> None:
    """Each has some of both kinds, and an owner."""
    rules, problems = read_rules([SHIPPED])
    assert problems == ()
    assert [*check_rules(rules), *try_samples(rules)] == []
    assert all(rule.owner for rule in rules)
    assert len(rules) >= 10
