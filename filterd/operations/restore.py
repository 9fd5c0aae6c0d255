"""A backup put back where nothing is: all of it is checked beside its place first, and then gets its names.

What is in a manifest and only that is taken, under names that a backup has and no others. An interrupted restore leaves
files called .NAME.restoring, which the next one removes.
"""

import hashlib
import os
import shutil
import sqlite3
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from filterd.operations.backup import Told
from filterd.operations.backup_manifest import NAME, Item, Manifest, read, require_known
from filterd.operations.backup_places import STREAM, BackupError, sync_file_system, write_sparse
from filterd.quarantine.segments import CHUNK
from filterd.store.snapshot import schema_of

PASSABLE: Final = 0o711  # of the state folder, where there is none: the MTA passes it to reach a socket
MAX_MANIFEST_LINE: Final = 1 << 20  # bytes read as one line


@dataclass(frozen=True, slots=True)
class Home:
    """Where a part of a backup goes: `first` is the first word of its names, `schemas` what this release can read.

    A folder's files are put below `path`; `schemas` is by the whole name of a database.
    """

    first: str
    path: Path
    schemas: Mapping[str, int]

    @property
    def staged(self) -> Path:
        """Where it is put together."""
        return self.path.with_name(f".{self.path.name}.restoring")


class Restore:
    """One restore."""

    def __init__(self, homes: tuple[Home, ...], state: Path, told: Told) -> None:
        """`state` is the state folder, whose owner everything gets; `told` hears of progress."""
        self._homes = {home.first: home for home in homes}
        self._state = state
        self._told = told
        self._done = 0

    def run(self, source: str, whole: int = 0) -> Manifest:
        """Put it back. BackupError, OSError: nothing is there that was not. `whole` is a guess of its bytes."""
        self.require_empty()
        self._forget_staged()
        if not self._state.is_dir():
            self._state.mkdir(mode=PASSABLE, parents=True)
            self._state.chmod(PASSABLE)
        try:
            manifest = self._stage(source, whole)
            self._check_schemas(manifest)
            self._drop(manifest)
            staged = [home for home in self._homes.values() if home.staged.exists()]
            for home in staged:
                self._give(home.staged)
            for home in staged:
                sync_file_system(home.staged if home.staged.is_dir() else home.staged.parent)
        except BaseException:
            self._forget_staged()
            raise
        # Held mail is last: where this is interrupted, what there is of it is all in the backup still.
        for home in sorted(staged, key=lambda one: one.first == "quarantine"):
            with suppress(FileNotFoundError):
                home.path.rmdir()
            home.staged.rename(home.path)
        sync_file_system(self._state)
        return manifest

    def require_empty(self) -> None:
        """BackupError where something is in the way."""
        for home in self._homes.values():
            # What SQLite has left beside a database would be taken for the restored one's.
            beside = [home.path.with_name(home.path.name + end) for end in ("-wal", "-shm", "-journal")]
            for path in (home.path, *beside):
                if path.is_symlink() or (path.exists() and (not path.is_dir() or any(path.iterdir()))):
                    raise BackupError(
                        f"{path} is there: a backup is restored into an empty place only; stop filterd and move what"
                        " is in the way, or name another [paths] state"
                    )

    def _stage(self, source: str, whole: int) -> Manifest:
        """Everything beside its place, as the manifest says it is."""
        found: dict[str, tuple[int, str]] = {}
        manifest: Manifest | None = None
        with _members(source) as members:
            for name, size, file in members:
                if name == NAME:
                    manifest = read(iter(partial(file.readline, MAX_MANIFEST_LINE), b""))
                    continue
                require_known(name)
                found[name] = (size, self._write(name, size, file, whole))
        if manifest is None:
            raise BackupError(f"{source} ends without {NAME}: this backup was never finished")
        for item in manifest.items.values():
            if item.name not in found:
                raise BackupError(f"{item.name} is missing from the backup")
            if found[item.name] != (item.size, item.sha256):
                raise BackupError(f"{item.name} is not as it was written: the backup is damaged")
        if strange := found.keys() - manifest.items.keys():
            raise BackupError(f"{min(strange)} is not in {NAME}: this is no whole backup")
        return manifest

    def _write(self, name: str, size: int, file: BinaryIO, whole: int) -> str:
        """One file; its SHA-256."""
        first, _, rest = name.partition("/")
        home = self._homes.get(first)
        if home is None:
            raise BackupError(f"{name}: the configuration has no place for it: is held mail kept elsewhere now?")
        path = home.staged / rest if rest else home.staged
        if rest:
            _make_private(path.parent, home.staged)
        digest = hashlib.sha256()

        def chunks() -> Iterator[bytes]:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                self._done += len(chunk)
                self._told(name, self._done, max(whole, self._done))
                yield chunk

        write_sparse(path, size, chunks())
        return digest.hexdigest()

    def _check_schemas(self, manifest: Manifest) -> None:
        for item in manifest.items.values():
            home = self._homes[item.name.partition("/")[0]]
            if item.name in home.schemas:
                _require_readable(item, home)

    def _drop(self, manifest: Manifest) -> None:
        """Remove what was copied of entries that went while the backup was made."""
        for name in map(str, manifest.end.get("unneeded", [])):
            if name in manifest.items:
                first, _, rest = name.partition("/")
                (self._homes[first].staged / rest).unlink(missing_ok=True)

    def _give(self, path: Path) -> None:
        """To whoever owns the state folder, where root restores."""
        if os.geteuid():
            return
        owner = self._state.stat()
        for one in (path, *(path.rglob("*") if path.is_dir() else ())):
            os.chown(one, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def _forget_staged(self) -> None:
        for home in self._homes.values():
            if home.staged.is_dir() and not home.staged.is_symlink():
                shutil.rmtree(home.staged)
            else:
                home.staged.unlink(missing_ok=True)


def _require_readable(item: Item, home: Home) -> None:
    """BackupError for a schema that a later release has written, and for what is no database."""
    rest = item.name.partition("/")[2]
    try:
        version = schema_of(home.staged / rest if rest else home.staged)
    except sqlite3.Error as error:
        raise BackupError(f"{item.name}: {error}") from None
    known = home.schemas[item.name]
    if version > known:
        raise BackupError(
            f"{item.name} has schema {version}, and this release reads up to {known}: restore with the release that"
            " made the backup, or a later one"
        )


def _make_private(folder: Path, top: Path) -> None:
    """Make it, and what is missing above it, of mode 0700 whatever the umask is."""
    if not folder.exists():
        if folder != top:
            _make_private(folder.parent, top)
        folder.mkdir(mode=0o700)


@contextmanager
def _members(source: str) -> Iterator[Iterator[tuple[str, int, BinaryIO]]]:
    """All files of a backup with their names and sizes, the manifest last. BackupError."""
    path = Path(source)
    try:
        if source != STREAM and path.is_dir():
            yield _in_folder(path)
            return
        with (
            tarfile.open(fileobj=sys.stdin.buffer, mode="r|") if source == STREAM else tarfile.open(path, "r:")
        ) as archive:
            yield _in_archive(archive)
    except tarfile.TarError as error:
        raise BackupError(f"{source}: {error}: expected a folder or a tar file that filterd backup has made") from None


def _in_folder(folder: Path) -> Iterator[tuple[str, int, BinaryIO]]:
    paths = [path for path in sorted(folder.rglob("*")) if not path.is_dir() or path.is_symlink()]
    for path in sorted(paths, key=lambda one: one == folder / NAME):
        if path.is_symlink() or not path.is_file():
            raise BackupError(f"{path} is no file: this is no whole backup")
        with path.open("rb") as file:
            yield str(path.relative_to(folder)), path.stat().st_size, file


def _in_archive(archive: tarfile.TarFile) -> Iterator[tuple[str, int, BinaryIO]]:
    for member in archive:
        file = archive.extractfile(member) if member.isreg() else None
        if file is None:
            raise BackupError(f"{member.name[:80]!r} is no file: this is no whole backup")
        yield member.name, member.size, _plain(file)


def _plain(file: object) -> BinaryIO:
    """What tarfile gives is a file to be read."""
    return file  # type: ignore[return-value]  # typed as IO[bytes]


def size_of(source: str) -> int:
    """How many bytes a backup has, as far as that is seen at once; 0 for a stream."""
    path = Path(source)
    if source == STREAM:
        return 0
    if path.is_dir():
        return sum([one.stat().st_size for one in path.rglob("*") if one.is_file()])
    with suppress(OSError):
        return path.stat().st_size
    return 0
