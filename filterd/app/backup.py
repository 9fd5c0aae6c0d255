"""What of a site is backed up, and where it goes back to."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filterd import __version__
from filterd.app import running
from filterd.app.custody import quarantine_of
from filterd.app.front import lists_copy
from filterd.app.learner import INBOX
from filterd.config import Config
from filterd.model.custody import CustodyError
from filterd.operations.backup import QUARANTINE, Backup, Part, Result, Sources, Told
from filterd.operations.backup_manifest import Manifest
from filterd.operations.backup_places import BackupError, place_of
from filterd.operations.restore import Home, Restore, size_of
from filterd.quarantine import Actor
from filterd.quarantine import journal as journal_format
from filterd.quarantine.aggregate_places import FILE as COUNTED
from filterd.quarantine.aggregate_schema import SCHEMA as COUNTED_SCHEMA
from filterd.quarantine.copying import LEDGER
from filterd.quarantine.inventory import Problem
from filterd.quarantine.opening import SQLITE
from filterd.quarantine.schema import SCHEMA as LEDGER_SCHEMA
from filterd.store import inbox as inbox_format
from filterd.store import sqlite as state_format
from filterd.store.opening import STATE_FILE

JOURNAL: Final = "journal.sqlite"
LISTS: Final = "lists.json"
CLASSIFIER: Final = "classifier"
_TROUBLE: Final = (OSError, sqlite3.Error, CustodyError)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back, and what is wrong with it."""

    manifest: Manifest
    problems: list[Problem]


def make_backup(config: Config, target: str, who: Actor, told: Told) -> Result:
    """A backup of this host's state. BackupError: there is none, and nothing that looks like one."""
    place = place_of(target)
    try:
        if _local(config) is not None:
            with closing(quarantine_of(config)) as quarantine:
                quarantine.note_many(who, "backup", f"to {target}"[:200])  # before a byte has left
        about = {"filterd": __version__, "made": time.time(), "host": os.uname().nodename}
        return Backup(place, os.fsync, told).make(_sources(config), about, who, time.time())
    except _TROUBLE as error:
        place.abandon()
        raise BackupError(f"no backup was made: {error}") from error
    except BaseException:
        place.abandon()
        raise


def restore_backup(config: Config, source: str, who: Actor, told: Told) -> Restored:
    """Put a backup back where nothing is, and look it over. BackupError: nothing was put back."""
    if running(config):
        raise BackupError("filterd runs with this configuration: stop it first")
    try:
        manifest = Restore(_homes(config), config.state_directory, told).run(source, size_of(source))
    except OSError as error:
        raise BackupError(f"nothing was restored: {error}") from error
    if _local(config) is None:
        return Restored(manifest, [])
    with closing(quarantine_of(config)) as quarantine:
        made = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(float(manifest.about.get("made", 0.0))))
        quarantine.note_many(who, "restore", f"from the backup of {made} UTC")
        return Restored(manifest, list(quarantine.inventory().problems(contents=False)))


def _local(config: Config) -> Path | None:
    """The folder of held mail on this host."""
    url = config.quarantine.url
    if config.quarantine.shared:
        return None
    return Path(url.removeprefix(SQLITE)) if url else config.state_directory / QUARANTINE


@contextmanager
def _learning(folder: Path) -> Iterator[None]:
    """Nobody learns meanwhile. BackupError where others do all the time."""
    from filterd.classifier.writing import WriterBusyError, writing  # noqa: PLC0415  # as in _sources

    try:
        with writing(folder):
            yield
    except WriterBusyError as error:
        raise BackupError(f"no backup was made: {error}") from error


def _sources(config: Config) -> Sources:
    state, model = config.state_directory, config.classifier_directory

    def learnt() -> Iterator[Part]:
        from filterd.classifier import base, memory, modelfile  # noqa: PLC0415  # numpy, for one command of many

        for name in (memory.NAME, INBOX):
            yield Part(f"{CLASSIFIER}/{name}", model / name, database=True)
        for path in sorted(model.glob(base.NAME.format("*"))):
            yield Part(f"{CLASSIFIER}/{path.name}", path)
        yield Part(f"{CLASSIFIER}/{modelfile.NAME}", model / modelfile.NAME)

    parts = (
        Part(JOURNAL, state / JOURNAL, database=True),
        Part(STATE_FILE, state / STATE_FILE, database=True),
        Part(COUNTED, state / COUNTED, database=True),
        Part(LISTS, lists_copy(config)),
    )
    there = model.is_dir()
    return Sources(
        _local(config),
        parts,
        model=learnt if there else lambda: (),
        **({"learning": lambda: _learning(model)} if there else {}),
        elsewhere=_elsewhere(config),
    )


def _elsewhere(config: Config) -> dict[str, str]:
    """What this host does not have, in words."""
    found = {}
    held = config.quarantine
    if held.shared:
        found["ledger"] = "in PostgreSQL: pg_dump copies it"
        blobs = held.blobs or str(config.state_directory / QUARANTINE)
        found["messages"] = f"in {blobs}: copy that after the ledger was dumped"
    if held.mode == "mta-hold":
        found["held mail"] = "in the MTA's hold queue, but for what is held for some of several recipients"
    if config.redis.url:
        found["state"] = "in Redis: lists, reputation and the nodes' common lessons are its operator's to copy"
    return found


def _homes(config: Config) -> tuple[Home, ...]:
    from filterd.classifier import memory  # noqa: PLC0415  # as above

    state, folder = config.state_directory, _local(config)
    classifier = {
        f"{CLASSIFIER}/{memory.NAME}": memory.SCHEMA_VERSION,
        f"{CLASSIFIER}/{INBOX}": inbox_format.SCHEMA_VERSION,
    }
    homes = [
        Home(JOURNAL, state / JOURNAL, {JOURNAL: journal_format.SCHEMA_VERSION}),
        Home(STATE_FILE, state / STATE_FILE, {STATE_FILE: state_format.SCHEMA_VERSION}),
        Home(COUNTED, state / COUNTED, {COUNTED: COUNTED_SCHEMA.version}),
        Home(LISTS, lists_copy(config), {}),
        Home(CLASSIFIER, config.classifier_directory, classifier),
    ]
    if folder is not None:
        homes.append(Home(QUARANTINE, folder, {f"{QUARANTINE}/{LEDGER}": LEDGER_SCHEMA.version}))
    return tuple(homes)
