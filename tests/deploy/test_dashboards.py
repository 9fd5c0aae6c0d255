"""Dashboard, alerts and runbook name what there is."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from typer.main import get_command

from filterd.checks.registry import ALL
from filterd.cli import app
from filterd.model.verdict import Action
from filterd.telemetry import Event
from filterd.telemetry.series import Family, families
from tests.support.process import require_program

ROOT: Final = Path(__file__).resolve().parents[2]
DASHBOARD: Final = ROOT / "deploy" / "grafana" / "filterd.json"
ALERTS: Final = ROOT / "deploy" / "prometheus" / "filterd.rules.yml"
RUNBOOK: Final = ROOT / "docs" / "runbook.md"
KNOWN: Final = {family.name: family for family in families(tuple(ALL), ("zen.test",), ("out",))}
OF_PROMETHEUS: Final = frozenset({"instance", "job"})
# A metric with what stands in its braces; a grouping; a label's value that is asked for.
METRIC: Final = re.compile(r"\b(filterd_[a-z_]+)(?:\{([^}]*)\})?")
GROUPING: Final = re.compile(r"\b(?:by|on|ignoring|without)\s*\(([^)]*)\)")
MATCHER: Final = re.compile(r'([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
LEGEND: Final = re.compile(r"\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}")


def alerts() -> list[dict[str, Any]]:
    """Every alert."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Every panel that shows something."""
    found = json.loads(DASHBOARD.read_text())["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str, str]]:
    """Where an expression stands, it itself, and the text that is shown of its labels."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]
    for rule in alerts():
        yield rule["alert"], rule["expr"], rule["annotations"]["summary"]


def family_of(name: str) -> Family | None:
    """The metric that has this series, by its own name or by front."""
    for plain in (name, name.replace("filterd_front_", "filterd_", 1)):
        for suffix, kinds in (("", {"gauge"}), ("_total", {"counter"}), ("_bucket", {"histogram"})):
            family = KNOWN.get(plain.removesuffix(suffix)) if plain.endswith(suffix) else None
            if family is not None and family.kind in kinds:
                return family
    return None


def labels_of(name: str, family: Family) -> set[str]:
    """The labels of a series."""
    own = {label for label, _ in family.labels} | OF_PROMETHEUS
    own |= {"le"} if name.endswith("_bucket") else set()
    return own | ({"front"} if family.name not in name else set())


@pytest.mark.docs
@pytest.mark.parametrize(("where", "expression", "shown"), list(expressions()))
def test_what_is_asked_for_is_there(where: str, expression: str, shown: str) -> None:
    """Every metric, every label it is matched or grouped by, and every value that is asked for."""
    asked = METRIC.findall(expression)
    assert asked or "up{" in expression, where
    every: set[str] = set(OF_PROMETHEUS)
    for name, inside in asked:
        family = family_of(name)
        assert family is not None, f"{where}: no metric {name}"
        labels = labels_of(name, family)
        every |= labels
        values = dict(family.labels)
        for label, how, text in MATCHER.findall(inside):
            assert label in labels, f"{where}: {name} has no label {label}"
            if label in values and not text.startswith("$"):
                pattern = text if "~" in how else re.escape(text)
                assert any(re.fullmatch(one, value) for value in values[label] for one in pattern.split("|")), text
    grouped = {label.strip() for inside in GROUPING.findall(expression) for label in inside.split(",")}
    assert grouped <= every, where
    assert set(LEGEND.findall(shown)) - {"value"} <= every, where


@pytest.mark.docs
def test_every_metric_is_on_the_dashboard_or_in_an_alert() -> None:
    """What nobody looks at would not have to be counted."""
    asked = {
        family.name for _, text, _ in expressions() for name, _ in METRIC.findall(text) if (family := family_of(name))
    }
    shown_elsewhere = {"filterd_partial_holds", "filterd_policy_requests"}  # for a site's own questions
    assert KNOWN.keys() - asked == shown_elsewhere


@pytest.mark.docs
def test_every_alert_has_its_section_in_the_runbook() -> None:
    """And every section its alert; both are named in the same order."""
    named = [rule["alert"] for rule in alerts()]
    assert re.findall(r"^## (Filterd\w+)$", RUNBOOK.read_text(), re.MULTILINE) == named
    for rule in alerts():
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"critical", "warning"}


def commands(group: Any, before: str) -> Iterator[str]:
    """Every command with its groups in front."""
    for name, command in group.commands.items():
        yield f"{before}{name}"
        if hasattr(command, "commands"):
            yield from commands(command, f"{before}{name} ")


@pytest.mark.docs
def test_the_runbook_names_what_there_is() -> None:
    """Events of the log and commands, as an operator types them."""
    text = RUNBOOK.read_text()
    events = set(Event) | set(Action)
    for word in re.findall(r"`([a-z]+_[a-z_]+)`", text):
        assert word in events or f"{word} =" in text or word in {"milter_default_action", "password_file"}, word
    known = {*commands(get_command(app), "")}
    for line in re.findall(r"`filterd ([a-z][a-z ]*[a-z])", text.replace("\n", " ")):
        assert any(line == name or line.startswith(f"{name} ") for name in known), line


def test_the_dashboard_is_one() -> None:
    """Ids once, panels beside each other, every target with an expression, as Grafana loads it."""
    board = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert {variable["name"] for variable in board["templating"]["list"]} == {"datasource", "instance"}
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    for panel in panels():
        assert panel["description"].endswith(".")
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])


def test_prometheus_takes_the_rules() -> None:
    """As its own checker says."""
    require_program("promtool")
    done = subprocess.run(["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"SUCCESS: {len(alerts())} rules found" in done.stdout
