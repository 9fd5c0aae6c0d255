"""Asking the running daemon, for the commands that do: an answer, or the end of the command in words."""

from pathlib import Path
from typing import Annotated, Any

import typer

from filterd.app import Config, StillStartingError, read_status
from filterd.cli.common import configuration, fail, safe
from filterd.control import ControlError, NotRunningError, Request, ask
from filterd.control.client import SECONDS

SocketOption = Annotated[
    Path | None,
    typer.Option("--socket", help="The daemon's socket ([control] listen), for who may not read the configuration."),
]


def asked(path: Path | None, at: Path | None, request: Request, seconds: float = SECONDS) -> dict[str, Any]:
    """What the daemon answers that serves at this socket, or by this configuration."""
    config = None if at is not None else configuration(path)
    try:
        return ask(at or (config or Config()).control_socket, request, seconds)
    except NotRunningError as error:
        fail(str(error) if config is None else _why(config, str(error)))
    except ControlError as error:
        fail(safe(str(error)))


def answered(path: Path | None, at: Path | None, request: Request) -> dict[str, Any] | None:
    """The same, None where nobody answers just now."""
    config = None if at is not None else configuration(path)
    try:
        return ask(at or (config or Config()).control_socket, request)
    except ControlError:
        return None


def _why(config: Config, silence: str) -> str:
    try:
        found = read_status(config)
    except StillStartingError as error:
        return str(error)
    if found is None:
        return "no daemon is running with this configuration"
    return f"{silence}, and one runs (pid {found['pid']}): its log says why (control_failed, beside_failed)"
