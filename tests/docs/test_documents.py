"""What the documents name exists."""

import re
from pathlib import Path

import pytest
import typer.main

from filterd.cli import app
from filterd.telemetry.events import Event

pytestmark = pytest.mark.docs

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
_MAKE = re.compile(r"(?:`|^|\n|; )(?:[A-Z]+=\S+ )?make ([a-z][a-z-]*)")
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_COMMAND = re.compile(r"(?:`|^)filterd ([a-z]+)(?: ([a-z]+))?", re.MULTILINE)
_PATH = re.compile(r"`((?:filterd|tests|rules|docs|deploy)/[A-Za-z0-9_./-]*)`")

document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@document
def test_links_lead_somewhere(path: Path) -> None:
    """A relative link names a file or folder of this project."""
    targets = _LINK.findall(path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []


@document
def test_make_targets_exist(path: Path) -> None:
    """`make X` in a document is a target of the Makefile."""
    assert set(_MAKE.findall(path.read_text())) - TARGETS == set()


@document
def test_commands_exist(path: Path) -> None:
    """`filterd X` in a document is a command, and where that has subcommands, so is its next word."""
    root = typer.main.get_command(app)
    commands = getattr(root, "commands")  # noqa: B009  # a group of a class that typer does not export
    wrong = []
    code = "\n".join(_CODE.findall(path.read_text()))
    for name, sub in _COMMAND.findall(code):
        known = getattr(commands.get(name), "commands", {})
        if name not in commands or (known and sub and sub not in known):
            wrong.append(f"{name} {sub}".strip())
    assert wrong == []


def test_commands_are_written_of() -> None:
    """Every command stands in a document, for it will not be found by who does not know that it is there."""
    commands = getattr(typer.main.get_command(app), "commands")  # noqa: B009  # as above
    written = {name for path in DOCUMENTS for name, _ in _COMMAND.findall(path.read_text())}
    assert set(commands) - written == set()


@document
def test_paths_exist(path: Path) -> None:
    """A path in backquotes exists."""
    assert [name for name in _PATH.findall(path.read_text()) if not (ROOT / name.rstrip("/")).exists()] == []


def test_every_event_has_a_meaning() -> None:
    """The log's vocabulary explains itself."""
    assert [event.value for event in Event if not event.meaning] == []
