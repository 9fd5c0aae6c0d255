"""The examples of docs/rules.md are right, and do what is said of them."""

import re
from pathlib import Path

import pytest

from filterd.app import around, data_files, load_config, load_site
from filterd.operations import rules_data

pytestmark = pytest.mark.docs

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "rules.md"
_BLOCK = re.compile(r"```toml\n# (\S+)\n(.*?)```", re.DOTALL)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A filterd.toml with all examples, its own directory beside it."""
    texts: dict[str, str] = {}
    for name, text in _BLOCK.findall(DOCUMENT.read_text()):
        texts[name] = texts.get(name, "") + text
    own = tmp_path / "own"
    (own / "regex").mkdir(parents=True)
    path = tmp_path / "filterd.toml"
    path.write_text(f'[rules]\nlocal = "{own}"\n{texts.pop("filterd.toml")}')
    for name, text in texts.items():
        (own / name).write_text(text)
    assert {"composites.toml", "regex/own.toml"} <= texts.keys()
    return path


def test_the_examples_load(site: Path) -> None:
    """As one configuration, with the weights they give."""
    rules = load_site(load_config(site), site).scores
    assert rules.symbols["SPF_SOFTFAIL"].weight == 2.0
    assert rules.symbols["HTML_FORM"].off
    assert rules.symbols["URL_SHORTENER"].group == "own"
    assert {"OWN_FREEMAIL_DOCUMENT", "OWN_NEWSLETTER", "OWN_BULK"} <= {one.name for one in rules.composites.ordered}


def test_nothing_is_said_against_the_examples(site: Path) -> None:
    """Neither by rules check nor by rules test."""
    config = load_config(site)
    files = data_files(config, site, None)
    beside = around(config, site, files)
    *complaints, _ = rules_data.check(files, beside)
    assert complaints == []
    tried = {Path(row["path"]).name: row for row in rules_data.test(files, beside)}
    assert [problem for row in tried.values() for problem in row["problems"]] == []
    assert all(tried[name]["samples"] for name in ("own.toml", "composites.toml", "filterd.toml"))
