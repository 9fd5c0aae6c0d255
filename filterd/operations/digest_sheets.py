"""When a digest is due, and what stands in whose. Pure."""

import hashlib
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from filterd.quarantine import Entry

HOUR: Final = 3_600  # seconds
MAX_ADDRESS: Final = 254  # characters; RFC 5321 4.5.3.1.3: 256 with its brackets
_WORD: Final = r"[^\s<>@\"(),:;\\\[\]]"  # what an address has without quotes
_ADDRESS: Final = re.compile(f"{_WORD}{{1,64}}@{_WORD}{{1,190}}")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Once a day at that time in a zone, or, where `every` is not 0, every so many hours from midnight UTC."""

    every: int
    hour: int
    minute: int
    zone: tzinfo

    def last(self, now: float) -> int:
        """When a digest was due last, in epoch seconds: a whole number, the same on every node."""
        if self.every:
            period = self.every * HOUR
            return int(now // period) * period
        day = datetime.fromtimestamp(now, self.zone).date()
        # Today's, else yesterday's; a zone may have skipped a whole day, which is due with the one behind it.
        return next(due for due in (self._on(day - timedelta(days=back)) for back in range(3)) if due <= now)

    def _on(self, day: date) -> int:
        """A time that clocks show twice is the first; one that they skip is as if they had not been put forward."""
        return int(datetime.combine(day, time(self.hour, self.minute), self.zone).timestamp())


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told: reviewers of all, recipients in some domains of what is held for them for some reasons."""

    reviewers: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    most: int = 100

    def may_know(self, entry: Entry) -> bool:
        """Whether recipients are told of it."""
        if not any(_fits(entry.code, pattern) for pattern in self.reasons):
            return False
        return not any(_fits(symbol, pattern) for symbol in entry.symbols for pattern in self.never)

    def has(self, address: str) -> bool:
        """Whether a recipient is told at all. Nobody is whose address could be something else in a header."""
        if len(address) > MAX_ADDRESS or not address.isprintable() or "=?" in address:
            return False
        if _ADDRESS.fullmatch(address) is None:
            return False
        domain = address.rpartition("@")[2].lower()
        names = [one.lower() for one in self.domains]
        return any(domain == name or (name.startswith(".") and domain.endswith(name)) for name in names)


@dataclass(slots=True)
class Sheet:
    """What one of them is told: how many messages, and the newest of them, newest first."""

    name: str
    address: str
    reviewer: bool
    count: int = 0
    entries: deque[Entry] = field(default_factory=deque)


def name_of(address: str, *, reviewer: bool) -> str:
    """What stands in the ledger for somebody: no address, and the same however its letters are written."""
    kind = "reviewer" if reviewer else "recipient"
    return hashlib.sha256(f"{kind} {address.lower()}".encode("utf-8", "backslashreplace")).hexdigest()[:32]


def sheets(held: Iterable[tuple[int, Entry]], told: Mapping[str, int], audience: Audience) -> list[Sheet]:
    """A sheet for everybody who has something to be told, in a fixed order. `told`: up to which hold who was told."""
    found: dict[str, Sheet] = {}
    reviewers = [(name_of(one, reviewer=True), one) for one in audience.reviewers]
    for number, entry in held:
        known = audience.may_know(entry)
        recipients = [one for one in entry.recipients if known and audience.has(one)]
        readers = [*[(*one, True) for one in reviewers], *[(*one, False) for one in _named(recipients)]]
        for name, address, reviewer in readers:
            if number > told.get(name, 0):
                sheet = found.setdefault(name, Sheet(name, address, reviewer, 0, deque(maxlen=audience.most)))
                sheet.count += 1
                sheet.entries.appendleft(entry)
    return [found[name] for name in sorted(found)]


def day_and_time(seconds: float, zone: tzinfo = UTC) -> str:
    """A time for a person, with its zone."""
    return datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M %Z")


def _named(addresses: Sequence[str]) -> list[tuple[str, str]]:
    """Each person once, with his name."""
    return list({name_of(one, reviewer=False): one for one in reversed(addresses)}.items())[::-1]


def _fits(word: str, pattern: str) -> bool:
    return word.startswith(pattern[:-1]) if pattern.endswith("*") else word == pattern
