"""filterd quarantine release, restore, keep, purge: what changes the fate of held mail."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Final

import typer

from filterd.app import open_journal, releaser_of
from filterd.cli.acting import actor
from filterd.cli.allowing import Allow, AllowClient, Expires, planned
from filterd.cli.allowing import wanted as allowing
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, safe
from filterd.cli.held import as_json
from filterd.cli.likeness import CampaignOption, members
from filterd.cli.quarantine import opened
from filterd.cli.selection import (
    Ids,
    Reason,
    Recipient,
    Rule,
    Score,
    Sender,
    Since,
    Subject,
    chosen,
    filter_of,
    matching,
)
from filterd.cli.teaching import taught, tell_lessons
from filterd.operations.allowing import address_hash
from filterd.operations.release import Released
from filterd.operations.teaching import wish
from filterd.quarantine import Entry, EntryFilter, Quarantine, State

_ALL: Final = tuple(State)
Targets = Annotated[list[str] | None, typer.Option("--to", help="Deliver to this address instead; may be repeated.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done, and do nothing.")]


def release(
    identifiers: Ids = None,
    to: Targets = None,
    sender: Sender = None,
    recipient: Recipient = None,
    subject: Subject = None,
    reason: Reason = None,
    rule: Rule = None,
    since: Since = None,
    score: Score = None,
    campaign: CampaignOption = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was delivered before.")] = False,
    learn: Annotated[
        bool, typer.Option("--learn", help="Have the classifier learn each as good mail, once it is delivered.")
    ] = False,
    allow: Allow = False,
    allow_client: AllowClient = False,
    expires: Expires = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Give held messages back to the MTA, to their recipients: by id, or all that the options find.

    Exit code 1 where one of them was not delivered now, or not learnt; what the MTA put off is tried again by the
    daemon, which then learns it, too.

    Example: filterd quarantine release --from newsletter.example --since 2d

    Example: filterd quarantine release --learn 01JD3W7Q4Z5S8V1N2M3K4P5R6T

    Example: filterd quarantine release --allow --expires 90d 01JD3W7Q4Z5S8V1N2M3K4P5R6T
    """
    how = allowing(allow=allow, client=allow_client, expires=expires)
    wanted = filter_of(sender, recipient, subject, reason, rule, since, score)
    settings = configuration(config)
    with opened(config) as quarantine:
        within = members(settings, quarantine, campaign).entries if campaign else None
        entries = chosen(quarantine, identifiers, wanted, within)
        allowed = planned(settings, quarantine, entries, how, again=again) if how else None
        if dry_run or not entries or not sure("release", entries, yes=yes or bool(identifiers)):
            show_chosen(entries, json=json)
            if allowed:
                allowed.tell("would allow", json=json)
            return
        if allowed:
            allowed.put(json=json)
        releaser = releaser_of(settings, quarantine)
        done = []
        for one in entries:
            if learn:
                wish(quarantine, one.id, actor())  # before: should this end in between, the audit has it
            done.append(releaser.release(one.id, actor(), to=tuple(to or ()), again=again))
        _tell(done, json=json)
        lessons = taught(
            settings, quarantine, "ham", [one.id for one in done if one.state is State.DELIVERED] if learn else []
        )
    tell_lessons("ham", lessons, json=json)
    if not all(one.done for one in done) or any(one.problem for one in lessons.values()):
        raise typer.Exit(1)


def restore(identifiers: Ids = None, config: ConfigOption = None) -> None:
    """Hold again what was deleted or has expired, while its files are there ([quarantine] undo).

    Example: filterd quarantine restore 01JD3W7Q4Z5S8V1N2M3K4P5R6T
    """
    _each(config, identifiers, "restored", lambda quarantine, entry: quarantine.restore(entry.id, actor()))


def keep(
    identifiers: Ids = None,
    off: Annotated[bool, typer.Option("--off", help="End it.")] = False,
    config: ConfigOption = None,
) -> None:
    """Put messages under legal hold: neither expiry nor deletion nor a purge touches them.

    Example: filterd quarantine keep 01JD3W7Q4Z5S8V1N2M3K4P5R6T
    """

    def change(quarantine: Quarantine, entry: Entry) -> None:
        quarantine.keep(entry.id, actor(), on=not off)

    _each(config, identifiers, "no longer kept" if off else "kept", change)


def purge(
    address: Annotated[str, typer.Argument(help="The whole address of a sender or recipient.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    config: ConfigOption = None,
) -> None:
    """Remove all that is kept of a person's mail, now and for good: held messages, their evidence, journal rows.

    The audit keeps that it was done, with a hash of the address. What is under legal hold or being released stays.
    The classifier forgets with `filterd learn forget`.

    Example: filterd quarantine purge anna@example.org
    """
    with opened(config) as quarantine:
        found = {
            entry.id: entry
            for wanted in (EntryFilter(states=_ALL, sender=address), EntryFilter(states=_ALL, recipient=address))
            for entry in _with_copies(quarantine, wanted)
            if address.lower() in {one.lower() for one in (entry.sender, *entry.recipients)}
        }
        entries = list(found.values())
        if dry_run or not sure("purge", entries, yes=yes):
            show_chosen(entries, json=False)
            return
        why = f"address sha256 {address_hash(address)}"
        gone = sum([quarantine.purge(entry.id, actor(), why) for entry in entries])
    with closing(open_journal(configuration(config))) as journal:
        rows = journal.remove(address)
    typer.echo(f"{gone} of {len(entries)} held messages purged, {rows} rows of the journal")
    if gone < len(entries):
        fail(f"{len(entries) - gone} are under legal hold or being released")


def _with_copies(quarantine: Quarantine, wanted: EntryFilter) -> list[Entry]:
    """What a filter finds, with the copies that a listing merges."""
    return [copy for entry in matching(quarantine, wanted) for copy in quarantine.copies(entry)]


def _each(
    config: Path | None, identifiers: Sequence[str] | None, word: str, change: Callable[[Quarantine, Entry], str | None]
) -> None:
    """Change entries one by one; exit code 1 where one would not be changed."""
    failed = False
    with opened(config) as quarantine:
        for entry in chosen(quarantine, identifiers, EntryFilter()):
            why = change(quarantine, entry)
            typer.echo(f"{entry.id} {f'not {word}: {why}' if why else word}")
            failed = failed or why is not None
    if failed:
        raise typer.Exit(1)


def sure(what: str, entries: Sequence[Entry], *, yes: bool) -> bool:
    """Whether to go on."""
    return yes or typer.confirm(f"{what} {len(entries)} messages?")


def show_chosen(entries: Sequence[Entry], *, json: bool) -> None:
    """Show what was found; that it is nothing is said where no script reads it."""
    if not entries:
        typer.echo("nothing is found", err=True)
    if json:
        for one in entries:
            print_json(as_json(one))
        return
    columns = ("id", "from", "to", "reason", "score", "subject")
    print_table(
        columns,
        [(one.id, one.sender, ", ".join(one.recipients), one.code, f"{one.score:.1f}", one.subject) for one in entries],
    )


def _tell(done: Sequence[Released], *, json: bool) -> None:
    for one in done:
        if json:
            print_json({"id": one.id, "state": one.state.value, "text": one.text})
        else:
            typer.echo(f"{one.id} {one.state}: {safe(one.text)}")
