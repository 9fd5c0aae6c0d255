"""The ledger's tables.

`changed` is when an entry came into its state; `due` when its release is tried next, or when the lease of the process
that tries it now ends; `outcome` what the MTA said last; `targets` the recipients of a release; `files` 1 while message
and evidence are there; `kept` 1 under legal hold. `body` and `record` say in which slot of a segment (segments.py)
message and evidence are, and are empty where these are files of their own; `litter` names slots that no entry needs
any more and that are still to be erased. Texts are found by an index of trigrams (searching.py): what a reviewer looks
for may stand anywhere in a field, among a million. `searched` is the number of the last entry that is in it.
"""

from typing import Final

from filterd.quarantine.once import ONCE
from filterd.store.embedded import Schema

_ENTRIES: Final = (
    "CREATE TABLE {name} (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, received REAL NOT NULL,"
    " state TEXT NOT NULL, digest TEXT NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL, client TEXT NOT NULL,"
    " helo TEXT NOT NULL, subject TEXT NOT NULL, header_from TEXT NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL,"
    " score REAL NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, queue_id TEXT NOT NULL,"
    " symbols TEXT NOT NULL DEFAULT '', changed REAL NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,"
    " due REAL NOT NULL DEFAULT 0, lease TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT '',"
    " targets TEXT NOT NULL DEFAULT '[]', files INTEGER NOT NULL DEFAULT 1, kept INTEGER NOT NULL DEFAULT 0{more})"
)
_SLOTS: Final = "body TEXT NOT NULL DEFAULT ''", "record TEXT NOT NULL DEFAULT ''"
_OLD: Final = (
    "id, received, state, digest, sender, recipients, client, helo, subject, header_from, code, text, score, size,"
    " sha256, queue_id"
)
_INDEXES: Final = (
    "CREATE INDEX entries_digest ON entries (digest, state, id)",
    "CREATE INDEX entries_sha256 ON entries (sha256) WHERE files",
    "CREATE INDEX entries_state ON entries (state, id)",
    "CREATE INDEX entries_code ON entries (code, state, id)",
    "CREATE INDEX entries_score ON entries (state, score)",
    "CREATE INDEX entries_due ON entries (due) WHERE state = 'releasing'",
    "CREATE INDEX entries_changed ON entries (changed) WHERE files",
)
_SEARCH: Final = (
    "CREATE VIRTUAL TABLE search USING fts5(sender, recipients, subject, header_from, symbols, content='entries',"
    " content_rowid='number', tokenize='trigram', detail='column', columnsize=0)"
)
_LAST: Final = "(SELECT coalesce(max(number), 0) FROM entries)"
# A removed entry's number may be given again: what is searched ends below it, or the next one would not be looked for.
_REMOVED: Final = (
    "CREATE TRIGGER entries_removed AFTER DELETE ON entries BEGIN"  # noqa: S608  # constants
    " INSERT INTO search (search, rowid, sender, recipients, subject, header_from, symbols)"
    " SELECT 'delete', old.number, old.sender, old.recipients, old.subject, old.header_from, old.symbols"
    " WHERE old.number <= (SELECT number FROM searched);"
    f" UPDATE searched SET number = {_LAST} WHERE number > {_LAST}; END"
)
_SEARCHED: Final = (
    "CREATE TABLE searched (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL)",
    "INSERT INTO searched VALUES (1, 0)",
    _REMOVED,
)
_LITTER: Final = "CREATE TABLE litter (slot TEXT PRIMARY KEY) WITHOUT ROWID"
# `origin` is from where an actor came; `link` the hash over this row and all before it (chain.py), of which `head`
# keeps the last one.
_HEAD: Final = "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, link TEXT NOT NULL)"

SCHEMA: Final = Schema(
    4,
    (
        _ENTRIES.format(name="entries", more="".join([f", {column}" for column in _SLOTS])),
        *_INDEXES,
        _SEARCH,
        *_SEARCHED,
        _LITTER,
        (
            "CREATE TABLE audit (seq INTEGER PRIMARY KEY, time REAL NOT NULL, actor TEXT NOT NULL,"
            " action TEXT NOT NULL, id TEXT NOT NULL, result TEXT NOT NULL, origin TEXT NOT NULL DEFAULT '',"
            " link TEXT NOT NULL DEFAULT '')"
        ),
        "CREATE INDEX audit_id ON audit (id)",
        _HEAD,
        "INSERT INTO head VALUES (1, 0, '')",
        *ONCE,
    ),
    {
        1: (
            _ENTRIES.format(name="moved", more=""),
            f"INSERT INTO moved ({_OLD}, changed, files) SELECT {_OLD}, received, state <> 'deleted' FROM entries",  # noqa: S608  # constants
            "DROP TABLE entries",
            "ALTER TABLE moved RENAME TO entries",
            *_INDEXES,
            "ALTER TABLE audit ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE audit ADD COLUMN link TEXT NOT NULL DEFAULT ''",
            _HEAD,
            "INSERT INTO head SELECT 1, coalesce(max(seq), 0), '' FROM audit",
        ),
        2: (
            *[f"ALTER TABLE entries ADD COLUMN {column}" for column in _SLOTS],
            "DROP TRIGGER IF EXISTS entries_added",
            "DROP TRIGGER IF EXISTS entries_removed",
            # The first ledgers of this version had an index that cannot be asked about one column: it is made anew, by
            # the upkeep, for a million texts take longer than a hold may wait.
            "DROP TABLE IF EXISTS search",
            _SEARCH,
            *_SEARCHED,
            _LITTER,
        ),
        3: ONCE,
    },
)
