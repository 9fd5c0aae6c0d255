"""filterd quarantine list: which columns, in which order, and what stands out."""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import typer

from filterd.quarantine import Entry, State


class Sort(StrEnum):
    """What a list can be sorted by."""

    RECEIVED = "received"
    SCORE = "score"
    SIZE = "size"
    COPIES = "copies"
    FROM = "from"
    TO = "to"
    SUBJECT = "subject"
    REASON = "reason"


_KEYS: Final[Mapping[Sort, Callable[[Entry], tuple[str, float]]]] = {
    Sort.RECEIVED: lambda entry: ("", -entry.received),
    Sort.SCORE: lambda entry: ("", -entry.score),
    Sort.SIZE: lambda entry: ("", -entry.size),
    Sort.COPIES: lambda entry: ("", -entry.copies),
    Sort.FROM: lambda entry: (entry.sender.lower(), 0.0),
    Sort.TO: lambda entry: (", ".join(entry.recipients).lower(), 0.0),
    Sort.SUBJECT: lambda entry: (entry.subject.lower(), 0.0),
    Sort.REASON: lambda entry: (entry.code, 0.0),
}
COLUMNS: Final[Mapping[str, Callable[[Entry], str]]] = {
    "id": lambda entry: entry.id,
    "received": lambda entry: moment_of(entry.received),
    "from": lambda entry: entry.sender,
    "to": lambda entry: ", ".join(entry.recipients),
    "author": lambda entry: entry.header_from,
    "client": lambda entry: entry.client,
    "helo": lambda entry: entry.helo,
    "reason": lambda entry: entry.code,
    "text": lambda entry: entry.text,
    "score": lambda entry: f"{entry.score:.1f}",
    "rules": lambda entry: " ".join(entry.symbols),
    "copies": lambda entry: str(entry.copies),
    "size": lambda entry: str(entry.size),
    "state": lambda entry: entry.state.value,
    "changed": lambda entry: moment_of(entry.changed),
    "outcome": lambda entry: entry.outcome,
    "queue": lambda entry: entry.queue_id,
    "sha256": lambda entry: entry.sha256,
    "subject": lambda entry: entry.subject,
}
DEFAULT: Final = "id,received,from,to,reason,score,copies,subject"
NARROW: Final = "id,from,reason,score,subject"  # on a terminal that has no room for all of those
WIDE: Final = 120  # columns of a terminal that has
_STYLES: Final = {
    State.FAILED: "yellow",
    State.RELEASING: "cyan",
    State.DELIVERED: "green",
    State.DELETED: "dim",
    State.EXPIRED: "dim",
}


def columns_of(text: str) -> tuple[str, ...]:
    """Names parted by commas, by default those there is room for; the command ends where one is none."""
    if not text:
        narrow = sys.stdout.isatty() and shutil.get_terminal_size().columns < WIDE
        text = NARROW if narrow else DEFAULT
    names = tuple([name.strip() for name in text.split(",")])
    if wrong := [name for name in names if name not in COLUMNS]:
        expected = ", ".join(COLUMNS)
        raise typer.BadParameter(f"no column {wrong[0][:40]!r}; there are {expected}", param_hint="--columns")
    return names


def ordered(entries: Sequence[Entry], by: Sort, *, reverse: bool) -> list[Entry]:
    """Times and numbers from the highest, texts by the alphabet; what is equal stays newest first."""
    return sorted(entries, key=_KEYS[by], reverse=reverse)


def row(entry: Entry, columns: Sequence[str]) -> tuple[str, ...]:
    """The cells of an entry."""
    return tuple([COLUMNS[name](entry) for name in columns])


def style(entry: Entry, reject: float) -> str:
    """How its row looks on a terminal: by its state, and what scores as high as mail that is refused stands out."""
    return _STYLES.get(entry.state, "red" if entry.score >= reject else "")


def moment_of(seconds: float) -> str:
    """A time for a list."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
