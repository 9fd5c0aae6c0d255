"""What is on the disk of a quarantine of one host: files, and records in segments."""

import os
from pathlib import Path

from filterd.quarantine.segments import Segments


def kept(root: Path) -> set[str]:
    """Names of all files but the ledger's, relative, and the records of segments in place of these."""
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    names = {name for name in found if not name.startswith(("ledger.sqlite", "segments/"))}
    segments = Segments(root / "segments", os.fsync)
    return names | {f"{record.kind.name} {slot}" for name in segments.names() for slot, record in segments.scan(name)}


def bytes_kept(root: Path) -> bytes:
    """Of all segments, one behind the other."""
    return b"".join([path.read_bytes() for path in sorted((root / "segments").iterdir())])
