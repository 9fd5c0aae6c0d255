"""filterd replay: judge held messages again, as of then, with one thing changed."""

import sys
import time
from collections.abc import Generator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import track

from filterd.app import Config, ConfigError, Site, StartError, load_site, open_bench
from filterd.cli.acting import actor
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, print_table, safe
from filterd.cli.quarantine import opened
from filterd.config import config_id
from filterd.model.custody import Evidence
from filterd.model.ids import is_id
from filterd.operations.replay import ReplayError, replay_file
from filterd.operations.replay import replay as replay_one
from filterd.operations.replay_many import Changes, held, replay_many
from filterd.operations.replay_report import compared, judged, lines
from filterd.operations.scan import MAX_FILE
from filterd.quarantine.coding import DamagedError

STDIN: Final = "-"
SHOWN: Final = 20  # ids of a row on a terminal; in a pipe there are all of them
PROBLEMS: Final = 10  # that are named; all are counted


def replay(
    message: Annotated[str, typer.Argument(metavar="[ID|FILE]", help="Id of a held message, a file, or -.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Replay all held messages: what would change?")] = False,
    rules: Annotated[
        Path | None, typer.Option("--rules", help="Rules directory instead of the present one.", exists=True)
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Ask DNS anew instead of using recorded answers.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", help="Messages at the same time; 0: two per core.", min=0)] = 0,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Judge a held message again, offline, as of the moment it came; say what is different, symbol by symbol.

    Answers, shared state, clock and session are those recorded; --rules, --config and --live change one thing.

    Example: filterd replay 01JD3W7Q4Z5S8V1N2M3K4P5R6T --rules /etc/filterd/rules.new

    Example: filterd replay --all --config /etc/filterd/filterd.toml.new
    """
    if every == bool(message):
        raise typer.BadParameter("expected the id of a held message, a message file, or --all", param_hint="ID|FILE")
    settings = configuration(config)
    site = _site(settings, rules, config)
    present = config_id(settings)
    if every:
        _all(site, present, config, jobs, live=live, json=json)
        return
    if is_id(message):
        found = _held(site, present, config, message, live=live)
    else:
        found = _file(site, present, message, live=live)
    if json:
        print_json(found)
        return
    for line in lines(found):
        typer.echo(safe(line))


def _site(settings: Config, rules: Path | None, path: Path | None) -> Site:
    if rules is not None:
        table = settings.rules.model_copy(update={"path": rules.resolve()})
        settings = settings.model_copy(update={"rules": table})
    try:
        return load_site(settings, path)
    except ConfigError as error:
        fail(str(error))


def _held(site: Site, present: str, config: Path | None, identifier: str, *, live: bool) -> dict[str, Any]:
    evidence, raw = _kept(config, identifier)
    try:
        with open_bench(site, 1) as (bench, _):
            return compared(evidence, replay_one(bench, evidence, raw, live=live), present)
    except (ReplayError, StartError) as error:
        fail(safe(f"{identifier}: {error}"))


def _kept(config: Path | None, identifier: str) -> tuple[Evidence, bytes]:
    with opened(config) as quarantine:
        if quarantine.entry(identifier) is None:
            fail(f"{identifier} is not held: only of held messages everything is kept; replay the file instead")
        evidence = quarantine.evidence(identifier)
        try:
            with quarantine.open_raw(identifier) as file:
                raw = file.read()
        except DamagedError as error:
            fail(f"{identifier}: {error}")
        quarantine.note(actor(), "replay", identifier)
    return evidence, raw


def _file(site: Site, present: str, name: str, *, live: bool) -> dict[str, Any]:
    try:
        with Path(name).open("rb") if name != STDIN else sys.stdin.buffer as file:
            raw = file.read(MAX_FILE)
    except OSError as error:
        fail(f"{safe(name)}: {error.strerror}; expected the id of a held message or a message file")
    try:
        with open_bench(site, 1) as (bench, _):
            return judged(name, replay_file(bench, name, raw, time.time(), live=live), present)
    except StartError as error:
        fail(str(error))


def _all(site: Site, present: str, config: Path | None, jobs: int, *, live: bool, json: bool) -> None:
    """Replay everything and say what would change; ended by the user, say what is known by then."""
    changes = Changes()
    whole = False
    with opened(config) as quarantine:
        ids = held(quarantine)
        quarantine.note_many(actor(), "replay", f"all {len(ids)} messages")
        try:
            with open_bench(site, jobs) as (bench, workers):
                found = replay_many(bench, quarantine, ids, workers, present, live=live)
                _gather(found, len(ids), changes, json=json)
            whole = True
        except KeyboardInterrupt:
            pass
        except StartError as error:
            fail(str(error))
    _summary(changes, len(ids), json=json)
    if not whole:
        typer.echo(f"interrupted after {changes.messages} of {len(ids)} messages", err=True)
        raise typer.Exit(1)


def _gather(found: Generator[dict[str, Any]], count: int, changes: Changes, *, json: bool) -> None:
    """Count them, and print them as JSON as they come."""
    with closing(found):  # what is under way is ended before the inspectors are
        shown: Iterable[dict[str, Any]] = found
        if sys.stderr.isatty():
            shown = track(found, "replaying", count, console=Console(stderr=True))
        for one in shown:
            changes.add(one)
            if json:
                print_json(one)


def _summary(changes: Changes, count: int, *, json: bool) -> None:
    if not json:
        rows = [(then, now, str(len(ids)), _named(ids)) for (then, now), ids in sorted(changes.moved.items())]
        print_table(("then", "now", "messages", "ids"), rows)
    same = changes.messages - changes.changed
    typer.echo(
        f"{changes.messages} of {count} held messages replayed: {changes.changed} would be treated otherwise,"
        f" {same} as they were ({changes.other_score} of them for other reasons or points)",
        err=True,
    )
    if changes.lacking:
        typer.echo(f"{changes.lacking} messages ask for names that are not recorded: --live asks for them", err=True)
    for identifier, problem in changes.problems[:PROBLEMS]:
        typer.echo(safe(f"{identifier}: {problem}"), err=True)
    if len(changes.problems) > PROBLEMS:
        typer.echo(f"{len(changes.problems)} messages could not be replayed", err=True)


def _named(ids: list[str]) -> str:
    if not sys.stdout.isatty() or len(ids) <= SHOWN:
        return " ".join(ids)
    return f"{' '.join(ids[:SHOWN])} and {len(ids) - SHOWN} more"
