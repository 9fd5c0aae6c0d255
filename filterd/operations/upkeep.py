"""What held mail needs while nobody looks: releases tried again, old messages expired, files removed in their time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from filterd.operations.release import Released, Releaser
from filterd.operations.retention import ALL, Bound, Class, Due, due, exceeded
from filterd.quarantine import Actor, Quarantine
from filterd.quarantine.changes import DAEMON

MOST: Final = 10_000  # entries looked for at once: what is remembered of them takes some megabytes
COMMIT: Final = 100  # of them in one commit: holds wait for it some milliseconds


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that a message waits, and that its files outlive its end; messages and bytes at most, 0 for any.

    `classes` have other bounds for some of the mail.
    """

    keep: float
    undo: float
    most_messages: int = 0
    most_bytes: int = 0
    classes: tuple[Class, ...] = ()

    @property
    def everything(self) -> Bound:
        """The bounds of all mail."""
        return Bound(self.keep, self.most_messages, self.most_bytes)


@dataclass(frozen=True, slots=True)
class Done:
    """What one round did; `full` names the classes of which there is too much with nothing left that may expire.

    ALL stands there for everything.
    """

    released: tuple[Released, ...] = ()
    expired: int = 0
    removed: int = 0
    full: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.released or self.expired or self.removed)


def retry(releaser: Releaser) -> Done:
    """Try every release that is due. CustodyError."""
    return Done(released=tuple(releaser.retry(DAEMON)))


def sweep(quarantine: Quarantine, limits: Limits, now: float) -> Done:
    """Expire what is too old or too much, oldest first, and remove the files of what has ended. CustodyError."""
    expired, more = 0, True
    while more:
        found = list(islice(due(quarantine, limits.everything, limits.classes, now), MOST))
        done = expire(quarantine, found, DAEMON)
        expired, more = expired + done, bool(done) and len(found) == MOST
    full = exceeded(quarantine.totals(), limits.everything, limits.classes)  # what is left is under legal hold
    return Done(expired=expired, removed=quarantine.sweep(now - limits.undo), full=full)


def expire(quarantine: Quarantine, found: Iterable[Due], who: Actor) -> int:
    """Expire them; how many did. CustodyError."""
    return sum([quarantine.expire([(one.entry.id, _words(one)) for one in batch], who) for batch in _batches(found)])


def _words(one: Due) -> str:
    return f"{one.name}: {one.why}" if one.name != ALL else one.why


def _batches(found: Iterable[Due]) -> Iterator[list[Due]]:
    rest = iter(found)
    while batch := list(islice(rest, COMMIT)):
        yield batch
