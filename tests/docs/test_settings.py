"""Settings and figures that documents name are those of the code."""

import re
from pathlib import Path
from typing import Final

import pytest

from filterd.config import Config
from filterd.config.reference import tables
from filterd.dkim import MAX_SIGNATURES
from filterd.inspection import sandbox
from filterd.ipc.frames import MAX_FRAME
from filterd.model.session import TrustClass
from filterd.quarantine.journal import KEEP

pytestmark = pytest.mark.docs

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENTS: Final = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])
KEYS: Final = {table.title.partition(".")[0]: {row.key for row in table.rows} for table in tables()}
THREATS: Final = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
_SETTING: Final = re.compile(r"\[(?P<table>[a-z_]+)\] (?P<key>[a-z_0-9]+)(?=[`\s=,.;:)])")
_DAY: Final = 24 * 3600


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_settings_exist(path: Path) -> None:
    """A key that is written behind its table, as `[limits] drain`, is a key of that table."""
    code = "\n".join(re.findall(r"`[^`\n]+`", path.read_text(encoding="utf-8")))
    named = [(found["table"], found["key"]) for found in _SETTING.finditer(code)]
    assert [(table, key) for table, key in named if table in KEYS and key not in KEYS[table]] == []


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (r"(\d+) MB beyond what was loaded", sandbox.LEEWAY / 1_000_000),
        (r"(\d+) descriptors", sandbox.OPEN_FILES),
        (r"bounded to (\d+) MB", MAX_FRAME / 1_000_000),
        (r"until it is replaced \((\d+),", Config().inspectors.recycle),
    ],
)
def test_the_threat_model_has_the_figures_of_the_code(said: str, meant: float) -> None:
    """A bound that is moved is moved there, too."""
    assert [float(figure) for figure in re.findall(said, THREATS)] == [meant]


def test_the_threat_model_has_the_words_of_the_code() -> None:
    """Figures that are written out, and the settings that it tells of as they are shipped."""
    assert (MAX_SIGNATURES, KEEP / _DAY) == (8, 60)
    assert "signatures, eight at most," in THREATS
    assert "for sixty days" in THREATS
    shipped = Config()
    assert shipped.inspectors.sandbox == "best"
    assert not shipped.classifier.autolearn
    assert not shipped.dmarc_reports.enabled
    assert {"spf", "iprev", "dmarc", "dnsbl", "replay"} == set(shipped.trust.skip[TrustClass.AUTHENTICATED])
    calls = len(sandbox._ALLOWED.split())
    assert f"some {calls} of reading" in THREATS
