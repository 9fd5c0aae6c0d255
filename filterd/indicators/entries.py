"""Entries, and finding the one that means a value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum


class Kind(StrEnum):
    """What a value is."""

    FILE = "file"
    URL = "url"
    HOST = "host"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Entry:
    """Values of one kind in the form that is compared; `expires` is the last day (UTC) on which they count."""

    name: str
    kind: Kind
    values: tuple[str, ...]
    reason: str
    owner: str
    expires: date

    def __str__(self) -> str:
        """As evidence."""
        return f"{self.name}: {self.reason} ({self.owner})"


class Indicators:
    """All entries, by kind and value."""

    def __init__(self, entries: Iterable[Entry] = (), hosts: Iterable[str] = ()) -> None:
        """Take the entries, and the hosts of their links: a message that names none of those has none of the links."""
        self.entries = tuple(entries)
        self.url_hosts = frozenset(hosts)
        self._by_kind: Mapping[Kind, dict[str, list[Entry]]] = {kind: {} for kind in Kind}
        for entry in self.entries:
            for value in entry.values:
                self._by_kind[entry.kind].setdefault(value, []).append(entry)

    def has(self, kind: Kind) -> bool:
        """Whether anything of that kind is listed."""
        return bool(self._by_kind[kind])

    def find(self, kind: Kind, value: str, now: float) -> Entry | None:
        """The first entry with that value which has not expired."""
        entries = self._by_kind[kind].get(value)
        if entries is None:
            return None
        today = day(now)
        return next((entry for entry in entries if entry.expires >= today), None)

    def expired(self, now: float) -> tuple[Entry, ...]:
        """The entries that no longer count."""
        today = day(now)
        return tuple([entry for entry in self.entries if entry.expires < today])


def day(now: float) -> date:
    """The day (UTC) of an epoch time."""
    return datetime.fromtimestamp(now, UTC).date()
