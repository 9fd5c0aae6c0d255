"""filterd domain: a domain as other mail servers see it."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final

import msgspec
import typer

from filterd.app import open_examiner
from filterd.cli.common import ConfigOption, JsonOption, print_json, print_table, safe, site
from filterd.domains import normalise
from filterd.operations.domain_values import Level, Part, Posture, State

REACHED: Final = 3  # exit status, as of scan --fail-on
_LENGTH: Final = 300  # characters of a record in the table; --json has all
_STYLES: Final = {"error": "red", "warning": "yellow", "unknown": "magenta", "ok": "green"}


class FailOn(StrEnum):
    """What --fail-on takes."""

    WARNING = Level.WARNING.value
    ERROR = Level.ERROR.value


def domain(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Domains, as they stand behind the @.")],
    fetch: Annotated[
        bool, typer.Option("--fetch/--no-fetch", help="Fetch the policy of MTA-STS over HTTPS; all else is DNS alone.")
    ] = True,
    seconds: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="For one domain, in all.", min=1, max=300)
    ] = 30.0,
    fail_on: Annotated[
        FailOn | None, typer.Option(help="Exit with 3 where any remark is that bad, or worse.", show_choices=True)
    ] = None,
    nameserver: Annotated[str, typer.Option(help="Ask this resolver, HOST:PORT.")] = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say how a domain stands: MX, SPF, DMARC, MTA-STS, TLS-RPT, BIMI, DNSSEC, what is wrong and what to do.

    The configured name servers are asked. Exit 0: all was found out, whatever it is; 1: something could not be; 3: see
    --fail-on.

    Example: filterd domain example.org

    Example: filterd domain --fail-on error --json example.org example.net
    """
    wanted = dict.fromkeys([_name(text) for text in names])
    rules = site(config, nameserver=nameserver)
    complete, reached = True, False
    with open_examiner(rules, seconds=seconds, fetch=fetch) as examine:
        for name in wanted:
            posture = examine(name)
            _show(posture, json=json)
            complete = complete and posture.complete
            reached = reached or (fail_on is not None and posture.reaches(Level(fail_on)))
    if reached:
        raise typer.Exit(REACHED)
    if not complete:
        raise typer.Exit(1)


def _name(text: str) -> str:
    found = normalise(text.removesuffix("."))
    if found is None or "." not in found:
        expected = "a domain name such as example.org"
        raise typer.BadParameter(f"expected {expected}, got {safe(text[:100])!r}", param_hint="NAME")
    return found


def _show(posture: Posture, *, json: bool) -> None:
    if json:
        print_json({**msgspec.to_builtins(posture), "complete": posture.complete})
        return
    rows = [row for part in posture.parts for row in _rows(part)]
    print_table(
        ("domain", "part", "state", "found", "what to do"),
        [(posture.domain, *row) for row in rows],
        title=f"{posture.domain}, as {' '.join(posture.nameservers)} has it",
        styles=[_STYLES.get(row[1], "") for row in rows],
    )


def _rows(part: Part) -> Iterator[tuple[str, str, str, str]]:
    """The part's state with its record, then a row for each thing to be said of it."""
    told = ", ".join([f"{key} {_words(value)}" for key, value in part.facts.items() if key != "hosts"])
    yield part.name, part.state.value, part.record[:_LENGTH] or told, ""
    if part.record and told and part.state not in (State.ABSENT, State.UNKNOWN):
        yield part.name, Level.NOTE.value, told[:_LENGTH], ""
    for remark in part.remarks:
        yield part.name, remark.level.value, remark.text, remark.remedy
    for text in part.unchecked:
        yield part.name, State.UNKNOWN.value, text, ""
    for text in part.differs:
        yield part.name, "differs", text, ""


def _words(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "unknown"}[value]
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return " ".join([f"{key}: {entry}" for key, entry in value.items()])
    return str(value) or "none"
