"""docs/heuristics.md names every symbol with what it weighs."""

import re
from pathlib import Path

import pytest

from filterd.heuristics import SYMBOLS
from filterd.heuristics.reference import replaced
from filterd.score import load_scores

pytestmark = pytest.mark.docs

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "heuristics.md"


def test_the_tables_are_fresh() -> None:
    """They are what `python -m filterd.heuristics.reference docs/heuristics.md` writes."""
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == replaced(document, load_scores(ROOT / "rules" / "scores.toml"))


def test_every_symbol_stands_in_a_table() -> None:
    """Once, and none that there is not."""
    named = re.findall(r"^\| `([A-Z0-9_]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(SYMBOLS)
