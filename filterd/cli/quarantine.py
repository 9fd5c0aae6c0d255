"""filterd quarantine: look after held mail."""

import os
import pwd
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from filterd.app import open_quarantine
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, safe
from filterd.cli.held import as_json, describe
from filterd.cli.selection import Reason, Rule, Score, Sender, Since, Subject, moment
from filterd.model.custody import CustodyError
from filterd.quarantine import Actor, Entry, EntryFilter, EvidenceError, Quarantine, State

MAX_HEADER: Final = 1 << 20  # bytes; an MTA's own limit is a tenth of it

app = typer.Typer(help="Look after held mail. Example: filterd quarantine list", no_args_is_help=True)
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The id that list shows.")]
StateOption = Annotated[State, typer.Option(help="What has become of them.")]


@app.command("list")
def list_(  # one option for each thing that is looked for
    config: ConfigOption = None,
    sender: Sender = None,
    to: Annotated[str | None, typer.Option(help="Part of a recipient.")] = None,
    subject: Subject = None,
    reason: Reason = None,
    rule: Rule = None,
    since: Since = None,
    score: Score = None,
    state: StateOption = State.HELD,
    before: Annotated[str | None, typer.Option(help="Older than this id: the last one of the page before.")] = None,
    limit: Annotated[int, typer.Option(help="Entries at most.", min=1)] = 50,
    json: JsonOption = False,
) -> None:
    """List held messages, newest first; copies of one message that was sent again count as one.

    Example: filterd quarantine list --from example.org --json
    """
    wanted = EntryFilter(
        state=state,
        sender=sender,
        recipient=to,
        subject=subject,
        code=reason,
        symbol=rule,
        since=moment(since),
        min_score=score,
    )
    with opened(config) as quarantine:
        entries = quarantine.entries(wanted, before=before, limit=limit)
    if json:
        for entry in entries:
            print_json(as_json(entry))
        return
    columns = ("id", "received", "from", "to", "reason", "score", "copies", "subject")
    print_table(columns, [_row(entry) for entry in entries])


@app.command()
def show(identifier: IdArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show why a message is held: envelope, verdict, symbols, authentication, parts, and what was done with it.

    Example: filterd quarantine show 01JD3W7Q4Z5S8V1N2M3K4P5R6T
    """
    with opened(config) as quarantine:
        entry = _entry(quarantine, identifier)
        evidence = None
        with suppress(KeyError):  # deleted: the entry is all that is left
            evidence = quarantine.evidence(identifier)
        quarantine.note(actor(), "view", identifier)
        audit = quarantine.audit(identifier)
    if json:
        print_json(as_json(entry, evidence, audit))
    else:
        for line in describe(entry, evidence, audit):
            typer.echo(safe(line))


@app.command()
def export(
    identifier: IdArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, which must not exist; - for stdout.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="The whole message as received, live attachments included.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Write a held message to a file: without --raw its header alone, which cannot hurt anybody who opens it.

    Example: filterd quarantine export --raw --output suspect.eml 01JD3W7Q4Z5S8V1N2M3K4P5R6T
    """
    with opened(config) as quarantine:
        _entry(quarantine, identifier)
        with quarantine.open_raw(identifier) as source:
            _write(source if raw else _header(source), output)
        quarantine.note(actor(), "export raw" if raw else "export header", identifier)


@app.command()
def delete(
    identifiers: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids that list shows.")],
    config: ConfigOption = None,
) -> None:
    """Delete held messages with their copies; until their files go, `restore` takes that back.

    The ledger keeps that they were there and who deleted them.

    Example: filterd quarantine delete 01JD3W7Q4Z5S8V1N2M3K4P5R6T
    """
    with opened(config) as quarantine:
        for identifier in identifiers:
            _entry(quarantine, identifier)
        for identifier in identifiers:
            why = quarantine.delete(identifier, actor())
            typer.echo(f"{identifier} {f'not deleted: {why}' if why else 'deleted'}")


@contextmanager
def opened(config: Path | None) -> Iterator[Quarantine]:
    """The quarantine; what goes wrong with it ends the command in words."""
    quarantine = open_quarantine(configuration(config))
    try:
        yield quarantine
    except KeyError as error:
        fail(f"its files are gone: {error.args[0]}")
    except (CustodyError, EvidenceError, OSError, sqlite3.Error) as error:
        fail(f"quarantine: {error}")
    finally:
        quarantine.close()


def _entry(quarantine: Quarantine, identifier: str) -> Entry:
    entry = quarantine.entry(identifier)
    if entry is None:
        fail(f"no such entry: {safe(identifier[:40])}; expected an id that `filterd quarantine list` shows")
    return entry


def actor() -> Actor:
    """Who is acting: the account, behind sudo the person's; from the terminal, or the host that ssh names."""
    name = os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    ssh = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    terminal = os.ttyname(0) if os.isatty(0) else ""
    return Actor(name, f"ssh from {safe(ssh[:100])}" if ssh else terminal or "a script")


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        entry.id,
        datetime.fromtimestamp(entry.received, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        entry.sender,
        ", ".join(entry.recipients),
        entry.code,
        f"{entry.score:.1f}",
        str(entry.copies),
        entry.subject,
    )


def _write(source: BinaryIO, output: Path) -> None:
    """To a new file of ours alone, never through a link; or to standard output."""
    if str(output) == "-":
        shutil.copyfileobj(source, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        fail(f"{output} exists: name a file that does not")
    with os.fdopen(descriptor, "wb") as target:
        shutil.copyfileobj(source, target)


def _header(source: BinaryIO) -> BinaryIO:
    """What stands before the first empty line, within a bound."""
    head = source.read(MAX_HEADER)
    return BytesIO(head.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
