"""What a backup says of itself: a line about it, a line for each file, and a line that closes it with a check sum.

{"format": 1, "filterd": "0.1.0", "made": 1764081000.0, "host": "mx1", ...}
{"name": "quarantine/ledger.sqlite", "size": 90112, "sha256": "...", "schema": 4}
{"files": 12, "bytes": 1234567, ..., "sha256": "of all lines before"}
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import orjson

from filterd.operations.backup_places import BackupError

NAME: Final = "MANIFEST"
FORMAT: Final = 1  # of the whole backup
MAX_LINE: Final = 1 << 20  # bytes; entries that are named in the last line have 30 each
# Nothing else is ever written by a restore, whatever a manifest says.
_KNOWN: Final = re.compile(
    r"(?:quarantine/(?:ledger\.sqlite|segments/[0-9a-f]{11}-[0-9a-f]{8}|evidence/[0-9A-Z]{26}\.json"
    r"|blobs/[0-9a-f]{2}/[0-9a-f]{64}(?:\.zst)?)"
    r"|journal\.sqlite|state\.sqlite|dmarc\.sqlite|lists\.json"
    r"|classifier/(?:lessons\.sqlite|inbox\.sqlite|model\.bin|base-[0-9]{1,19}\.bin))"
)


@dataclass(frozen=True, slots=True)
class Item:
    """One file; `schema` is the number of a database's schema, 0 for what is none."""

    name: str
    size: int
    sha256: str
    schema: int = 0


@dataclass(slots=True)
class Manifest:
    """All of it: what the first and the last line say, and the files by name."""

    about: dict[str, Any]
    items: dict[str, Item] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)


class ManifestWriter:
    """Writes one, line by line, into a file."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        """`about` is for the first line."""
        self.path = path
        self.files = self.bytes = 0
        self._digest = hashlib.sha256()
        self._file = path.open("xb")
        self._write({"format": FORMAT, **about})

    def add(self, item: Item) -> None:
        """One more file."""
        self.files += 1
        self.bytes += item.size
        line: dict[str, Any] = {"name": item.name, "size": item.size, "sha256": item.sha256}
        self._write(line | ({"schema": item.schema} if item.schema else {}))

    def end(self, facts: dict[str, Any]) -> None:
        """The last line, with these facts in it; nothing follows."""
        line = {"files": self.files, "bytes": self.bytes, **facts, "sha256": self._digest.hexdigest()}
        self._file.write(orjson.dumps(line) + b"\n")
        self._file.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file, whole or not."""
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        data = orjson.dumps(line) + b"\n"
        self._digest.update(data)
        self._file.write(data)


def read(lines: Iterator[bytes]) -> Manifest:
    """What was written, whole and unaltered; BackupError."""
    digest = hashlib.sha256()
    manifest: Manifest | None = None
    for line in lines:
        found = _object(line)
        if manifest is None:
            if found.get("format") != FORMAT:
                raise BackupError(
                    f"{NAME}: format {found.get('format')}: this release reads {FORMAT}, use the one that wrote it"
                )
            manifest = Manifest(found)
        elif "name" in found:
            item = _item(found)
            manifest.items[item.name] = item
        else:
            return _closed(manifest, found, digest.hexdigest(), next(lines, b""))
        digest.update(line)
    raise BackupError(f"{NAME} ends too early: this is no whole backup")


def _closed(manifest: Manifest, end: dict[str, Any], digest: str, behind: bytes) -> Manifest:
    if behind or end.get("sha256") != digest or end.get("files") != len(manifest.items):
        raise BackupError(f"{NAME} is not as it was written: this is no whole backup")
    manifest.end = end
    return manifest


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict) or len(line) > MAX_LINE:
        raise BackupError(f"{NAME}: a line is none of a manifest: this is no whole backup")
    return found


def _item(found: dict[str, Any]) -> Item:
    try:
        item = Item(str(found["name"]), int(found["size"]), str(found["sha256"]), int(found.get("schema", 0)))
    except (KeyError, TypeError, ValueError):
        raise BackupError(f"{NAME}: a line is none of a manifest: this is no whole backup") from None
    require_known(item.name)
    return item


def require_known(name: str) -> None:
    """BackupError where no backup of this release has a file of that name."""
    if _KNOWN.fullmatch(name) is None:
        raise BackupError(f"{name[:80]!r} is no file of a backup that this release knows: use the one that wrote it")
