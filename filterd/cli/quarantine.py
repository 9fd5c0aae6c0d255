"""filterd quarantine: look after held mail."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from filterd.app import open_quarantine
from filterd.cli.acting import actor
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, safe
from filterd.cli.held import as_json, describe
from filterd.cli.likeness import CampaignOption, look_at, members
from filterd.cli.listing import DEFAULT, Sort, columns_of, ordered, row, style
from filterd.cli.selection import (
    PAGE,
    Reason,
    Rule,
    Score,
    Sender,
    Since,
    Subject,
    among,
    entry_named,
    filter_of,
    matching,
    moment,
)
from filterd.model.custody import CustodyError
from filterd.quarantine import Entry, EntryFilter, EvidenceError, Quarantine, State
from filterd.quarantine.entries import WAITING

app = typer.Typer(help="Look after held mail. Example: filterd quarantine list", no_args_is_help=True)
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The id that list shows, or that a sender was told.")]
ELSEWHERE: Final = (
    'held mail is in the MTA\'s hold queue ([quarantine] mode = "mta-hold"): postqueue -p lists it, postsuper -H'
    " releases a message, -d deletes it; filterd trace and filterd explain know why. Here is what was held for some of"
    " several recipients only, and what was held before"
)
StateOption = Annotated[
    list[State] | None,
    typer.Option(
        "--state", help="What has become of them; may be repeated. Default: what waits for somebody, held and failed."
    ),
]


@app.command("list")
def list_(  # one option for each thing that is looked for
    config: ConfigOption = None,
    sender: Sender = None,
    to: Annotated[str | None, typer.Option("--to", "--recipient", help="Part of a recipient.")] = None,
    subject: Subject = None,
    reason: Reason = None,
    rule: Rule = None,
    since: Since = None,
    until: Annotated[str | None, typer.Option(help="Received before then: as --since.")] = None,
    score: Score = None,
    state: StateOption = None,
    every: Annotated[bool, typer.Option("--all", help="Whatever has become of them.")] = False,
    campaign: CampaignOption = None,
    sort: Annotated[Sort, typer.Option(help="By what; times and numbers from the highest.")] = Sort.RECEIVED,
    reverse: Annotated[bool, typer.Option("--reverse", "-r", help="The other way round.")] = False,
    columns: Annotated[
        str,
        typer.Option(help=f"Which, parted by commas; a wrong one says which there are. Default: {DEFAULT}, or fewer."),
    ] = "",
    before: Annotated[str | None, typer.Option(help="Older than this id: the last one of the page before.")] = None,
    page: Annotated[int, typer.Option(help="Which page, of --limit entries each.", min=1)] = 1,
    limit: Annotated[int, typer.Option(help="Entries at most.", min=1)] = 50,
    json: JsonOption = False,
) -> None:
    """List held messages, newest first; copies of one message that was sent again count as one.

    What the MTA has refused when it was released is there, too: it waits for somebody again (column state). The
    next page is --page 2, or --before with the last id, which misses nothing when mail comes in between. Sorted
    otherwise than by --sort received, what was found has to be 10,000 messages at most.

    Example: filterd quarantine list --from example.org --json

    Example: filterd quarantine list --since 7d --sort score --columns id,score,from,subject --limit 20
    """
    states = tuple(State) if every else tuple(state or WAITING)
    wanted = replace(filter_of(sender, to, subject, reason, rule, since, score, states), until=moment(until))
    names, settings = columns_of(columns), configuration(config)
    first = (page - 1) * limit
    with opened(config) as quarantine:
        if campaign:
            found = ordered(
                among(quarantine, wanted, members(settings, quarantine, campaign).entries), sort, reverse=reverse
            )
        elif sort is Sort.RECEIVED and not reverse:
            found = _newest(quarantine, wanted, before, first + limit)
        else:
            found = ordered(matching(quarantine, wanted), sort, reverse=reverse)
        entries = found[first : first + limit]
    if json:
        for entry in entries:
            print_json(as_json(entry))
        return
    styles = [style(entry, settings.actions.reject) for entry in entries]
    print_table(names, [row(entry, names) for entry in entries], styles=styles)


def _newest(quarantine: Quarantine, wanted: EntryFilter, before: str | None, most: int) -> list[Entry]:
    found: list[Entry] = []
    while len(found) < most:
        got = quarantine.entries(wanted, before=found[-1].id if found else before, limit=min(most - len(found), PAGE))
        if not got:
            break
        found += got
    return found


@app.command()
def show(
    identifier: IdArgument,
    text: Annotated[
        bool | None,
        typer.Option("--text/--brief", help="Text and links as a reader would see them; default: not with --json."),
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show a held message: envelope, verdict, symbols, rules with what they matched, parts, links, text, and its audit.

    The text is read by an inspector; where a link's words name another host than it leads to, that is said.

    Example: filterd quarantine show 01JD3W7Q4Z5S8V1N2M3K4P5R6T
    """
    with opened(config) as quarantine:
        entry = entry_named(quarantine, identifier)
        identifier, evidence = entry.id, None
        with suppress(KeyError):  # deleted: the entry is all that is left
            evidence = quarantine.evidence(identifier)
        quarantine.note(actor(), "view", identifier)
        wanted = evidence is not None and (not json if text is None else text)
        shown = look_at(configuration(config), quarantine, entry) if wanted else None
        audit = quarantine.audit(identifier)
    if json:
        print_json(as_json(entry, evidence, audit, shown))
    else:
        for line in describe(entry, evidence, audit, shown):
            typer.echo(safe(line))


@contextmanager
def opened(config: Path | None, *, upkeep: bool = False) -> Iterator[Quarantine]:
    """The quarantine, with `upkeep` as the user of that; what goes wrong with it ends the command in words.

    Where the site leaves held mail with the MTA, that is said, on standard error: no script reads it there.
    """
    settings = configuration(config)
    if settings.quarantine.mode == "mta-hold":
        typer.echo(ELSEWHERE, err=True)
    try:
        quarantine = open_quarantine(settings, upkeep=upkeep)
    except CustodyError as error:
        fail(str(error))
    try:
        yield quarantine
    except KeyError as error:
        fail(f"its files are gone: {error.args[0]}")
    except (CustodyError, EvidenceError, OSError, sqlite3.Error) as error:
        fail(f"quarantine: {error}")
    finally:
        quarantine.close()
