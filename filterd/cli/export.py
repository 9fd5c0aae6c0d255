"""filterd quarantine export: a held message leaves, in a form that hurts nobody unless that was asked for."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from filterd.cli.acting import actor
from filterd.cli.common import ConfigOption, configuration, fail, safe
from filterd.cli.likeness import CampaignOption, members
from filterd.cli.quarantine import opened
from filterd.cli.selection import Ids, chosen
from filterd.operations.export import PASSWORD, packed
from filterd.quarantine import Entry, EntryFilter, Quarantine
from filterd.quarantine.entries import WAITING

MAX_HEADER: Final = 1 << 20  # bytes; an MTA's own limit is a tenth of it
MAX_PASSWORD: Final = 1_000  # characters
STDOUT: Final = "-"


def export(
    identifiers: Ids = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write, which must not exist; - for stdout.")
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="The whole message as received, live attachments included.")
    ] = False,
    zipped: Annotated[
        bool, typer.Option("--zip", help="Whole messages with their evidence and a manifest, in an encrypted zip.")
    ] = False,
    campaign: CampaignOption = None,
    ask_password: Annotated[bool, typer.Option("--ask-password", help="Ask for the zip's password.")] = False,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="The first line of this file is the zip's password.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write a held message to a file: without --raw or --zip its header alone, which cannot hurt anybody.

    --zip takes several, is encrypted with AES-256 under "infected" unless another password is given, and calls a
    message ID.eml.txt, so that no mail program opens it; 7-Zip unpacks it.

    Example: filterd quarantine export --zip --output suspect.zip 01JD3W7Q4Z5S8V1N2M3K4P5R6T

    Example: filterd quarantine export --raw --output suspect.eml 01JD3W7Q4Z5S8V1N2M3K4P5R6T
    """
    if output is None:
        raise typer.BadParameter("expected a file to write, or - for stdout", param_hint="--output")
    if raw and zipped:
        raise typer.BadParameter("expected one of --raw and --zip")
    password = _password(ask=ask_password, file=password_file, zipped=zipped)
    with opened(config) as quarantine:
        within = members(configuration(config), quarantine, campaign).entries if campaign else None
        entries = chosen(quarantine, identifiers, EntryFilter(states=WAITING), within)
        if not zipped and len(entries) != 1:
            fail(f"{len(entries)} messages do not go into one file: export one, or all of them with --zip")
        if zipped:
            _zip(quarantine, entries, output, password)
        else:
            _plain(quarantine, entries[0], output, raw=raw)


def _plain(quarantine: Quarantine, entry: Entry, output: Path, *, raw: bool) -> None:
    with quarantine.open_raw(entry.id) as source, _target(output) as target:
        quarantine.note(actor(), "export raw" if raw else "export header", entry.id)  # before a byte has left
        shutil.copyfileobj(source if raw else _header(source), target)


def _zip(quarantine: Quarantine, entries: list[Entry], output: Path, password: str) -> None:
    with _target(output) as target:
        for entry in entries:
            quarantine.note(actor(), "export zip", entry.id)
        packed(quarantine, entries, target.write, password=password, who=actor(), now=time.time())


def _password(*, ask: bool, file: Path | None, zipped: bool) -> str:
    """The zip's password. It is never an argument: those are seen by everybody on the host."""
    if (ask or file is not None) and not zipped:
        raise typer.BadParameter("a password is for --zip alone")
    if ask and file is not None:
        raise typer.BadParameter("expected one of --ask-password and --password-file")
    if ask:
        return str(typer.prompt("Password of the zip", hide_input=True, confirmation_prompt=True, err=True))
    if file is None:
        return PASSWORD
    try:
        with file.open(encoding="utf-8") as source:
            first = source.readline(MAX_PASSWORD).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        fail(safe(f"{file}: {error}; expected a file whose first line is the password"))
    if not first:
        fail(safe(f"{file}: expected a password as its first line"))
    return first


@contextmanager
def _target(output: Path) -> Iterator[BinaryIO]:
    """A new file of ours alone, never through a link; or standard output. What was not finished does not stay."""
    if str(output) == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        fail(f"{output} exists: name a file that does not")
    try:
        with os.fdopen(descriptor, "wb") as target:
            yield target
    except BaseException:
        output.unlink(missing_ok=True)
        raise


def _header(source: BinaryIO) -> BinaryIO:
    """What stands before the first empty line, within a bound."""
    head = source.read(MAX_HEADER)
    return BytesIO(head.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
