"""filterd import: lists, scores and networks of rspamd or SpamAssassin."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from filterd.app import ConfigError
from filterd.app.importing import import_context
from filterd.app.ownlists import ChangeError, change_own_lists
from filterd.cli.acting import actor
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, safe
from filterd.operations import importing_rspamd, importing_spamassassin, ownlists
from filterd.operations.importing import SHOWN, Context, Fate, Found, ImportFailedError, toml
from filterd.operations.ownlists import ListError, Who
from filterd.ownlists import Entry

app = typer.Typer(
    help="Bring lists, scores and networks along from another filter."
    " Example: filterd import rspamd /etc/rspamd --dry-run",
    no_args_is_help=True,
)
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would become of each line.")]
Owner = Annotated[str, typer.Option(help="Who answers for the entries; default: you.")]
Expires = Annotated[str, typer.Option(help="The last day they count: 2027-01-31, 30d, or never; default: in a year.")]
Reader = Callable[[Path, Context], list[Found]]
MAX_REASON: Final = 200  # characters; of an entry


@app.command()
def rspamd(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="/etc/rspamd, or a copy of it.")],
    dry_run: DryRun = False,
    owner: Owner = "",
    expires: Expires = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Read local.d and override.d of rspamd: multimap and whitelist with their maps, scores, thresholds, networks.

    Entries of lists are added at once, unless --dry-run; settings are printed, for filterd.toml. What does not map is
    named, with why. With --json a line for each, whose `list`, `entry` and `reason` filterd list import reads.

    Example: filterd import rspamd /etc/rspamd --dry-run
    """
    _import(importing_rspamd.read, source, _Wanted(dry_run, owner, expires, config, json))


@app.command()
def spamassassin(
    source: Annotated[Path, typer.Argument(metavar="FILE|FOLDER", help="local.cf, user_prefs, or a folder with *.cf.")],
    dry_run: DryRun = False,
    owner: Owner = "",
    expires: Expires = "",
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Read SpamAssassin's lists (whitelist_*, welcomelist_*, blacklist_*, blocklist_*), networks and scores.

    As with rspamd. whitelist_from becomes an entry that counts only for mail which has proved its sender.

    Example: filterd import spamassassin /etc/mail/spamassassin --dry-run
    """
    _import(importing_spamassassin.read, source, _Wanted(dry_run, owner, expires, config, json))


class _Wanted:
    """What was asked for."""

    def __init__(self, dry_run: bool, owner: str, expires: str, config: Path | None, json: bool) -> None:  # noqa: FBT001  # as typer gives them
        self.dry_run, self.owner, self.expires, self.config, self.json = dry_run, owner, expires, config, json


def _import(read: Reader, source: Path, wanted: _Wanted) -> None:
    settings = configuration(wanted.config)
    try:
        found = read(source, import_context(settings))
        acting = actor()
        who = Who(acting.name, acting.origin, time.time())
        entries = _entries(found, wanted, who)
        if entries and not wanted.dry_run:
            change_own_lists(settings, lambda document: ownlists.added(document, entries, who))
    except (ImportFailedError, ConfigError, ListError, ChangeError, OSError) as error:
        fail("\n".join([safe(line) for line in str(error).split("\n")]))
    if wanted.json:
        for one in found:
            print_json(_row(one))
    else:
        _show(found, dry_run=wanted.dry_run)


def _entries(found: list[Found], wanted: _Wanted, who: Who) -> list[Entry]:
    """Of the lists; of one that is named twice the last. ListError."""
    made = {}
    for one in found:
        if one.which is not None:
            entry = ownlists.entry_of(one.which, one.entry, _reason(one), wanted.owner, wanted.expires, who)
            made[entry.key] = entry
    return list(made.values())


def _reason(one: Found) -> str:
    text = f"imported: {one.origin.file}:{one.origin.line} {one.origin.text.strip()}"
    return safe(text)[:MAX_REASON]


def _row(one: Found) -> dict[str, object]:
    row: dict[str, object] = {
        "file": one.origin.file,
        "line": one.origin.line,
        "text": one.origin.text[:SHOWN],
        "fate": one.fate.value,
        "why": one.why,
    }
    if one.which is not None:
        row |= {"list": one.which.value, "entry": one.entry, "reason": _reason(one)}
    if one.fate is Fate.SETTING:
        row |= {"setting": ".".join(one.setting), "value": one.value}
    return row


def _show(found: list[Found], *, dry_run: bool) -> None:
    rows = [
        (f"{one.origin.file}:{one.origin.line}", one.origin.text.strip()[:SHOWN], one.fate.value, one.here, one.why)
        for one in found
    ]
    print_table(("where", "there", "what", "here", "why"), rows)
    lines = toml(found)
    if lines:
        typer.echo("\n# for filterd.toml; filterd config check says whether it is right there")
        for line in lines:
            typer.echo(safe(line))
    count = Counter(one.fate for one in found)
    done = "would be added" if dry_run else "added"
    typer.echo(
        f"{count[Fate.ENTRY]} entries {done}, {count[Fate.SETTING]} settings for filterd.toml,"
        f" {count[Fate.UNSAFE]} unsafe, {count[Fate.WITHOUT]} without a counterpart",
        err=True,
    )
