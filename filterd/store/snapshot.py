"""A copy of an SQLite database as it stands at one moment, made while other processes read and write it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from filterd.store.embedded import create_private

BUSY: Final = 10.0  # seconds to wait for another process, which only a database being made or changed needs
PAGES: Final = 4_096  # copied between two words about progress, 16 MB


class DamagedDatabaseError(sqlite3.DatabaseError):
    """The copy is not sound, so neither is what it was made from."""


def snapshot(source: Path, target: Path, told: Callable[[int, int], None]) -> int:
    """Copy it into a file that is not there yet; what its schema's number is. sqlite3.Error, OSError.

    `told` hears of bytes done and of how many. Writers go on: the copy is of the transaction that was the last one when
    this began. Nothing of it is fsynced. DamagedDatabaseError where the copy is there and SQLite finds fault with it.
    """
    reading = sqlite3.connect(f"file:{quote(str(source))}?mode=rw", uri=True, timeout=BUSY, isolation_level=None)
    try:
        create_private(target)
        writing = sqlite3.connect(target, isolation_level=None)
        try:
            writing.execute("PRAGMA synchronous = OFF")
            # Inside a transaction the source stays as it is for this connection: no write makes the copy begin anew.
            reading.execute("BEGIN")
            version = _number(reading, "user_version")
            page = _number(reading, "page_size")
            reading.backup(
                writing, pages=PAGES, progress=lambda _, left, whole: told((whole - left) * page, whole * page)
            )
            writing.execute("PRAGMA journal_mode = DELETE")  # one file, until somebody works with it
            _check(writing, source)
        finally:
            writing.close()
    finally:
        reading.close()
    return version


def schema_of(path: Path) -> int:
    """The number of a database's schema; sqlite3.Error."""
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY)
    try:
        return _number(connection, "user_version")
    finally:
        connection.close()


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _check(connection: sqlite3.Connection, source: Path) -> None:
    found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if found != "ok":
        raise DamagedDatabaseError(f"{source}: {found}")
