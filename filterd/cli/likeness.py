"""Held mail by campaign, for the commands: sketches are made where they are missing, with a bar for whoever watches."""

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import track

from filterd.app import Config, StartError, open_viewers
from filterd.cli.acting import actor
from filterd.cli.common import fail, safe
from filterd.inspectors import InspectorFailure
from filterd.model.ids import is_id
from filterd.model.inspection import Shown
from filterd.operations import campaigns
from filterd.operations.campaigns import MOST, Campaign
from filterd.operations.likeness import Sketch
from filterd.quarantine import Entry, Quarantine

FILE: Final = "sketches"  # under [paths] state
CampaignOption = Annotated[
    str | None, typer.Option("--campaign", metavar="ID", help="Alike to this one: an id that campaigns or list shows.")
]


def grouped(config: Config, quarantine: Quarantine) -> list[Campaign]:
    """All that waits, by what it is alike in; the command ends where inspectors do not start."""
    entries, whole = campaigns.waiting(quarantine)
    if not whole:
        typer.echo(f"only the newest {MOST} messages are compared", err=True)
    return campaigns.campaigns(entries, _sketches(config, quarantine, entries))


def members(config: Config, quarantine: Quarantine, identifier: str) -> Campaign:
    """The campaign that a waiting message belongs to; the command ends where there is none."""
    if not is_id(identifier):
        fail(f"no such campaign: {safe(identifier[:40])}; expected an id that `filterd quarantine campaigns` shows")
    found = campaigns.campaign_of(grouped(config, quarantine), identifier)
    if found is None:
        fail(f"{identifier} does not wait for anybody: `filterd quarantine campaigns` shows what does")
    return found


def look_at(config: Config, quarantine: Quarantine, entry: Entry) -> Shown | None:
    """The message as a person would see it; None where no inspector shows it, which is said."""
    try:
        with open_viewers(config, 1) as (inspect, _):
            return campaigns.look(quarantine, inspect, entry)
    except (StartError, InspectorFailure, KeyError, OSError) as error:
        typer.echo(safe(f"its text cannot be shown: {error}"), err=True)
        return None


def _sketches(config: Config, quarantine: Quarantine, entries: list[Entry]) -> dict[str, Sketch]:
    """Of all entries, from the file where it has them; those that nobody needs any more are forgotten."""
    path = config.state_directory / FILE
    known = campaigns.load(path)
    missing = campaigns.missing(entries, known)
    if missing:
        quarantine.note_many(actor(), "view", f"{len(missing)} messages, to find campaigns")  # before they are read
        try:
            with open_viewers(config) as (inspect, workers):
                made: Iterable[tuple[str, Sketch]] = campaigns.sketched(quarantine, inspect, workers, missing)
                if sys.stderr.isatty():
                    made = track(made, "reading held mail", len(missing), console=Console(stderr=True))
                known |= dict(made)
        except StartError as error:
            fail(str(error))
    used = {entry.sha256: known[entry.sha256] for entry in entries}
    if missing:
        with suppress(OSError):  # who may look need not be allowed to write: it is made again then
            # What could not be read has none. It is tried again: the store may have been away.
            campaigns.keep(path, {sha256: sketch for sha256, sketch in used.items() if sketch})
    return used
