"""filterd config: look at the configuration."""

import time

import typer

from filterd.app import data_files
from filterd.cli.common import ConfigOption, JsonOption, configuration, print_json, safe, site
from filterd.config.reference import as_toml

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
def default() -> None:
    """Print a configuration file with every key at its default and its explanation.

    Example: filterd config default > /etc/filterd/filterd.toml
    """
    typer.echo(as_toml(None))
