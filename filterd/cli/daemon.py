"""filterd run, reload, status, version: the daemon as a whole."""

import os
import platform
import signal
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Annotated, Any

import typer

from filterd import __version__
from filterd.app import (
    Commanded,
    Config,
    ConfigError,
    StartRefusedError,
    StillStartingError,
    read_status,
    run_daemon,
)
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, site

LIBRARIES = ("pymilter", "dnspython", "yara-python", "redis", "structlog", "cryptography")


def run(
    config: ConfigOption = None,
    listen: Annotated[str, typer.Option(help="Listen here instead of [milter] listen, e.g. inet:8891@127.0.0.1.")] = "",
) -> None:
    """Serve the MTA in the foreground until SIGTERM.

    Example: filterd run --config /etc/filterd/filterd.toml
    """
    try:
        status = run_daemon(Commanded(config, listen))
    except (ConfigError, StartRefusedError) as error:
        fail(str(error))
    raise typer.Exit(status)


def reload(config: ConfigOption = None) -> None:
    """Have the running daemon read its configuration and rules again; open sessions end undisturbed.

    Example: filterd reload
    """
    found = _running(site(config).config)  # what does not load is said here, not only in the daemon's log
    os.kill(int(found["pid"]), signal.SIGUSR1)
    typer.echo(f"told {found['pid']} to reload; its log says when the new fronts serve")


def status(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show the running daemon: processes, sandbox level, rules, and which block lists mail is unprotected by.

    Example: filterd status --json
    """
    found = _running(configuration(config))
    if json:
        print_json(found)
    else:
        lists, since = found.pop("suspended_lists"), found.pop("unprotected_since")
        rows = [(key, str(value)) for key, value in found.items()]
        print_table(("what", "value"), [*rows, *_protection(lists, since)])


def _running(config: Config) -> dict[str, Any]:
    """What the daemon says of itself, or the end of this command."""
    try:
        found = read_status(config)
    except StillStartingError as error:
        fail(str(error))
    if found is None:
        fail("no daemon is running with this configuration")
    return found


def _protection(lists: dict[str, dict[str, str]] | None, since: str | None) -> Iterator[tuple[str, str]]:
    """What a person should know of block lists that are not asked."""
    if lists is None:
        yield "block lists", "unknown: the shared state or the rules cannot be read"
    elif not lists:
        yield "block lists", "all are asked"
    else:
        yield "unprotected since", f"{since}: mail is not checked against {', '.join(lists)}"
        for name, entry in lists.items():
            yield f"suspended {name}", f"since {entry['since']}: {entry['reason']}"


def version(json: JsonOption = False) -> None:
    """Print the versions of filterd and of what it stands on.

    Example: filterd version
    """
    found = {"filterd": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version_of(library)
        except PackageNotFoundError:
            found[library] = "missing"
    if json:
        print_json(found)
    else:
        print_table(("part", "version"), list(found.items()))
