"""filterd quarantine campaigns: held messages that are alike, as one."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from filterd.cli.common import ConfigOption, JsonOption, configuration, print_json, print_table
from filterd.cli.likeness import grouped
from filterd.cli.listing import moment_of
from filterd.cli.quarantine import opened
from filterd.operations.campaigns import LEAST, Campaign

SHOWN: Final = 3  # senders and subjects of a campaign; --json has all


def campaigns(
    least: Annotated[int, typer.Option("--least", help="Only campaigns of so many messages or more.", min=1)] = LEAST,
    limit: Annotated[int, typer.Option(help="Campaigns at most, the largest first.", min=1)] = 50,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show held messages that are alike in text, links and files as one: how many, since when, from whom, about what.

    `list`, `release`, `delete` and `learn` take the id as --campaign. What is new is read by inspectors first, a minute
    for some ten thousand messages, and known from then on.

    Example: filterd quarantine campaigns --least 5
    """
    with opened(config) as quarantine:
        found = [one for one in grouped(configuration(config), quarantine) if one.messages >= least][:limit]
    if json:
        for one in found:
            print_json(_plain(one))
        return
    print_table(("id", "messages", "first", "last", "senders", "subjects"), [_row(one) for one in found])


def _row(campaign: Campaign) -> tuple[str, ...]:
    first, last = campaign.span
    count, times = str(campaign.messages), (moment_of(first), moment_of(last))
    return (campaign.id, count, *times, _most(campaign.senders()), _most(campaign.subjects()))


def _most(counted: Sequence[tuple[str, int]]) -> str:
    more = f" and {len(counted) - SHOWN} more" if len(counted) > SHOWN else ""
    return " | ".join([text or "<>" for text, _ in counted[:SHOWN]]) + more


def _plain(campaign: Campaign) -> dict[str, Any]:
    first, last = campaign.span
    return {
        "id": campaign.id,
        "messages": campaign.messages,
        "first": first,
        "last": last,
        "senders": [{"sender": text, "messages": count} for text, count in campaign.senders()],
        "subjects": [{"subject": text, "messages": count} for text, count in campaign.subjects()],
        "ids": [entry.id for entry in campaign.entries],
    }
