"""filterd list: the operator's own allow and block lists."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from filterd.app.ownlists import ChangeError, Shown, change_own_lists, own_lists
from filterd.cli.acting import actor
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, safe
from filterd.operations import ownlists
from filterd.operations.ownlists import ListError, Who
from filterd.ownlists import Document, Entry, Which

MAX_IMPORT: Final = 50_000_000  # bytes; many times what the lists may hold

app = typer.Typer(
    help="Allow and block lists: who passes and who does not."
    " Example: filterd list block add ip:192.0.2.0/24 --reason 'spam runs since May'",
    no_args_is_help=True,
)
Entries = Annotated[
    list[str],
    typer.Argument(
        metavar="ENTRY...",
        help="ip:192.0.2.0/24, domain:example.org (or .example.org: it and all below), sender:anna@example.org,"
        " recipient:anna@example.org (or a domain).",
    ),
]
Reason = Annotated[str, typer.Option(help="Why; whoever looks at the entry in a year reads it.")]
Owner = Annotated[str, typer.Option(help="Who answers for it; default: you.")]
Expires = Annotated[str, typer.Option(help="The last day it counts: 2027-01-31, 30d, or never; default: in a year.")]
Expired = Annotated[bool, typer.Option("--expired", help="Only those that no longer count.")]


def _words(error: Exception) -> str:
    """What is wrong, line by line."""
    return "\n".join(map(safe, str(error).split("\n")))


def who() -> Who:
    """Who is at it."""
    acting = actor()
    return Who(acting.name, acting.origin, time.time())


def changed(config: Path | None, make: Callable[[Document], Document]) -> Document:
    """The lists as changed, or the end of this command."""
    try:
        return change_own_lists(configuration(config), make)
    except (ChangeError, ListError, OSError) as error:
        fail(_words(error))


def _add(which: Which, texts: Sequence[str], reason: str, owner: str, expires: str, config: Path | None) -> None:
    acting = who()
    try:
        entries = [ownlists.entry_of(which, text, reason, owner, expires, acting) for text in texts]
    except ListError as error:
        fail(_words(error))
    changed(config, lambda document: ownlists.added(document, entries, acting))
    for entry in entries:
        until = "for ever" if entry.expires is None else f"until {entry.expires}"
        typer.echo(safe(f"{entry} is on the {which} list {until}"))


def _remove(which: Which, texts: Sequence[str], config: Path | None) -> None:
    acting = who()
    changed(config, lambda document: ownlists.removed(document, which, texts, acting))
    for text in texts:
        typer.echo(safe(f"{text} is no longer on the {which} list"))


def _show(shown: Shown, entries: Sequence[Entry], *, json: bool) -> None:
    now = time.time()
    if json:
        for entry in entries:
            print_json(ownlists.as_row(entry, now))
    else:
        columns = ("list", "entry", "until", "reason", "owner", "added by")
        print_table(columns, [_row(entry, now) for entry in entries])
        expired = sum(not entry.counts(now) for entry in entries)
        if expired:
            typer.echo(f"{expired} have expired and count for nothing: filterd list tidy removes them", err=True)
    if shown.trouble:
        typer.echo(safe(shown.trouble), err=True)


def _row(entry: Entry, now: float) -> tuple[str, ...]:
    until = "for ever" if entry.expires is None else entry.expires.isoformat()
    if not entry.counts(now):
        until += " (expired)"
    return (entry.which, str(entry), until, entry.reason, entry.owner, entry.by)


allow = typer.Typer(
    help="Who passes: never past the search for malware, and by proof alone."
    " Example: filterd list allow add domain:example.org --reason 'our bank'",
    no_args_is_help=True,
)
block = typer.Typer(
    help="Who is refused. Example: filterd list block add sender:anna@example.org --reason 'stalks Ben'",
    no_args_is_help=True,
)
app.add_typer(allow, name="allow")
app.add_typer(block, name="block")


@allow.command("add")
def allow_add(
    entries: Entries, reason: Reason, owner: Owner = "", expires: Expires = "", config: ConfigOption = None
) -> None:
    """Let pass: a client's network, an authenticated domain, a sender with authentication, a recipient.

    Within seconds all fronts know it. What is on the list already is replaced. Malware and what cannot be read whole
    are held or refused all the same.

    Example: filterd list allow add domain:example.org sender:anna@example.net --reason 'our bank' --expires 90d
    """
    _add(Which.ALLOW, entries, reason, owner, expires, config)


@allow.command("remove")
def allow_remove(entries: Entries, config: ConfigOption = None) -> None:
    """Take entries off the allow list; none where one of them is not there.

    Example: filterd list allow remove domain:example.org
    """
    _remove(Which.ALLOW, entries, config)


@allow.command("show")
def allow_show(expired: Expired = False, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show the allow list.

    Example: filterd list allow show --expired
    """
    _listed(config, (Which.ALLOW,), expired=expired, json=json)


