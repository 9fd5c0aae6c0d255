"""filterd report: what became of the mail of some days."""

import os
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from filterd.app import report_of
from filterd.cli.common import ConfigOption, JsonOption, fail, print_json, print_table, safe, site
from filterd.cli.selection import moment
from filterd.operations.report_html import page
from filterd.operations.report_tables import tables

MOST: Final = 1_000  # rows of a table


def report(
    since: Annotated[str, typer.Option(help="Received since then: 7d, 12h or 2026-11-25 or 2026-11-25T14:00.")] = "7d",
    top: Annotated[int, typer.Option(help="Rows of what there may be any number of.", min=1, max=MOST)] = 20,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it with plots to this file, for yourself alone to read.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say what became of the mail: verdicts, reasons, rules, lists, latency, senders, what was held by mistake.

    It is made from this host's journal and from the ledger of held mail. Exit 1 where either cannot be read; what
    there is of the other is shown.

    Example: filterd report --since 7d

    Example: filterd report --since 30d --html report.html
    """
    rules = site(config)
    begin, now = moment(since) or 0.0, time.time()
    try:
        with _shown(begin, now) as progress:
            found, trouble = report_of(rules, begin, now, top, progress)
    except (OSError, sqlite3.Error) as error:
        fail(safe(f"journal: {error}"))
    if html is not None:
        _write(html, page(found, socket.gethostname()))
    if json:
        print_json({**msgspec.to_builtins(found), "held_error": trouble})
    elif html is None:
        for table in tables(found):
            if sys.stdout.isatty():
                print_table(table.columns, table.rows, title=table.title)
            else:
                print_table(("table", *table.columns), [(table.name, *row) for row in table.rows])
    if trouble:
        fail(safe(f"nothing is known of held mail: {trouble}"))


@contextmanager
def _shown(begin: float, end: float) -> Iterator[Callable[[int, float], None]]:
    """How far the reading is, for who looks on: by the time of the last row, since to count rows is to read them.

    On a terminal alone, on standard error, and gone when it is done.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("reading the journal", total=max(end - begin, 1.0))
        yield lambda rows, at: bar.update(task, description=f"{rows:,} verdicts read", completed=at - begin)


def _write(path: Path, text: str) -> None:
    """All of it or nothing; whoever has written to whom is nobody else's business."""
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        fail(safe(f"{path}: {error.strerror}; expected a file that can be written"))
