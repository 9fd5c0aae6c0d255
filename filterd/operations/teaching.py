"""Held mail as lessons for the classifier: what a reviewer has decided about it, learnt once.

The classifier knows what it has learnt by the message's digest: a lesson that is given again is `known`. A wish that
cannot be met before the MTA has taken the message stands in the audit until it is (`owed`).
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from filterd.operations.held_corpus import Source
from filterd.operations.rules_backtest import Labelled
from filterd.quarantine import Actor, Quarantine

WISH: Final = "once it is delivered"
LABELS: Final = {"spam": True, "ham": False}


class Row(Protocol):
    """What became of one message (operations.learn.Row, which is not imported here: numpy)."""

    @property
    def file(self) -> str:
        """Its name: here an id."""

    @property
    def became(self) -> str:
        """What the classifier says; empty where there was a problem."""

    @property
    def problem(self) -> str:
        """Why nothing was learnt."""


class Learn(Protocol):
    """Has messages learnt (operations.learn.School.learn)."""

    def __call__(self, mail: Sequence[Labelled], *, spam: bool) -> Iterator[Row]:
        """A row for each message, in their order."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What became of one; `problem` is empty where the classifier has it now."""

    id: str
    became: str
    problem: str


def teach(quarantine: Quarantine, learn: Learn, label: str, ids: Sequence[str], who: Actor) -> Iterator[Lesson]:
    """Have held messages learnt as "spam" or "ham"; each is in the audit with what became of it. CustodyError."""
    mail = [Labelled(Path(identifier), source=Source(quarantine, identifier)) for identifier in ids]
    for row in learn(mail, spam=LABELS[label]):
        with suppress(KeyError):  # purged meanwhile
            quarantine.note(who, _action(label), row.file, row.became or row.problem)
        yield Lesson(row.file, row.became, row.problem)


def wish(quarantine: Quarantine, identifier: str, who: Actor) -> None:
    """Write down that a message is to be learnt as ham once it is delivered. KeyError, CustodyError."""
    quarantine.note(who, _action("ham"), identifier, WISH)


def owed(quarantine: Quarantine, identifier: str) -> bool:
    """Whether such a wish is still to be met. KeyError, CustodyError."""
    results = [row.result for row in quarantine.audit(identifier) if row.action == _action("ham")]
    return bool(results) and results[-1] == WISH


def _action(label: str) -> str:
    return f"learn {label}"
