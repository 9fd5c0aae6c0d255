"""filterd backup, filterd restore: one host's state, copied while the daemon works, and put back."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from filterd.app.backup import make_backup, restore_backup
from filterd.cli.acting import actor
from filterd.cli.common import ConfigOption, JsonOption, configuration, fail, print_json, safe
from filterd.operations.backup import Told
from filterd.operations.backup_places import STREAM, BackupError


def backup(
    target: Annotated[
        str, typer.Argument(metavar="FOLDER|FILE.tar|-", help="What is not there yet; - is standard output, as tar.")
    ],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Copy held mail, journal, state and the classifier's model of this host, while the daemon works.

    What is called NAME.incomplete is none yet. Exit code 1 where none was made, or where something that should have
    been in it was damaged; that is named. Configuration, secrets and keys of release tokens are not in it; PostgreSQL,
    object stores and Redis are their operators' to copy (docs/backup.md).

    Example: filterd backup /srv/backup/filterd-$(date +%F)

    Example: filterd backup - | ssh vault 'cat > filterd.tar'
    """
    settings = configuration(config)
    begun = time.monotonic()
    try:
        with _progress("backing up") as told:
            made = make_backup(settings, target, actor(), told)
    except BackupError as error:
        fail(safe(str(error)))
    seconds = round(time.monotonic() - begun, 3)
    facts = {
        "backup": target,
        "files": made.files,
        "bytes": made.bytes,
        "entries": made.entries,
        "left_out": made.left_out,
        "damaged": made.damaged,
        "elsewhere": made.elsewhere,
        "seconds": seconds,
    }
    stream = target == STREAM  # standard output is the backup itself
    if json and not stream:
        print_json(facts)
    else:
        words = f"{target}: {made.entries} held messages, {made.files} files, {made.bytes / 1e6:.1f} MB, {seconds} s"
        typer.echo(safe(words), err=stream)
        _tell(made.elsewhere)
    if made.damaged:
        shown = ", ".join(made.damaged[:10])
        fail(safe(f"{len(made.damaged)} damaged: {shown}; see filterd quarantine verify --contents"))


def restore(
    source: Annotated[str, typer.Argument(metavar="FOLDER|FILE.tar|-", help="What filterd backup has made.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Put a backup back into an empty place, after every byte of it was compared with its manifest; then verify.

    Stop filterd first, and move away what is in [paths] state. Run as root it gives the files to that folder's owner.
    Exit code 1 where nothing was restored, or where what was restored is not all there; that is named.

    Example: filterd restore /srv/backup/filterd-2026-11-25
    """
    settings = configuration(config)
    try:
        with _progress("restoring") as told:
            done = restore_backup(settings, source, actor(), told)
    except BackupError as error:
        fail(safe(str(error)))
    end, about = done.manifest.end, done.manifest.about
    elsewhere = about.get("elsewhere", {})
    if json:
        problems = [{"kind": one.kind.value, "name": one.name, "text": one.text} for one in done.problems]
        print_json(
            {"restored": source, "files": end["files"], "bytes": end["bytes"], "made": about.get("made"),
             "entries": end.get("entries", 0), "elsewhere": elsewhere, "problems": problems}
        )  # fmt: skip
    else:
        typer.echo(safe(f"{source}: {end.get('entries', 0)} held messages, {end['files']} files restored"))
        _tell(elsewhere)
        for one in done.problems:
            typer.echo(safe(f"{one.name} {one.kind}: {one.text}"))
        typer.echo("start filterd now" if not done.problems else "filterd quarantine verify says more")
    if done.problems:
        raise typer.Exit(1)


def _tell(elsewhere: dict[str, str]) -> None:
    for what, where in elsewhere.items():
        typer.echo(safe(f"not in it: {what}, {where}"), err=True)


@contextmanager
def _progress(words: str) -> Iterator[Told]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _name, _done, _whole: None
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=None)
        yield lambda name, done, whole: bar.update(task, description=name[:40], completed=done, total=whole)
