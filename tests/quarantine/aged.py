"""Ledgers as earlier releases had them: made by the statements of those releases, which lie in `schemas`."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import psycopg

SCHEMAS: Final = Path(__file__).parent / "schemas"
TABLES: Final = ("entries", "audit", "head", "blobs", "litter")


def age(folder: Path, schema: str) -> Path:
    """Put what this quarantine's ledger has into one of that schema; its path. What has no column there is lost."""
    path = folder / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as new:
        rows = {table: _all(new, table) for table in _there(new)}
    for file in folder.glob("ledger.sqlite*"):
        file.unlink()
    path.touch(0o600)
    with closing(sqlite3.connect(path)) as old, old:
        old.executescript((SCHEMAS / f"{schema}.sql").read_text())
        for table in _there(old):
            names, found = rows[table]
            known = [name for name in names if name in _columns(old, table)]
            old.execute(f"DELETE FROM {table}")  # noqa: S608  # a constant
            for row in found:
                values = [value for name, value in zip(names, row, strict=True) if name in known]
                marks = ", ".join("?" * len(known))
                old.execute(f"INSERT INTO {table} ({', '.join(known)}) VALUES ({marks})", values)  # noqa: S608  # its own
    return path


def age_postgres(url: str, schema: str) -> None:
    """The same in PostgreSQL, in place."""
    with psycopg.connect(url) as connection:
        rows = {}
        for table in TABLES:
            cursor = connection.execute(f"SELECT * FROM {table}".encode())  # noqa: S608  # a constant
            rows[table] = ([column.name for column in cursor.description or ()], cursor.fetchall())
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
        connection.execute((SCHEMAS / f"{schema}.sql").read_bytes())
        connection.execute("DELETE FROM head")
        for table, (names, found) in rows.items():
            query = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})"  # noqa: S608  # its own
            for row in found:
                connection.execute(query.encode(), row)


def _there(connection: sqlite3.Connection) -> list[str]:
    """Those of the tables that this ledger has."""
    found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return [table for table in TABLES if table in found]


def _all(connection: sqlite3.Connection, table: str) -> tuple[list[str], list[tuple[object, ...]]]:
    """Names of columns, and rows."""
    return _columns(connection, table), connection.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608  # a constant


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]
