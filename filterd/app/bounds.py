"""Held mail that is as much as the site wants to keep, with nothing left that may expire: no more is taken.

The upkeep finds out, for it alone may look at and remove all entries, and puts a sign up for the fronts of its host; a
sign that is not put up again in time is of no account.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filterd.model.custody import Custodian, CustodyError, Evidence
from filterd.model.message import RawMessage

FRESH: Final = 120.0  # seconds a sign counts; while it is up the upkeep looks every ROUND


@dataclass(frozen=True, slots=True)
class FullSign:
    """Whether there is a sign; times are the file system's."""

    path: Path
    clock: Callable[[], float] = time.time

    def put(self, *, up: bool) -> None:
        """Put it up again, or take it down. OSError."""
        if up:
            self.path.touch(mode=0o600)
        else:
            self.path.unlink(missing_ok=True)

    def up(self) -> bool:
        """Whether it was put up not long ago."""
        try:
            return self.clock() - self.path.stat().st_mtime < FRESH
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Bounded:
    """Holds nothing while a sign is up for it: the client is told to try again. Implements Custodian.

    `signs` are those that mail held for a reason goes by.
    """

    custodian: Custodian
    signs: Callable[[str], Iterable[FullSign]]

    def hold(self, evidence: Evidence, message: RawMessage) -> str:
        """As the custodian behind it; CustodyError too where there is no room."""
        for sign in self.signs(evidence.verdict.code):
            if sign.up():
                raise CustodyError(
                    "quarantine: as full as most_messages and most_bytes of [quarantine] allow, all of it or a class,"
                    f" and all of that is under legal hold or being released ({sign.path.name})"
                )
        return self.custodian.hold(evidence, message)
