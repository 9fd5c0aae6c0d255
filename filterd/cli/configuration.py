"""filterd config: look at the configuration."""

import time
from typing import Annotated

import typer

from filterd.app import data_files
from filterd.cli.common import ConfigOption, JsonOption, configuration, print_json, safe, site
from filterd.config.reference import as_toml
from filterd.operations.policies import lines, policy_of

app = typer.Typer(
    help="Look at the configuration. Example: filterd config check --config filterd.toml", no_args_is_help=True
)


@app.command()
def check(config: ConfigOption = None) -> None:
    """Check the configuration and the rules it names; exit 1 with every problem in words.

    Example: filterd config check --config /etc/filterd/filterd.toml
    """
    for entry in site(config).indicators.expired(time.time()):
        typer.echo(f"indicators.toml: {entry.name} of {entry.owner} expired on {entry.expires}: it does not count")
    for problem in data_files(configuration(config), config, None).problems:
        typer.echo(safe(f"{problem}; the file is left out"))
    typer.echo("ok")


@app.command()
def show(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Print the configuration in force, defaults filled in.

    Example: filterd config show --json
    """
    settings = configuration(config)
    if json:
        print_json(settings.model_dump(mode="json"))
    else:
        typer.echo(as_toml(settings))


@app.command()
def policy(
    addresses: Annotated[list[str], typer.Argument(metavar="ADDRESS...", help="Recipients.")],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say which policy mail for an address has, and what in it is not as for everybody.

    Example: filterd config policy user@example.org postmaster@example.org
    """
    rules = site(config)
    for number, address in enumerate(addresses):
        found = policy_of(rules.config, rules.policies, address)
        if json:
            print_json(found)
            continue
        if number:
            typer.echo()
        for line in lines(found, rules.config):
            typer.echo(safe(line))


@app.command()
def default() -> None:
    """Print a configuration file with every key at its default and its explanation.

    Example: filterd config default > /etc/filterd/filterd.toml
    """
    typer.echo(as_toml(None))
