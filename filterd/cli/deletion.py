"""filterd quarantine delete."""

from typing import Annotated

import typer

from filterd.cli.acting import actor
from filterd.cli.common import ConfigOption, JsonOption, configuration, print_json
from filterd.cli.likeness import CampaignOption, members
from filterd.cli.quarantine import opened
from filterd.cli.release import DryRun, Yes, show_chosen, sure
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
)
from filterd.cli.teaching import taught, tell_lessons


def delete(
    identifiers: Ids = None,
    sender: Sender = None,
    recipient: Recipient = None,
    subject: Subject = None,
    reason: Reason = None,
    rule: Rule = None,
    since: Since = None,
    score: Score = None,
    campaign: CampaignOption = None,
    learn: Annotated[bool, typer.Option("--learn", help="Have the classifier learn each as spam.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Delete held messages with their copies: by id, or all that the options find; `restore` takes it back.

    Their files stay for [quarantine] undo days; the ledger keeps that they were there and who deleted them. Exit code 1
    where one was not deleted, or not learnt.

    Example: filterd quarantine delete 01JD3W7Q4Z5S8V1N2M3K4P5R6T

    Example: filterd quarantine delete --campaign 01JD3W7Q4Z5S8V1N2M3K4P5R6T --learn
    """
    wanted = filter_of(sender, recipient, subject, reason, rule, since, score)
    settings = configuration(config)
    with opened(config) as quarantine:
        within = members(settings, quarantine, campaign).entries if campaign else None
        entries = chosen(quarantine, identifiers, wanted, within)
        if dry_run or not entries or not sure("delete", entries, yes=yes or bool(identifiers)):
            show_chosen(entries, json=json)
            return
        gone = {entry.id: quarantine.delete(entry.id, actor()) for entry in entries}
        for identifier, why in gone.items():
            if json:
                print_json({"id": identifier, "deleted": not why, "problem": why or ""})
            else:
                typer.echo(f"{identifier} {f'not deleted: {why}' if why else 'deleted'}")
        deleted = [identifier for identifier, why in gone.items() if not why]
        lessons = taught(settings, quarantine, "spam", deleted if learn else [])
    tell_lessons("spam", lessons, json=json)
    if any(gone.values()) or any(one.problem for one in lessons.values()):
        raise typer.Exit(1)
