"""filterd trace: find any message of the last weeks, and what became of it."""

import sqlite3
from contextlib import closing
from typing import Annotated, Any

import typer

from filterd.app import Config, open_journal, open_quarantine
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, safe
from filterd.cli.selection import Since, Subject, moment
from filterd.model.ids import is_id, public_id, siblings
from filterd.model.verdict import Action
from filterd.operations.trace import lines, time_of, traced
from filterd.quarantine import JournalFilter


def trace(  # one option for each thing that is looked for
    sender: Annotated[str | None, typer.Option("--from", help="Part of the envelope sender or the author.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Part of a recipient.")] = None,
    client: Annotated[str | None, typer.Option(help="Client address, or what it begins with.")] = None,
    identifier: Annotated[
        str | None, typer.Option("--id", help="Id, the id a sender was told, queue id or Message-ID.")
    ] = None,
    subject: Subject = None,
    action: Annotated[Action | None, typer.Option(help="What was decided.")] = None,
    since: Since = None,
    until: Annotated[str | None, typer.Option(help="Received before then, written as for --since.")] = None,
    limit: Annotated[int, typer.Option(help="Messages at most.", min=1, max=100_000)] = 50,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Find messages, accepted and refused ones too, newest first, and say what became of them.

    Texts are looked for anywhere in a field, case ignored; with --id all that is known is shown.

    Example: filterd trace --from example.org --to user@example.net --since 2d

    Example: filterd trace --id 4XQ1Zs2Tzz1
    """
    whole = identifier if identifier is not None and is_id(identifier) else ""
    wanted = JournalFilter(
        identifier=public_id(whole) if whole else identifier,
        sender=sender,
        recipient=to,
        subject=subject,
        client=client,
        action=None if action is None else action.value,
        since=moment(since),
        until=moment(until),
    )
    rows = _rows(configuration(config), wanted, limit)
    if whole:  # where recipients have different policies, a message has several rows
        rows = [row for row in rows if siblings(row["id"], whole)]
    if json:
        for row in rows:
            print_json(row)
    elif identifier is not None:
        for number, row in enumerate(rows):
            if number:
                typer.echo()
            for line in lines(row):
                typer.echo(safe(line))
    else:
        columns = ("received", "id", "from", "to", "client", "became", "reason", "score", "subject")
        print_table(columns, [_cells(row) for row in rows])


def _rows(config: Config, wanted: JournalFilter, limit: int) -> list[dict[str, Any]]:
    try:
        with closing(open_journal(config)) as journal, closing(open_quarantine(config)) as quarantine:
            return [traced(row, quarantine.entry) for row in journal.search(wanted, limit=limit)]
    except (OSError, sqlite3.Error) as error:
        fail(f"journal: {error}")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        time_of(row).removesuffix(" UTC"),
        row["id"],
        row["sender"],
        ", ".join(row["recipients"]),
        row["client"],
        row["became"],
        row["code"],
        f"{row['score']:.1f}",
        row["subject"],
    )
