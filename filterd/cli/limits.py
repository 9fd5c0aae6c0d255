"""filterd limits: who has used up how much of which rate, and giving it back."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from filterd.app import open_limits
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, safe
from filterd.limits import Rate
from filterd.model.store import StoreError
from filterd.operations.limits import Standing, fill, fill_all, standings, subject_of
from filterd.store import Buckets

app = typer.Typer(
    help="Who has used up how much of which rate limit ([rates.NAME]). Example: filterd limits show --rate outgoing",
    no_args_is_help=True,
)


@app.command()
def show(
    rate: Annotated[str, typer.Option(help="Of this rate only.")] = "",
    limit: Annotated[int, typer.Option(help="Subjects at most.", min=1, max=10_000)] = 50,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List whoever has sent lately, the one nearest to his limit first; who may send all again is not listed.

    Example: filterd limits show --rate outgoing
    """
    with _opened(config) as (rates, buckets):
        if rate:
            _named(rates, rate)
        found = standings(buckets, rates, time.time(), rate)[:limit]
    if json:
        for one in found:
            print_json(asdict(one))
    else:
        columns = ("rate", "by", "subject", "left", "burst", "next in", "all in", "state")
        print_table(columns, [_row(one) for one in found])


@app.command()
def reset(
    rate: Annotated[str, typer.Argument(help="Name of the rate.")],
    subject: Annotated[
        str, typer.Argument(help="Network or address, user, sender or recipient, as `show` has it.")
    ] = "",
    everybody: Annotated[bool, typer.Option("--all", help="All subjects of this rate.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Let somebody send all that his rate allows, again and at once.

    Example: filterd limits reset outgoing alice@example.org

    Example: filterd limits reset net --all
    """
    if bool(subject) == everybody:
        raise typer.BadParameter("expected a subject, or --all for everybody", param_hint="SUBJECT")
    with _opened(config) as (rates, buckets):
        known = _named(rates, rate)
        wanted = "" if everybody else subject_of(known, subject)
        count = fill_all(buckets, rate) if everybody else int(fill(buckets, rate, wanted))
    if json:
        print_json({"rate": rate, "subject": wanted or None, "reset": count})
    elif everybody:
        typer.echo(f"{rate}: reset for {count}")
    else:
        typer.echo(f"{rate}: {safe(wanted)} {'reset' if count else 'had used nothing'}")


@contextmanager
def _opened(path: Path | None) -> Iterator[tuple[Sequence[Rate], Buckets]]:
    try:
        with open_limits(configuration(path)) as (rates, buckets):
            yield rates, buckets
    except StoreError as error:
        fail(f"rate limits: {error}: is Redis up, and may this user read the folder of [paths] state?")


def _named(rates: Sequence[Rate], name: str) -> Rate:
    found = next((rate for rate in rates if rate.name == name), None)
    if found is None:
        known = ", ".join([rate.name for rate in rates]) or "none: [rates.NAME] of filterd.toml makes one"
        fail(f"expected the name of a rate ({known}), got {safe(name)!r}")
    return found


def _row(one: Standing) -> tuple[str, ...]:
    if not one.by:
        return (one.rate, "", one.subject, "", "", "", f"{one.full_in} s", "not configured")
    state = "free" if not one.wait else "would be refused" if one.dry_run else "refused"
    return (
        one.rate,
        one.by,
        one.subject,
        str(one.left),
        str(one.burst),
        f"{one.wait} s" if one.wait else "now",
        f"{one.full_in} s",
        state,
    )
