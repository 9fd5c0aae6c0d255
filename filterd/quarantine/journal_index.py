"""Finding a part of a text in millions of journal rows: which blocks of rows may hold it.

Rows are indexed a block at a time: SQLite's full-text search notes which three letters in a row stand in a block. So a
row costs its writer little, an entry serves many rows, and whoever looks reads the few blocks that have all threes of
what is looked for. What has no three letters is looked for without the index.

Each GENERATION of blocks has a table of its own, dropped as a whole when its last row is too old: from a table without
content single entries cannot be taken. Where this SQLite has no such index, none is made and nothing else changes.
"""

import hashlib
import ipaddress
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from filterd.store.embedded import transaction

BLOCK: Final = 128  # rows in a block: one that holds what is looked for is read in a fraction of a millisecond
GENERATION: Final = 8_192  # blocks in a table: a million rows, some 250 MB
# Blocks indexed in one transaction, once so many are full: twice the work for each where they are few at a time. Others
# wait for it a quarter of a second, and 4,096 rows are read for whoever looks meanwhile.
AT_ONCE: Final = 32
MAX_THREES: Final = 40  # of one text that are looked for; more hardly rule out more
_LETTERS: Final = 3
_FIRST_LETTER: Final = 0x4E00  # of 16,384 that have no case

SCHEMA: Final = ("CREATE TABLE journal_blocks (block INTEGER PRIMARY KEY, oldest REAL NOT NULL, newest REAL NOT NULL)",)
_TABLE: Final = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS journal_text_{generation} USING fts5 (sender, recipients, subject, client, ids,"
    " action, content = '', columnsize = 0, detail = column, tokenize = 'trigram')"
)
_ROWS: Final = (
    "SELECT received, sender, header_from, recipients, subject, client, message_id, queue_id, action FROM journal"
    " WHERE seq > ? AND seq <= ?"
)


def first_row(block: int) -> int:
    """The `seq` before the first one of a block."""
    return block * BLOCK


def last_block(connection: sqlite3.Connection) -> int:
    """The newest block that is indexed, -1 for none."""
    found = connection.execute("SELECT max(block) FROM journal_blocks").fetchone()[0]
    return -1 if found is None else int(found)


def index(connection: sqlite3.Connection) -> bool:
    """Index the next blocks where AT_ONCE are full; whether as many may be left. sqlite3.Error."""
    full = (connection.execute("SELECT max(seq) FROM journal").fetchone()[0] or 0) // BLOCK
    if full < last_block(connection) + 1 + AT_ONCE:
        return False
    with transaction(connection):
        begin = last_block(connection) + 1  # another process may have done them meanwhile
        end = min(full, begin + AT_ONCE)
        for block in range(begin, end):
            _index(connection, block)
    return full - end >= AT_ONCE


def _index(connection: sqlite3.Connection, block: int) -> None:
    rows = connection.execute(_ROWS, (first_row(block), first_row(block + 1))).fetchall()
    if not rows:  # they were too old before they were indexed
        connection.execute("INSERT INTO journal_blocks VALUES (?, 0, 0)", (block,))
        return
    generation = block // GENERATION
    connection.execute(_TABLE.format(generation=generation))
    times, senders, authors, recipients, subjects, clients, messages, queued, actions = zip(*rows, strict=True)
    texts = (
        "\n".join([*dict.fromkeys([*senders, *authors])]),
        "\n".join(dict.fromkeys(recipients)),
        "\n".join(dict.fromkeys(subjects)),
        "\n".join([spelt(client) for client in dict.fromkeys(clients)]),
        "\n".join([named(identifier) for identifier in dict.fromkeys([*messages, *queued])]),
        "\n".join(dict.fromkeys(actions)),
    )
    connection.execute(
        f"INSERT INTO journal_text_{generation} (rowid, sender, recipients, subject, client, ids, action)"  # noqa: S608  # a number
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (block, *texts),
    )
    connection.execute("INSERT INTO journal_blocks VALUES (?, ?, ?)", (block, min(times), max(times)))


def named(identifier: str) -> str:
    """A Message-ID (with angle brackets or without) or queue id as one three of its own: only a whole one is sought."""
    digest = int.from_bytes(hashlib.blake2b(identifier.strip("<>").encode(), digest_size=6).digest(), "big")
    return "".join([chr(_FIRST_LETTER + (digest >> 14 * at & 0x3FFF)) for at in range(_LETTERS)])


def spelt(client: str) -> str:
    """An address, or the beginning of one, with a character for each of its bytes, each place with its own.

    The first stands there three times, so that a beginning of a single byte has its three, too.
    """
    data = _bytes_of(client)
    letters = [chr(_FIRST_LETTER + 256 * at + byte) for at, byte in enumerate(data)]
    return "".join([*letters[:1] * (_LETTERS - 1), *letters])


def _bytes_of(client: str) -> bytes:
    """The bytes of an address; of a beginning those that are whole, so none of "192.0.2"'s last."""
    with suppress(ValueError):
        return ipaddress.ip_address(client.partition("%")[0]).packed
    with suppress(ValueError):
        if ":" in client:
            return b"".join([int(group, 16).to_bytes(2, "big") for group in client.split(":")[:-1] if group])
        return bytes([int(place) for place in client.split(".")[:-1]])
    return b""


def threes(column: str, text: str) -> str:
    """The condition that a block has all threes of a text in this column; empty where that cannot be asked."""
    if len(text) < _LETTERS or "\0" in text:
        return ""
    found = dict.fromkeys([text[at : at + _LETTERS] for at in range(len(text) - _LETTERS + 1)])
    quoted = ['"' + three.replace('"', '""') + '"' for three in list(found)[:MAX_THREES]]
    return f"{column} : ({' AND '.join(quoted)})"


def blocks(connection: sqlite3.Connection, conditions: Sequence[str], since: float, until: float) -> Iterator[int]:
    """The blocks that meet all of these conditions and have rows of that time, newest first."""
    match = " AND ".join([f"({condition})" for condition in conditions])
    for generation in _generations(connection):
        values: tuple[Any, ...] = (match, since, until)
        yield from [
            row[0]
            for row in connection.execute(
                f"SELECT t.rowid FROM journal_text_{generation} t JOIN journal_blocks b ON b.block = t.rowid"  # noqa: S608  # a number
                f" WHERE journal_text_{generation} MATCH ? AND b.newest >= ? AND b.oldest < ? ORDER BY t.rowid DESC",
                values,
            )
        ]


def _generations(connection: sqlite3.Connection) -> list[int]:
    """Those that have a table, newest first."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE %'").fetchall()
    return sorted([int(name.rpartition("_")[2]) for (name,) in names], reverse=True)


def forget(connection: sqlite3.Connection, before: float) -> None:
    """Drop the tables all of whose rows are older than that. sqlite3.Error."""
    newest = last_block(connection) // GENERATION
    for generation in _generations(connection):
        begin, end = generation * GENERATION, (generation + 1) * GENERATION
        last = connection.execute(
            "SELECT max(newest) FROM journal_blocks WHERE block >= ? AND block < ?", (begin, end)
        ).fetchone()[0]
        if generation < newest and last is not None and last < before:
            with transaction(connection):
                connection.execute(f"DROP TABLE journal_text_{generation}")
                connection.execute("DELETE FROM journal_blocks WHERE block >= ? AND block < ?", (begin, end))
