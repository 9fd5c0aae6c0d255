from pathlib import Path

import pytest

from filterd.app.scores import composite_sources
from filterd.app.site import load_config, load_site
from filterd.config import Config, ConfigError
from filterd.model.verdict import Action
from filterd.score import ScoreRules
from filterd.score.definitions import try_cases


def scores(tmp_path: Path, text: str) -> ScoreRules:
    """What symbols weigh under this configuration over the shipped rules."""
    path = tmp_path / "filterd.toml"
    path.write_text(text)
    return load_site(load_config(path), path).scores


def test_overrides(tmp_path: Path) -> None:
    """Weight, floor and group of a symbol, a group's cap, a symbol that is off; the rest stays."""
    shipped = scores(tmp_path, "")
    rules = scores(
        tmp_path,
        '[rules.scores]\nSPF_FAIL.weight = 4.5\nAMBIGUOUS_FROM.floor = "accept"\nHTML_FORM.off = true\n'
        '[rules.scores.MISSING_TO]\ngroup = "mine"\n[rules.groups.mine]\ncap = 1\n[rules.groups.words]\ncap = 4\n',
    )
    assert rules.symbols["SPF_FAIL"].weight == 4.5
    assert rules.symbols["SPF_FAIL"].description == shipped.symbols["SPF_FAIL"].description
    assert rules.symbols["AMBIGUOUS_FROM"].floor is Action.ACCEPT
    assert rules.symbols["HTML_FORM"].off
    assert rules.symbols["MISSING_TO"].group == "mine"
    assert (rules.groups["mine"].cap, rules.groups["words"].cap) == (1, 4)
    assert rules.symbols["SPF_PASS"] == shipped.symbols["SPF_PASS"]


def test_an_override_wins_over_actions(tmp_path: Path) -> None:
    """What names one symbol is meant more exactly than [actions]."""
    text = '[actions]\nunscannable = "defer"\n[rules.scores.UNSCANNABLE_SIZE]\nfloor = "add_header"\n'
    rules = scores(tmp_path, text)
    assert rules.symbols["UNSCANNABLE_SIZE"].floor is Action.ADD_HEADER
    assert rules.symbols["UNSCANNABLE_DEPTH"].floor is Action.DEFER


def test_composites_of_the_configuration_and_of_the_own_directory(tmp_path: Path) -> None:
    """They stand beside the shipped ones, and may use each other and rules of the own directory."""
    (tmp_path / "own" / "regex").mkdir(parents=True)
    (tmp_path / "own" / "composites.toml").write_text(
        '[composites.OWN_ONE]\nexpression = "REGEX_OWN & SPF_FAIL"\nweight = 2\ndescription = "x"\n'
    )
    (tmp_path / "own" / "regex" / "own.toml").write_text(
        '[rules.REGEX_OWN]\ntarget = "subject"\npattern = "x"\nweight = 1.5\ngroup = "words"\ndescription = "y"\n'
    )
    text = f'[rules]\nlocal = "{tmp_path}/own"\n[rules.scores.OWN_TWO]\nweight = 9\n'
    own = '[rules.composites.OWN_TWO]\nexpression = "OWN_ONE & YARA_EICAR_ANYWHERE"\nweight = 3\ndescription = "z"\n'
    with pytest.raises(ConfigError, match=r"filterd.toml:\d+: \[rules\] composites.OWN_TWO.expression: at 11: unknown"):
        scores(tmp_path, text + own)
    rules = scores(tmp_path, text + own.replace("YARA_EICAR_ANYWHERE", "YARA_EICAR"))
    assert {"OWN_ONE", "OWN_TWO"} <= {composite.name for composite in rules.composites.ordered}
    assert rules.symbols["OWN_TWO"].weight == 9
    row = rules.symbols["REGEX_OWN"]
    assert (row.weight, row.group, row.description) == (1.5, "words", "y")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "[rules.scores.SPF_FIAL]\nweight = 1\n",
            ":1: [rules] scores.SPF_FIAL: unknown symbol; did you mean SPF_FAIL?",
        ),
        ("[rules.scores.YARA_NONE]\noff = true\n", ":1: [rules] scores.YARA_NONE: unknown symbol"),
        ('[rules.scores.YARA_EICAR]\nfloor = "accept"\n', ":1: [rules] scores.YARA_EICAR: has no row"),
        ('[rules.scores.SPF_FAIL]\ngroup = "none"\n', ":1: [rules] scores.SPF_FAIL: group: expected one of"),
        ("[rules.scores.SPF_FAIL]\noff = false\n", ":1: [rules] scores.SPF_FAIL: expected weight, group, floor or off"),
        ("[rules.scores.SPF_FAIL]\nweight = 1000\n", ":2: [rules] scores.SPF_FAIL.weight: expected"),
        ("[rules.groups.new]\nfloor = -1\n", ":1: [rules] groups.new: unknown group; a new one needs a cap"),
        ("[rules.groups.authentication]\ncap = 20\n", "groups.authentication.cap: expected less than"),
        ('[rules]\nlocal = "/none/such"\n', "[rules] local: expected a directory, got '/none/such'"),
    ],
)
def test_what_cannot_be_meant(tmp_path: Path, text: str, problem: str) -> None:
    """File, line and key stand in the error."""
    with pytest.raises(ConfigError) as caught:
        scores(tmp_path, text)
    assert problem in str(caught.value)


def test_the_rules_id_changes_with_every_rule_file(tmp_path: Path) -> None:
    """Regex rules and composites of the own directory too."""
    own = tmp_path / "own"
    (own / "regex").mkdir(parents=True)
    path = tmp_path / "filterd.toml"
    path.write_text(f'[rules]\nlocal = "{own}"\n')
    before = load_site(load_config(path), path).rules_id
    (own / "regex" / "own.toml").write_text("# nothing\n")
    middle = load_site(load_config(path), path).rules_id
    (own / "composites.toml").write_text("[composites]\n")
    assert len({before, middle, load_site(load_config(path), path).rules_id}) == 3


def test_the_shipped_composites_agree_with_their_cases() -> None:
    """Each has some of both kinds."""
    config = Config()
    rules = load_site(config).scores
    (shipped, _) = composite_sources(config, Path("none"))
    assert list(try_cases(rules, shipped)) == []
    assert [name for name, entry in shipped.entries.items() if not (entry.match and entry.no_match)] == []
    assert len(shipped.entries) >= 12
