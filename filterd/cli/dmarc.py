"""filterd dmarc: aggregate reports to the domains in whose name mail has come."""

import os
import sys
import tempfile
from contextlib import closing, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from filterd.app.dmarc_reports import ReportsError, aggregates_of, open_courier, reporter_of
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, safe, site
from filterd.domains import normalise
from filterd.model.aggregate import DAY
from filterd.model.custody import CustodyError
from filterd.operations.dmarc_send import GOOD, Outcome, written

YESTERDAY: Final = "yesterday"
STDOUT: Final = Path("-")

app = typer.Typer(
    help="Tell domains what DMARC found of mail in their name (RFC 9990). Example: filterd dmarc send --dry-run",
    no_args_is_help=True,
)
Day = Annotated[str, typer.Option("--day", metavar="DAY", help="The day in UTC, such as 2026-11-24, or yesterday.")]


@app.command()
def report(
    domain: Annotated[str, typer.Option("--domain", help="The domain whose DMARC record applied.")],
    day: Day = YESTERDAY,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it there, - is standard output; else its own name."),
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Write the aggregate report on one domain and day: XML in gzip, by the name that RFC 9990 gives it.

    Nothing is sent. Exit 1 where nothing was counted.

    Example: filterd dmarc report --domain example.org --day 2026-11-24

    Example: filterd dmarc report --domain example.org --output - | zcat
    """
    settings, number = configuration(config), _day(day)
    name = normalise(domain.removesuffix("."))
    if name is None:
        raise typer.BadParameter(f"expected a domain such as example.org, got {safe(domain[:100])!r}")
    try:
        with closing(aggregates_of(settings, upkeep=True)) as aggregates:
            file = written(aggregates, reporter_of(settings), number, name)
    except (ReportsError, CustodyError) as error:
        fail(safe(str(error)))
    if file is None:
        why = "" if settings.dmarc_reports.enabled else "; [dmarc_reports] enabled is false"
        fail(f"{name}: nothing was counted on {_date(number)}{why}")
    if output == STDOUT:
        sys.stdout.buffer.write(file.content)
        return
    path = output or Path(file.name)
    _write(path, file.content)
    if json:
        print_json(
            {"domain": name, "day": _date(number), "file": str(path), "rows": file.kinds, "messages": file.messages}
        )
    else:
        typer.echo(safe(f"{path}: {file.kinds} rows, {file.messages} messages"))


@app.command()
def send(
    day: Day = YESTERDAY,
    domain: Annotated[str, typer.Option("--domain", help="On this domain alone.")] = "",
    nameserver: Annotated[str, typer.Option(help="Ask this resolver, HOST:PORT.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be sent, and where to.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send the reports of a day to the addresses that the domains name and that take them, signed, each once.

    Run it once a day, by a timer, when the day is over; run again it sends what was put off, and nothing twice. Exit 1
    where one was put off, refused or too large.

    Example: filterd dmarc send --dry-run

    Example: filterd dmarc send --day 2026-11-24 --json
    """
    rules, number = site(config, nameserver=nameserver), _day(day)
    only = normalise(domain.removesuffix(".")) if domain else ""
    if only is None:
        raise typer.BadParameter(f"expected a domain such as example.org, got {safe(domain[:100])!r}")
    good, none = True, True
    try:
        with open_courier(rules) as courier:
            if not courier.over(number):
                fail(f"{_date(number)} is not over yet (UTC): expected an earlier day; a report is of a whole one")
            for outcome in courier.run(number, only=only, dry=dry_run):
                none, good = False, good and outcome.state in GOOD
                _tell(outcome, json=json)
    except (ReportsError, CustodyError) as error:
        fail(safe(str(error)))
    if none and not json:
        typer.echo(f"there is nothing to be sent of {_date(number)}", err=True)
    if not good:
        raise typer.Exit(1)


def _tell(one: Outcome, *, json: bool) -> None:
    """As it comes: sending may take a while."""
    if json:
        print_json(msgspec.to_builtins(one))
    else:
        typer.echo(safe(f"{one.domain} to {one.address} {one.state.value}: {one.text} ({one.messages} messages)"))


def _day(text: str) -> int:
    """The day as it is counted; the command ends where it is none."""
    if text == YESTERDAY:
        return int(datetime.now(UTC).timestamp() // DAY) - 1
    try:
        return (date.fromisoformat(text) - date(1970, 1, 1)).days
    except ValueError:
        raise typer.BadParameter(f"expected a day such as 2026-11-24, got {safe(text[:40])!r}") from None


def _date(day: int) -> str:
    return date.fromordinal(date(1970, 1, 1).toordinal() + day).isoformat()


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing, for its owner alone."""
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".dmarc-")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        fail(safe(f"{path}: {error.strerror}; expected a file that can be written"))
