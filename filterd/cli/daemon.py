"""filterd run, version: the daemon as a whole."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from filterd import __version__
from filterd.app import Commanded, ConfigError, StartRefusedError, run_daemon
from filterd.cli.common import ConfigOption, JsonOption, fail, print_json, print_table

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
