"""Help texts and usage: every command shows how it is used, and wrong usage is exit 2."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from filterd.cli import app

PINNED = {
    "run",
    "reload",
    "restart",
    "status",
    "doctor",
    "version",
    "scan",
    "config check",
    "config show",
    "config default",
    "learn spam",
    "learn ham",
    "learn forget",
    "learn evaluate",
    "dnsbl lookup",
    "dnsbl health",
    "replay",
    "trace",
    "quarantine list",
    "quarantine show",
    "quarantine export",
    "quarantine explain",
    "quarantine delete",
    "quarantine release",
    "quarantine restore",
    "quarantine learn",
    "quarantine campaigns",
    "quarantine purge",
    "quarantine stats",
    "quarantine verify",
    "quarantine review",
    "rules backtest",
}


def _commands(command: Any, name: str = "") -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children is None:
        yield name
    for part, child in (children or {}).items():
        yield from _commands(child, f"{name} {part}".strip())


COMMANDS = sorted(_commands(typer.main.get_command(app)))


def test_the_commands_are_there_under_their_names() -> None:
    """People script against them."""
    assert set(COMMANDS) >= PINNED


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_text_has_an_example_of_its_own_command(name: str) -> None:
    """An example says more than a list of options."""
    done = CliRunner().invoke(app, [*name.split(), "--help"], terminal_width=200)
    assert done.exit_code == 0
    assert f"Example: filterd {name}" in " ".join(done.output.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_texts_lose_nothing(name: str) -> None:
    """Names of tables in brackets and the asterisks of globs stand there as they were written."""
    command: Any = typer.main.get_command(app)
    for word in name.split():
        command = command.commands[word]
    done = CliRunner().invoke(app, [*name.split(), "--help"], terminal_width=200)
    shown = " ".join(done.output.split())
    texts = [command.help, *[one.help for one in command.params if one.help]]
    assert [text for text in texts if " ".join(text.split()) not in shown] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_wrong_usage(name: str) -> None:
    """Exit 2, before anything is done."""
    done = CliRunner().invoke(app, [*name.split(), "--no-such-option"])
    assert done.exit_code == 2
    assert "--no-such-option" in done.output


@pytest.mark.parametrize("arguments", [["no-such-command"], ["scan"], ["quarantine", "show"], ["scan", "--jobs", "x"]])
def test_wrong_usage_is_exit_2(arguments: list[str]) -> None:
    """An unknown command, a missing argument, a wrong value."""
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_an_action_to_fail_on_must_be_one() -> None:
    """The error lists those there are."""
    done = CliRunner().invoke(app, ["scan", "--fail-on", "rejekt", "x.eml"])
    assert done.exit_code == 2
    assert "'add_header'" in done.output


def test_version_names_what_it_stands_on() -> None:
    """Text and JSON say the same."""
    plain, json = (CliRunner().invoke(app, ["version", *more]) for more in ([], ["--json"]))
    assert (plain.exit_code, json.exit_code) == (0, 0)
    for part in ("filterd", "python", "pymilter", "yara-python"):
        assert f"{part}\t" in plain.output
        assert f'"{part}":' in json.output