@block.command("add")
def block_add(
    entries: Entries, reason: Reason, owner: Owner = "", expires: Expires = "", config: ConfigOption = None
) -> None:
    """Refuse: a client's network, a domain or a sender (proved or only claimed), a recipient.

    Within seconds all fronts know it. What is on the list already is replaced.

    Example: filterd list block add ip:192.0.2.0/24 --reason 'spam runs since May' --expires 30d
    """
    _add(Which.BLOCK, entries, reason, owner, expires, config)


@block.command("remove")
def block_remove(entries: Entries, config: ConfigOption = None) -> None:
    """Take entries off the block list; none where one of them is not there.

    Example: filterd list block remove ip:192.0.2.0/24
    """
    _remove(Which.BLOCK, entries, config)


@block.command("show")
def block_show(expired: Expired = False, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show the block list.

    Example: filterd list block show
    """
    _listed(config, (Which.BLOCK,), expired=expired, json=json)


@app.command()
def show(expired: Expired = False, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show both lists, expired entries marked.

    Example: filterd list show --json
    """
    _listed(config, tuple(Which), expired=expired, json=json)


def _listed(config: Path | None, which: Sequence[Which], *, expired: bool, json: bool) -> None:
    shown = own_lists(configuration(config))
    now = time.time()
    entries = [one for one in shown.document.entries if one.which in which and not (expired and one.counts(now))]
    _show(shown, entries, json=json)


@app.command()
def check(
    values: Annotated[list[str], typer.Argument(metavar="VALUE...", help="A client's address, a domain, an address.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show which entries mean an address, a domain or an e-mail address; exit 1 where none does.

    An allow entry of a domain or a sender counts for messages that have proved it, which only they can tell.

    Example: filterd list check 192.0.2.7 anna@example.org
    """
    shown = own_lists(configuration(config))
    try:
        found = {entry.key: entry for value in values for entry in ownlists.naming(shown.document, value)}
    except ListError as error:
        raise typer.BadParameter(safe(str(error)), param_hint="VALUE") from None
    _show(shown, list(found.values()), json=json)
    if not found:
        raise typer.Exit(1)


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="Lines as export prints them; -: standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what is wrong with it.")] = False,
    config: ConfigOption = None,
) -> None:
    """Add entries from a file: all of them, or none where a line is wrong.

    A line has list, entry and reason, and may have owner and expires:
    {"list": "block", "entry": "ip:192.0.2.0/24", "reason": "spam runs"}

    Example: filterd list import lists.jsonl
    """
    acting = who()
    try:
        raw = sys.stdin.buffer.read(MAX_IMPORT) if str(source) == "-" else source.read_bytes()[:MAX_IMPORT]
        entries = ownlists.imported(raw.splitlines(), acting)
    except (OSError, ListError) as error:
        fail(_words(error))
    if not dry_run:
        changed(config, lambda document: ownlists.added(document, entries, acting))
    typer.echo(f"{len(entries)} entries {'are right' if dry_run else 'imported'}")


@app.command()
def export(config: ConfigOption = None) -> None:
    """Print both lists, one JSON object per line, for import elsewhere.

    Example: filterd list export > lists.jsonl
    """
    shown = own_lists(configuration(config))
    now = time.time()
    for entry in shown.document.entries:
        print_json(ownlists.as_row(entry, now))
    if shown.trouble:
        fail(safe(shown.trouble))


@app.command()
def tidy(config: ConfigOption = None) -> None:
    """Remove the entries that have expired.

    Example: filterd list tidy
    """
    acting = who()
    before = own_lists(configuration(config)).document.entries
    after = changed(config, lambda document: ownlists.without_expired(document, acting)).entries
    typer.echo(f"{len(before) - len(after)} expired entries removed")


@app.command()
def history(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show who has changed the lists, newest last: the last 500 changes.

    Example: filterd list history
    """
    shown = own_lists(configuration(config))
    for one in shown.document.changes:
        if json:
            row = ownlists.as_row(one.entry, one.at)
            print_json({"time": one.at, "who": one.who, "from": one.origin, "what": one.what, **row})
        else:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(one.at))
            did = f"{when} UTC  {one.who}  {one.origin or '-'}  {one.what}  {one.entry.which} {one.entry}"
            typer.echo(safe(f"{did}: {one.entry.reason}"))
    if shown.trouble:
        typer.echo(safe(shown.trouble), err=True)
