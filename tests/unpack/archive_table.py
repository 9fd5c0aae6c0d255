"""Writes tests/cases/unpack/libarchive.toml anew: `python -m tests.unpack.archive_table FILE`; read the difference.

What an archive holds is the paths that came out of it; `why` says what stayed unread or has two readings; `note` is
written by hand, for files that give neither.
"""

import json
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any, Final

from filterd.unpack import Budget, unpack

TABLE: Final = Path(__file__).resolve().parents[1] / "cases" / "unpack" / "libarchive.toml"
SOURCE: Final = Path("data", "attachments", "libarchive.tar.xz")


def rows(source: Path) -> dict[str, dict[str, Any]]:
    """What each file gives now."""
    found: dict[str, dict[str, Any]] = {}
    with tarfile.open(source) as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isfile() else None
            if file is not None:
                name = entry.name.rpartition("/")[2]
                found[name] = row(file.read(), name)
    return dict(sorted(found.items()))


def row(data: bytes, name: str) -> dict[str, Any]:
    """What one file gives."""
    budget = Budget()
    members = list(unpack(data, "1", name, 0, budget))
    values: dict[str, Any] = {
        "holds": [f"{member.path[2:]} ({'encrypted' if member.encrypted else len(member.data)})" for member in members],
        "why": [f"{found.symbol}: {found.evidence[0]}" for found in budget.findings],
    }
    return {key: value for key, value in values.items() if value}


def written(table: dict[str, dict[str, Any]], notes: dict[str, str]) -> str:
    """The table as TOML: one line for each file."""
    out = "# Made by tests/unpack/archive_table.py with libarchive 3.6.2; the notes are written by hand.\n"
    for name, values in table.items():
        more = {"note": notes[name]} if name in notes else {}
        cells = ", ".join([f"{key} = {_quoted(value)}" for key, value in (values | more).items()])
        out += f"{_quoted(name)} = {{ {cells} }}\n"
    return out


def _quoted(value: object) -> str:
    """As TOML writes it, which is as JSON does but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def known() -> dict[str, dict[str, Any]]:
    """The table as it is committed."""
    return tomllib.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}


if __name__ == "__main__":
    kept = {name: values["note"] for name, values in known().items() if "note" in values}
    TABLE.write_text(written(rows(Path(sys.argv[1])), kept), encoding="utf-8")
