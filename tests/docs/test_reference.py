"""The pages of docs/reference/ are what the code says, and leave nothing out."""

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
import typer.main

from deploy.site import reference
from filterd.checks.registry import ALL
from filterd.cli import app
from filterd.cli.described import commands
from filterd.pipeline.reasons import Reason
from filterd.telemetry import Event
from filterd.telemetry.series import families

pytestmark = pytest.mark.docs

ROOT: Final = Path(__file__).resolve().parents[2]
_ROW: Final = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The pages as they would be printed now."""
    return reference.pages()


def test_they_are_fresh(pages: dict[str, str]) -> None:
    """They are what `python -m deploy.site.reference` writes, and there are no others."""
    there = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "reference").glob("*.md")}
    assert there == pages


def test_every_command_has_a_section(pages: dict[str, str]) -> None:
    """Once, with its usage below."""
    known = [one.words for one in commands(typer.main.get_command(app), "filterd", nested=True)]
    assert sorted(re.findall(r"^### (filterd .+)$", pages["commands.md"], re.MULTILINE)) == sorted(known)


def test_every_symbol_stands_in_a_table(pages: dict[str, str]) -> None:
    """Once: the rows of scores.toml, composites, regex rules and those of YARA."""
    named = _ROW.findall(pages["symbols.md"].partition("## By check")[2])
    shipped = set(tomllib.loads((ROOT / "rules" / "scores.toml").read_text())["symbols"])
    shipped |= set(tomllib.loads((ROOT / "rules" / "composites.toml").read_text())["composites"])
    for path in (ROOT / "rules" / "regex").glob("*.toml"):
        shipped |= set(tomllib.loads(path.read_text())["rules"])
    for path in (ROOT / "rules" / "yara").glob("*.yar"):
        shipped |= set(re.findall(r'^\s+symbol = "(\w+)"', path.read_text(), re.MULTILINE))
    symbols = [name for name in named if name.isupper()]
    assert shipped - set(symbols) == set()
    assert len(symbols) == len(set(symbols))


def test_every_reason_has_a_row(pages: dict[str, str]) -> None:
    """In the order of the code, and with a meaning."""
    assert _ROW.findall(pages["reasons.md"])[: len(Reason)] == list(Reason)
    assert [one for one in Reason if not one.meaning] == []


def test_every_metric_and_event_has_a_row(pages: dict[str, str]) -> None:
    """As it is scraped, and as it stands in the log."""
    metrics = [f"{one.name}_total" if one.kind == "counter" else one.name for one in families(tuple(ALL))]
    assert _ROW.findall(pages["metrics.md"]) == metrics
    assert sorted(_ROW.findall(pages["log.md"])) == sorted(Event)
