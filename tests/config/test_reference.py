from pathlib import Path

import pytest

from filterd.config import Config, load
from filterd.config.reference import as_toml, markdown, model_of

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


@pytest.mark.docs
def test_the_reference_is_fresh() -> None:
    """docs/configuration.md says what the models say: `python -m filterd.config.reference docs/configuration.md`."""
    assert DOCUMENT.read_text(encoding="utf-8") == markdown()


def test_every_key_says_what_it_means() -> None:
    """No key without a description."""
    silent = [
        f"{name}.{key}"
        for name, section in Config.model_fields.items()
        for key, field in model_of(section).model_fields.items()
        if not field.description
    ]
    assert silent == []


def test_the_printed_default_loads_as_the_default(tmp_path: Path) -> None:
    """The commented file changes nothing."""
    path = tmp_path / "filterd.toml"
    path.write_text(as_toml(None))
    assert load(path) == Config()


def test_a_printed_configuration_loads_as_itself(tmp_path: Path) -> None:
    """What `config show` prints can be used."""
    path = tmp_path / "filterd.toml"
    path.write_text('[actions.on_unknown]\nspf = { stranger = "defer" }\n[replies]\ncontact = "a\\"b\\\\c"\n')
    config = load(path)
    path.write_text(as_toml(config))
    assert load(path) == config


def test_a_printed_configuration_keeps_the_rules_of_its_own(tmp_path: Path) -> None:
    """Scores, groups and composites are shown as they hold, without the keys that were not given."""
    path = tmp_path / "filterd.toml"
    path.write_text(
        "[rules.scores]\nSPF_FAIL = { weight = 1 }\nHTML_FORM = { off = true }\n[rules.groups.words]\ncap = 3\n"
        '[rules.composites.MINE]\nexpression = "SPF_FAIL & HTML_FORM"\nweight = 2\ndescription = "x"\n'
        'replaces = ["SPF_FAIL"]\nmatch = [["SPF_FAIL", "HTML_FORM"]]\n'
    )
    config = load(path)
    shown = as_toml(config)
    assert "scores = { SPF_FAIL = { weight = 1, off = false }, HTML_FORM = { off = true } }" in shown
    path.write_text(shown)
    assert load(path) == config


def test_a_printed_policy_loads_as_itself(tmp_path: Path) -> None:
    """Tables that a site names itself are printed with their names, and what they leave out stays left out."""
    path = tmp_path / "filterd.toml"
    path.write_text(
        '[policies.sales]\nrecipients = ["sales@local.test", ".eu.test"]\nquarantine = 12\n'
        'on_unknown = { spf = "defer" }\nscores = { SPF_FAIL = { weight = 1 } }\n'
        '[policies.abuse]\nrecipients = ["abuse@"]\noff = true\n'
    )
    config = load(path)
    path.write_text(as_toml(config))
    assert load(path) == config
    assert list(config.policies) == ["sales", "abuse"]
