"""What held mail needs while nobody looks: releases tried again, old messages expired, files removed in their time."""

from dataclasses import dataclass
from typing import Final

from filterd.operations.release import Released, Releaser
from filterd.quarantine import Quarantine
from filterd.quarantine.changes import DAEMON

DAY: Final = 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds that a message waits, and that its files outlive its end; messages and bytes at most, 0 for any."""

    keep: float
    undo: float
    most_messages: int = 0
    most_bytes: int = 0

    def exceeded(self, messages: int, size: int) -> bool:
        """Whether so many waiting messages of so many bytes are too many."""
        return 0 < self.most_messages < messages or 0 < self.most_bytes < size


@dataclass(frozen=True, slots=True)
class Done:
    """What one round did; `full` says that there is too much and nothing left that may expire."""

    released: tuple[Released, ...] = ()
    expired: int = 0
    removed: int = 0
    full: bool = False

    @property
    def nothing(self) -> bool:
        """Whether there was nothing to do."""
        return not (self.released or self.expired or self.removed)


def retry(releaser: Releaser) -> Done:
    """Try every release that is due. CustodyError."""
    return Done(released=tuple(releaser.retry(DAEMON)))


def sweep(quarantine: Quarantine, limits: Limits, now: float) -> Done:
    """Expire what is too old or too much, oldest first, and remove the files of what has ended. CustodyError."""
    expired = quarantine.expire(now - limits.keep)
    messages, size = quarantine.totals()
    while limits.exceeded(messages, size):
        gone = quarantine.expire(now, most=1)
        if not gone:
            break  # what is left is under legal hold
        expired += gone
        messages, size = quarantine.totals()
    full = limits.exceeded(messages, size)
    return Done(expired=expired, removed=quarantine.sweep(now - limits.undo), full=full)
