"""filterd dnsbl: ask the block lists, and see how they are."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from filterd.app import open_lists, suspended_lists
from filterd.cli.common import ConfigOption, JsonOption, print_json, print_table, safe, site
from filterd.operations import dnsbl
from filterd.operations.dnsbl import Health, Lookup

app = typer.Typer(
    help="Ask the block lists, and see how they are. Example: filterd dnsbl lookup 192.0.2.1", no_args_is_help=True
)
NameserverOption = Annotated[str, typer.Option(help="Ask this resolver, HOST:PORT.")]


@app.command()
def lookup(
    subjects: Annotated[
        list[str], typer.Argument(help="Addresses, domain names, e-mail addresses or SHA-256 digests of files.")
    ],
    nameserver: NameserverOption = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Ask every enabled list that takes such a subject; the exit is 0 whatever they say.

    Example: filterd dnsbl lookup 192.0.2.1 example.org
    """
    wanted = dict.fromkeys([_subject(text) for text in subjects])
    rules = site(config, nameserver=nameserver)
    with open_lists(rules) as ask:
        found = [one for subject in wanted for one in dnsbl.lookup(rules.zones, subject, ask)]
    if json:
        for one in found:
            print_json(msgspec.to_builtins(one))
    else:
        columns = ("subject", "list", "status", "symbols", "answers", "ttl", "cause")
        print_table(columns, [_lookup_row(one) for one in found])


@app.command()
def health(nameserver: NameserverOption = "", json: JsonOption = False, config: ConfigOption = None) -> None:
    """Test every enabled list now, and say which are suspended since when; exit 1 where one is unhealthy.

    Example: filterd dnsbl health
    """
    rules = site(config, nameserver=nameserver)
    suspended = suspended_lists(rules)
    with open_lists(rules) as ask:
        found = list(dnsbl.health(rules.zones, ask, suspended))
    if json:
        for one in found:
            print_json(msgspec.to_builtins(one))
    else:
        print_table(("list", "state", "cause", "suspended", "reason"), [_health_row(one) for one in found])
    if any(one.state == "unhealthy" for one in found):
        raise typer.Exit(1)


def _subject(text: str) -> str:
    subject = dnsbl.subject_of(text)
    if not subject:
        expected = "an address, a domain name, an e-mail address or a SHA-256"
        raise typer.BadParameter(f"expected {expected}, got {safe(text)!r}", param_hint="SUBJECTS")
    return subject


def _lookup_row(one: Lookup) -> Sequence[str]:
    ttl = str(one.ttl) if one.list else ""
    return (one.subject, one.list, one.status, " ".join(one.symbols), " ".join(one.answers), ttl, one.cause)


def _health_row(one: Health) -> Sequence[str]:
    since = "unknown" if one.suspended is None else "no"
    if one.since is not None:
        since = f"since {datetime.fromtimestamp(one.since, UTC).strftime('%Y-%m-%d %H:%M:%S UTC')}"
    return (one.list, one.state, one.cause, since, one.reason)
