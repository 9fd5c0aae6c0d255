"""A backup of one host's state while the daemon works: what it holds, whether it is whole, and what was not there.

The ledger comes first, as of one moment, and with it exactly the messages and the evidence that it names
(quarantine/copying.py); then databases and files, each as of a moment of its own, a little later. So whatever the
backup's ledger names is in the backup, and a message that was held after that moment is in none of it.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from filterd.operations.backup_manifest import NAME, Item, ManifestWriter
from filterd.operations.backup_places import BackupError, Place
from filterd.quarantine import Actor
from filterd.quarantine.copying import LEDGER, QuarantineCopy
from filterd.quarantine.durable import Fsync
from filterd.quarantine.segments import CHUNK
from filterd.store.snapshot import DamagedDatabaseError, snapshot

QUARANTINE: Final = "quarantine"
MOST_NAMED: Final = 1_000  # entries that are named of those that were left out or damaged; all are counted

Told = Callable[[str, int, int], None]  # the file at work, bytes done, of how many


@dataclass(frozen=True, slots=True)
class Part:
    """A database or a file of the state, by its name in the backup."""

    name: str
    path: Path
    database: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """What there is to be copied.

    `quarantine` is the folder of held mail, None where it is not on this host; `parts` are copied one by one, `model`
    under the lock of those who learn. `elsewhere` says in words what is not here, and who copies that.
    """

    quarantine: Path | None
    parts: tuple[Part, ...]
    model: Callable[[], Iterable[Part]]
    learning: Callable[[], AbstractContextManager[None]] = nullcontext
    elsewhere: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Result:
    """What a backup holds."""

    files: int = 0
    bytes: int = 0
    entries: int = 0
    left_out: list[str] = field(default_factory=list)  # entries whose files went while they were copied
    damaged: list[str] = field(default_factory=list)  # entries without their files, and databases that are not sound
    elsewhere: dict[str, str] = field(default_factory=dict)


class Backup:
    """One backup in the making."""

    def __init__(self, place: Place, fsync: Fsync, told: Told) -> None:
        """`told` hears of progress."""
        self._place = place
        self._fsync = fsync
        self._told = told
        self._done = 0
        self._whole = 0
        self._result = Result()
        self._unneeded: list[str] = []

    def make(self, sources: Sources, about: dict[str, Any], who: Actor, now: float) -> Result:
        """Make it. BackupError, OSError, sqlite3.Error, CustodyError: there is none then."""
        self._whole = _estimate(sources)
        found = self._result
        with ManifestWriter(self._place.scratch / NAME, {**about, "elsewhere": sources.elsewhere}) as manifest:
            if sources.quarantine is not None and (sources.quarantine / LEDGER).exists():
                self._quarantine(sources.quarantine, manifest, who, now)
            self._parts(sources.parts, manifest)
            with sources.learning():
                self._parts(sources.model(), manifest)
            if not manifest.files:
                raise BackupError("there is nothing to back up")
            named = {"left_out": found.left_out[:MOST_NAMED], "damaged": found.damaged[:MOST_NAMED]}
            manifest.end({"entries": found.entries, **named, "unneeded": self._unneeded})
        found.files, found.bytes, found.elsewhere = manifest.files, manifest.bytes, sources.elsewhere
        self._place.add(NAME, manifest.path.stat().st_size, _chunks(manifest.path))
        self._place.finish()
        return found

    def _quarantine(self, root: Path, manifest: ManifestWriter, who: Actor, now: float) -> None:
        ledger = self._place.scratch / LEDGER
        copy = QuarantineCopy(root, ledger, self._fsync)
        version = copy.take_ledger(self._within(LEDGER))
        self._done += ledger.stat().st_size
        self._whole += copy.bytes
        for piece in copy.pieces():
            self._add(f"{QUARANTINE}/{piece.name}", piece.size, piece.chunks, manifest)
        copy.settle(who, now)
        self._take(f"{QUARANTINE}/{LEDGER}", ledger, manifest, version)
        self._result.entries = copy.entries - len(copy.left_out)
        self._result.left_out += copy.left_out
        self._result.damaged += copy.damaged
        self._unneeded += [f"{QUARANTINE}/{name}" for name in copy.unneeded]

    def _parts(self, parts: Iterable[Part], manifest: ManifestWriter) -> None:
        for part in parts:
            if not part.path.exists():
                continue
            if not part.database:
                self._add(part.name, part.path.stat().st_size, _chunks(part.path), manifest)
                continue
            draft = self._place.scratch / part.path.name
            version = self._copy_database(part, draft)
            self._done += draft.stat().st_size
            self._take(part.name, draft, manifest, version)

    def _copy_database(self, part: Part, draft: Path) -> int:
        try:
            return snapshot(part.path, draft, self._within(part.name))
        except DamagedDatabaseError as error:  # what can be had of it is in the copy
            self._result.damaged.append(str(error))
            return 0
        except sqlite3.Error as error:
            raise BackupError(f"{part.path}: {error}") from error

    def _take(self, name: str, draft: Path, manifest: ManifestWriter, schema: int) -> None:
        """Put a file of ours into the backup."""
        self._add(name, draft.stat().st_size, _chunks(draft), manifest, schema)
        draft.unlink()

    def _add(self, name: str, size: int, chunks: Iterable[bytes], manifest: ManifestWriter, schema: int = 0) -> None:
        digest = hashlib.sha256()
        self._place.add(name, size, self._counted(name, chunks, digest.update))
        manifest.add(Item(name, size, digest.hexdigest(), schema))

    def _counted(self, name: str, chunks: Iterable[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
        for chunk in chunks:
            update(chunk)
            self._done += len(chunk)
            self._told(name, self._done, max(self._whole, self._done))
            yield chunk

    def _within(self, name: str) -> Callable[[int, int], None]:
        """What tells of a database that is copied, before it is put into the backup."""
        return lambda done, _: self._told(name, self._done + done, max(self._whole, self._done + done))


def _estimate(sources: Sources) -> int:
    """Bytes, as far as they can be known before the ledger is read: what is worked at twice counts twice."""
    sizes = {part.path: 2 if part.database else 1 for part in sources.parts}
    if sources.quarantine is not None:
        sizes[sources.quarantine / LEDGER] = 2
    return sum([times * path.stat().st_size for path, times in sizes.items() if path.exists()])


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
