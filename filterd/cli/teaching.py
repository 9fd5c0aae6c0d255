"""filterd quarantine learn, and --learn of release and delete: what was decided teaches the classifier."""

import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from filterd.app import Config
from filterd.cli.acting import actor
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, safe
from filterd.cli.likeness import CampaignOption, members
from filterd.cli.quarantine import opened
from filterd.cli.selection import Ids, chosen
from filterd.operations.teaching import Lesson, teach
from filterd.quarantine import EntryFilter, Quarantine
from filterd.quarantine.entries import WAITING


class Label(StrEnum):
    """What mail can be learnt as."""

    SPAM = "spam"
    HAM = "ham"


def learn(
    label: Annotated[Label, typer.Argument(help="What they are.")],
    identifiers: Ids = None,
    campaign: CampaignOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Have the classifier learn held messages, also such as were released or deleted, while their files are there.

    What it has learnt already it passes over. Exit code 1 where one was not learnt.

    Example: filterd quarantine learn spam 01JD3W7Q4Z5S8V1N2M3K4P5R6T
    """
    settings = configuration(config)
    with opened(config) as quarantine:
        within = members(settings, quarantine, campaign).entries if campaign else None
        entries = chosen(quarantine, identifiers, EntryFilter(states=WAITING), within)
        lessons = taught(settings, quarantine, label, [entry.id for entry in entries])
    tell_lessons(label, lessons, json=json)
    if any(one.problem for one in lessons.values()):
        raise typer.Exit(1)


def taught(config: Config, quarantine: Quarantine, label: str, ids: Sequence[str]) -> Mapping[str, Lesson]:
    """Have these learnt, all in one go; what became of each. What is missing for that ends the command."""
    if not ids:
        return {}
    # numpy would otherwise start threads for each core, of which nothing here makes use; it is loaded by this import.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from filterd.app.learning import TROUBLE, lessons  # noqa: PLC0415  # numpy: no other command pays for it

    found: dict[str, Lesson] = {}
    try:
        with lessons(config) as school:
            for one in teach(quarantine, school.learn, label, ids, actor()):
                found[one.id] = one
    except TROUBLE as error:
        fail(safe(f"{len(ids) - len(found)} not learnt: {error}; later: filterd quarantine learn {label} ID..."))
    return found


def tell_lessons(label: str, lessons: Mapping[str, Lesson], *, json: bool) -> None:
    """Print what became of each."""
    for one in lessons.values():
        if json:
            print_json({"id": one.id, "learnt": one.became, "problem": one.problem})
        elif one.problem:
            typer.echo(safe(f"{one.id} not learnt: {one.problem}"))
        else:
            typer.echo(f"{one.id} {'was known' if one.became == 'known' else one.became} as {label}")
