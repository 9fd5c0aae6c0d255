"""All entries as one value of the shared state, with a version and the last changes."""

from dataclasses import dataclass
from typing import Final

import msgspec

from filterd.ownlists.entries import Entry, parse_name

MAX_ENTRIES: Final = 10_000  # of both lists; 2 MB that every front reads when one changes
MAX_CHANGES: Final = 500  # the newest are kept
MAX_BYTES: Final = 8_000_000  # of the value; what is larger was not written by us


class DocumentError(ValueError):
    """What is stored is no such document."""


@dataclass(frozen=True, slots=True)
class Change:
    """Who did what with which entry, when (epoch seconds); `origin` is the terminal or host he did it from."""

    at: float
    who: str
    origin: str
    what: str  # add, replace, remove, expire
    entry: Entry


@dataclass(frozen=True, slots=True)
class Document:
    """Everything there is; the version grows with every change."""

    version: int = 0
    entries: tuple[Entry, ...] = ()
    changes: tuple[Change, ...] = ()


def encode(document: Document) -> bytes:
    """As it is stored."""
    return msgspec.json.encode(document)


def decode(raw: bytes) -> Document:
    """From what is stored. DocumentError: somebody else has written there."""
    if len(raw) > MAX_BYTES:
        raise DocumentError("larger than any that is written")
    try:
        document = msgspec.json.decode(raw, type=Document)
        for entry in document.entries:
            if parse_name(str(entry)) != (entry.kind, entry.name):
                raise DocumentError(f"{entry} is not in the form that is compared")
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DocumentError(str(error)[:200]) from error
    return document
