"""Entries as rows of the ledger, and filters as conditions on them."""

from typing import Any, Final

import msgspec

from filterd.model.ids import new_id
from filterd.quarantine.entries import Entry, EntryFilter, State

COLUMNS: Final = (
    "id, received, state, digest, sender, recipients, client, helo, subject, header_from, code, text, score, size,"
    " sha256, queue_id, symbols, changed, attempts, due, outcome, targets, files, kept"
)
# Of the entries that are one message tried again, the newest stands for all.
NEWEST: Final = "NOT EXISTS (SELECT 1 FROM entries n WHERE n.digest = e.digest AND n.state = e.state AND n.id > e.id)"
COPIES: Final = "(SELECT count(*) FROM entries c WHERE c.digest = e.digest AND c.state = e.state)"
SELECT: Final = f"SELECT {COLUMNS}"
_LIKE: Final = {"sender": "sender", "recipient": "recipients", "subject": "subject"}
_PLAIN: Final = {"code": "e.code = ?", "min_score": "e.score >= ?"}
_FIRST: Final = bytes(10)


def values_of(entry: Entry) -> tuple[Any, ...]:
    """In the order of COLUMNS."""
    return (
        entry.id,
        entry.received,
        entry.state,
        entry.digest,
        entry.sender,
        _json(entry.recipients),
        entry.client,
        entry.helo,
        entry.subject,
        entry.header_from,
        entry.code,
        entry.text,
        entry.score,
        entry.size,
        entry.sha256,
        entry.queue_id,
        f" {' '.join(entry.symbols)} ",
        entry.changed,
        entry.attempts,
        entry.due,
        entry.outcome,
        _json(entry.targets),
        entry.files,
        entry.kept,
    )


def entry_in(row: tuple[Any, ...]) -> Entry:
    """From a row of COLUMNS and how many copies there are."""
    identifier, received, state, digest, sender, recipients = row[:6]
    client, helo, subject, header_from, code, text, score, size, sha256, queue_id = row[6:16]
    symbols, changed, attempts, due, outcome, targets, files, kept, copies = row[16:]
    return Entry(
        identifier,
        received,
        State(state),
        digest,
        sender,
        _texts(recipients),
        client,
        helo,
        subject,
        header_from,
        code,
        text,
        score,
        size,
        sha256,
        queue_id,
        tuple(symbols.split()),
        changed,
        attempts,
        due,
        outcome,
        _texts(targets),
        bool(files),
        bool(kept),
        copies,
    )


class Conditions:
    """A filter as SQL: `where` with its `values`; `texts` are those looked for anywhere in a column."""

    def __init__(self, wanted: EntryFilter, before: str | None, contains: str = "LIKE") -> None:
        """`before` is the id that all must be older than, `contains` the database's operator (Database.contains)."""
        self._operator = contains
        self.where: list[str] = []
        self.values: list[Any] = []
        self.texts: list[tuple[str, str]] = []  # column, text
        states = wanted.states or ((wanted.state,) if wanted.state is not None else ())
        if states:
            self._add(f"e.state IN ({', '.join('?' * len(states))})", *states)
        for name, column in _LIKE.items():
            self._contains(column, getattr(wanted, name))
        if wanted.symbol is not None:
            self._contains("symbols", f" {wanted.symbol} ")
        for name, condition in _PLAIN.items():
            if getattr(wanted, name) is not None:
                self._add(condition, getattr(wanted, name))
        # Ids begin with the time: their index serves for both.
        if wanted.since is not None:
            self._add("e.id >= ?", new_id(max(wanted.since, 0.0), _FIRST))
        for until in (before, new_id(max(wanted.until, 0.0), _FIRST) if wanted.until is not None else None):
            if until is not None:
                self._add("e.id < ?", until)

    def _add(self, condition: str, *values: object) -> None:
        self.where.append(condition)
        self.values += values

    def _contains(self, column: str, text: str | None) -> None:
        if text is None:
            return
        escaped = "".join([f"\\{letter}" if letter in "\\%_" else letter for letter in text])
        self._add(f"e.{column} {self._operator} ? ESCAPE '\\'", f"%{escaped}%")
        self.texts.append((column, text))


def _json(texts: tuple[str, ...]) -> str:
    return msgspec.json.encode(texts).decode()


def _texts(column: str) -> tuple[str, ...]:
    return msgspec.json.decode(column, type=tuple[str, ...])
