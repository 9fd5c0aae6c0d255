"""The ledger's tables in PostgreSQL: those of schema.py, and where shared files are (shared.py).

`blobs` says which object holds the message of a digest; `litter` names objects that nobody needs any more and that are
still to be removed. What DMARC's reports are made of is beside them (aggregate_schema.py).
"""

from collections.abc import Mapping
from typing import Final

from filterd.quarantine.aggregate_schema import TABLES
from filterd.quarantine.once import ONCE

VERSION: Final[int] = 3
_ID: Final = 'TEXT COLLATE "C"'  # ids begin with the time: compared as bytes, whatever the database's language is

# What makes an empty database; the version is written by who runs it.
SCRIPT: Final[tuple[str, ...]] = (
    (
        f"CREATE TABLE entries (id {_ID} PRIMARY KEY, received DOUBLE PRECISION NOT NULL, state TEXT NOT NULL,"
        " digest TEXT NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL, client TEXT NOT NULL,"
        " helo TEXT NOT NULL, subject TEXT NOT NULL, header_from TEXT NOT NULL, code TEXT NOT NULL,"
        " text TEXT NOT NULL, score DOUBLE PRECISION NOT NULL, size BIGINT NOT NULL, sha256 TEXT NOT NULL,"
        " queue_id TEXT NOT NULL, symbols TEXT NOT NULL, changed DOUBLE PRECISION NOT NULL, attempts INTEGER NOT NULL,"
        " due DOUBLE PRECISION NOT NULL, lease TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL, targets TEXT NOT NULL,"
        " files BOOLEAN NOT NULL, kept BOOLEAN NOT NULL)"
    ),
    "CREATE INDEX entries_digest ON entries (digest, state, id)",
    "CREATE INDEX entries_sha256 ON entries (sha256) WHERE files",
    "CREATE INDEX entries_state ON entries (state, id)",
    "CREATE INDEX entries_code ON entries (code, state, id)",
    "CREATE INDEX entries_score ON entries (state, score)",
    "CREATE INDEX entries_due ON entries (due) WHERE state = 'releasing'",
    "CREATE INDEX entries_changed ON entries (changed) WHERE files",
    (
        "CREATE TABLE audit (seq BIGINT PRIMARY KEY, time DOUBLE PRECISION NOT NULL, actor TEXT NOT NULL,"
        f" origin TEXT NOT NULL, action TEXT NOT NULL, id {_ID} NOT NULL, result TEXT NOT NULL, link TEXT NOT NULL)"
    ),
    "CREATE INDEX audit_id ON audit (id)",
    "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), seq BIGINT NOT NULL, link TEXT NOT NULL)",
    "INSERT INTO head VALUES (1, 0, '')",
    "CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, object TEXT NOT NULL)",
    "CREATE TABLE litter (object TEXT PRIMARY KEY)",
    "CREATE TABLE ledger_version (version INTEGER NOT NULL)",
    "INSERT INTO ledger_version VALUES (0)",
    *ONCE,
    *TABLES,
)
# Statements that lead from an earlier version to the next one.
UPGRADES: Final[Mapping[int, tuple[str, ...]]] = {1: ONCE, 2: TABLES}
EXTENSION: Final = "CREATE EXTENSION IF NOT EXISTS pg_trgm"
SEARCH: Final = (
    "CREATE INDEX IF NOT EXISTS entries_search ON entries USING gin (sender gin_trgm_ops, recipients gin_trgm_ops,"
    " subject gin_trgm_ops, symbols gin_trgm_ops)"
)
