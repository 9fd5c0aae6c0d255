from pathlib import Path

import pytest

from filterd.config import ConfigError
from filterd.model.verdict import Action
from filterd.score import GroupRule, ScoreRules, SymbolRule, load_scores, problems, with_floors


def problem(tmp_path: Path, text: str) -> str:
    """What is wrong with this file, without the path in front."""
    path = tmp_path / "scores.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_scores(path)
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[groups]\n[symbols]\nA1 = { wieght = 1.0, weight = 1.0, description = "x" }\n',
            ':3: [symbols] A1.wieght: unknown key; did you mean "weight"?',
        ),
        (
            '[groups]\n[symbols]\nA1 = { weight = "1", description = "x" }\n',
            ":3: [symbols] A1.weight: expected a valid number, got '1'",
        ),
        (
            '[groups]\n[symbols]\nA1 = { weight = 1, description = "x", group = "g" }\n',
            "symbols.A1.group: expected one of",
        ),
        ('[groups]\n[symbols]\na1 = { weight = 1, description = "x" }\n', "a1: expected a symbol in capitals"),
        ('[groups]\n[symbols]\nA1 = { weight = 1, description = "" }\n', "A1.description"),
        (
            '[groups]\n[symbols]\nA1 = { weight = 1, description = "x", floor = "hold" }\n',
            "A1.floor: expected 'accept'",
        ),
        ('[groups]\n[symbols]\nA1 = { weight = inf, description = "x" }\n', "A1.weight"),
        ("[groups.g]\ncap = -1\n[symbols]\n", ":2: [groups] g.cap"),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path: Path, text: str, expected: str) -> None:
    """File, line and key stand in the error."""
    assert expected in problem(tmp_path, text)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """Without weights every message would be clean."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load_scores(tmp_path / "scores.toml")


def test_a_cap_at_the_threshold_for_rejection_is_reported() -> None:
    """Lowering the threshold must not let SPF, DKIM and DMARC reject alone."""
    rules = ScoreRules({}, {"authentication": GroupRule(cap=9.0)})
    assert problems(rules, reject=9.5) == ()
    assert "expected less than [actions] reject = 9" in problems(rules, reject=9.0)[0]
    assert problems(ScoreRules({}, {}), reject=15.0) != ()


def test_actions_replace_the_floors_they_name() -> None:
    """[actions] dmarc_reject and unscannable win over the file; other floors stay."""
    rules = ScoreRules(
        {
            "DMARC_REJECT": SymbolRule(6.0, floor=Action.QUARANTINE),
            "UNSCANNABLE_DEPTH": SymbolRule(2.0, floor=Action.QUARANTINE),
            "AMBIGUOUS_FROM": SymbolRule(4.0, floor=Action.QUARANTINE),
        },
        {},
    )
    changed = with_floors(rules, None, Action.REJECT).symbols
    assert [row.floor for row in changed.values()] == [None, Action.REJECT, Action.QUARANTINE]
