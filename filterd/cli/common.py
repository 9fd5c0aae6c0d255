"""What the commands share: options, failing with words, tables for people and lines for scripts."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from filterd.app import Config, ConfigError, Site, load_config, load_site
from filterd.config.secrets import masked, masked_line
from filterd.model.ids import is_id

ID_WIDTH: Final = 26  # columns of an id
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Configuration file; default /etc/filterd/filterd.toml, else built-in defaults."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per line instead of text.")]


def configuration(path: Path | None, *, nameserver: str = "") -> Config:
    """The configuration, or the end of this command with every problem in words."""
    try:
        return load_config(path, nameserver=nameserver)
    except ConfigError as error:
        fail(str(error))


def site(path: Path | None, *, nameserver: str = "") -> Site:
    """The configuration with the rules it names, or the end of this command with every problem in words."""
    config = configuration(path, nameserver=nameserver)
    try:
        return load_site(config, path)
    except ConfigError as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    """End with status 1 and say why on standard error."""
    typer.echo(masked(message), err=True)
    raise typer.Exit(1)


def print_json(value: Any) -> None:
    """One line of JSON; text that is no valid Unicode is escaped, never an error."""
    try:
        line = orjson.dumps(value)
    except TypeError:
        line = orjson.dumps(_clean(value))
    if not line.isascii():
        # What a terminal obeys beyond ASCII (C1, bidi) can only stand inside strings, where JSON has an escape for it.
        line = "".join([c if c.isprintable() else _escaped(c) for c in line.decode()]).encode()
    sys.stdout.buffer.write(masked_line(line) + b"\n")
    sys.stdout.buffer.flush()


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", styles: Sequence[str] = ()
) -> None:
    """A table on a terminal; elsewhere one line per row, cells parted by tabs, so that cut and awk can read it.

    `styles` has a style of rich's for each row; without colours (NO_COLOR) it is of no account. Ids are shown whole,
    however narrow the terminal is: they are there to be copied.
    """
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(safe(masked(cell)) for cell in row))
        return
    table, cells = Table(title=title or None), list(rows)
    for number, name in enumerate(columns):
        whole = any(is_id(row[number]) for row in cells)
        table.add_column(name, no_wrap=whole, min_width=ID_WIDTH if whole else None)
    for number, row in enumerate(cells):
        style = styles[number] if styles else None
        table.add_row(*[escape(safe(masked(cell))) for cell in row], style=style or None)
    Console().print(table)


def safe(text: str) -> str:
    """Hostile text for a terminal: control, format (bidi) and undecodable characters become visible escapes."""
    if text.isprintable():  # false for every character of the categories C and Z but the blank
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def _escaped(character: str) -> str:
    """One character as JSON escapes it."""
    return json.dumps(character)[1:-1]


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {str(_clean(key)): _clean(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(entry) for entry in value]
    return value
