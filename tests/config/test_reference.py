from pathlib import Path

import pytest

from filterd.config import Config, load
from filterd.config.reference import as_toml, markdown

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
        for key, field in section.annotation.model_fields.items()  # type: ignore[union-attr]  # sections are models
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
