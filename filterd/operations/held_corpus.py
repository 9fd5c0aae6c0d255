"""Held mail as a corpus for `filterd rules backtest --against quarantine`: what reviewers decided is its label."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filterd.model.custody import CustodyError
from filterd.operations.rules_backtest import Labelled
from filterd.operations.scan import MAX_FILE
from filterd.quarantine import Entry, EntryFilter, Quarantine, State

NAME: Final = "quarantine"  # as --against has it; a folder of that name is ./quarantine
PAGE: Final = 1_000  # entries read at once
RELEASED: Final = "released"
# What somebody wanted to have was no spam, whatever the MTA made of it. Of one message that came more than once the
# verdict that says most counts: the order of this table.
LABELS: Final[Mapping[State, str]] = {
    State.DELIVERED: RELEASED,
    State.RELEASING: RELEASED,
    State.FAILED: RELEASED,
    State.DELETED: "deleted",
    State.HELD: "held",
    State.EXPIRED: "expired",
}
MEANINGS: Final[Mapping[str, str]] = {
    RELEASED: "somebody released them: hits are false positives",
    "deleted": "somebody deleted them",
    "held": "nobody has decided",
    "expired": "nobody has decided in time",
}
_RANK: Final = {state: rank for rank, state in enumerate(LABELS)}


def held_corpus(quarantine: Quarantine, since: float | None = None) -> list[Labelled]:
    """Every held message whose bytes are still there, newest first, each once. CustodyError."""
    best: dict[str, Entry] = {}
    for entry in _entries(quarantine, since):
        known = best.get(entry.digest)
        if known is None or _RANK[entry.state] < _RANK[known.state]:
            best[entry.digest] = entry
    return [
        Labelled(Path(entry.id), LABELS[entry.state], source=Source(quarantine, entry.id)) for entry in best.values()
    ]


def _entries(quarantine: Quarantine, since: float | None) -> Iterator[Entry]:
    wanted = EntryFilter(state=None, since=since)
    before = None
    while page := quarantine.entries(wanted, before=before, limit=PAGE):
        yield from [entry for entry in page if entry.files]
        before = page[-1].id


@dataclass(frozen=True, slots=True)
class Source:
    """Reads one held message. What cannot be read is OSError, so that it costs the others nothing."""

    quarantine: Quarantine
    id: str

    def __call__(self) -> bytes:
        """Its bytes, as received."""
        try:
            with self.quarantine.open_raw(self.id) as source:
                return source.read(MAX_FILE)
        except (KeyError, CustodyError) as error:  # purged meanwhile, or the store is away
            raise OSError(f"{type(error).__name__}: {error}") from error
