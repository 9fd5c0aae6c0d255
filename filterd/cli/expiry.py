"""filterd quarantine expire: what has waited for too long, or is too much, and what would be under other settings."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice

import typer

from filterd.app import limits_of
from filterd.cli.acting import actor
from filterd.cli.common import ConfigOption, JsonOption, print_json, print_table, site
from filterd.cli.quarantine import opened
from filterd.cli.release import DryRun, Yes
from filterd.operations.retention import Due, due
from filterd.operations.upkeep import expire as expired
from filterd.quarantine import Quarantine

MAX_AT_ONCE = 10_000  # entries that one run takes: more are another run's


def expire(dry_run: DryRun = False, yes: Yes = False, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Expire what has waited for too long, or is too much, as [quarantine] and its classes say; legal hold is spared.

    The daemon does the same every ten minutes. With --dry-run and the file of another configuration it shows what that
    one would have go, before it is put to use. `restore` takes it back for [quarantine] undo days.

    Example: filterd quarantine expire --dry-run --config new.toml
    """
    limits = limits_of(site(config).config)
    with opened(config) as quarantine:
        found = list(islice(due(quarantine, limits.everything, limits.classes, time.time()), MAX_AT_ONCE))
        if json:
            for one in found:
                print_json(_plain(one))
        else:
            _show(quarantine, found)
        if dry_run or not found or not (yes or typer.confirm(f"expire {len(found)} messages?")):
            return
        done = expired(quarantine, found, actor())
    if not json:
        more = "; there is more: run it again" if len(found) == MAX_AT_ONCE else ""
        typer.echo(f"{done} of {len(found)} expired{more}")


def _show(quarantine: Quarantine, found: Sequence[Due]) -> None:
    rows = []
    for one in found:
        entry = quarantine.entry(one.entry.id)
        said = (entry.sender, entry.subject) if entry else ("", "")
        since = datetime.fromtimestamp(one.entry.changed, UTC).strftime("%Y-%m-%d")
        rows.append((one.entry.id, one.name or "-", one.entry.code, since, one.why, *said))
    print_table(("id", "class", "reason", "since", "why", "from", "subject"), rows)
    for (name, why), count in Counter([(one.name, one.why) for one in found]).items():
        typer.echo(f"{name or 'no class'}: {count} {why}", err=True)


def _plain(one: Due) -> dict[str, str | int | float]:
    entry = one.entry
    return {
        "id": entry.id,
        "class": one.name,
        "reason": entry.code,
        "since": entry.changed,
        "bytes": entry.size,
        "why": one.why,
    }
