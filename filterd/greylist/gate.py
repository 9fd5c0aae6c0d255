"""Greylisting before the content is there: what the early checks say of client and sender decides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from filterd.greylist.asking import Answer, Greylist
from filterd.greylist.entries import State
from filterd.greylist.excuses import spf_domain
from filterd.greylist.keys import Attempt
from filterd.model.early import PASS, EarlyFacts, GateAnswer
from filterd.model.session import TrustClass
from filterd.model.verdict import Action
from filterd.store.patience import Patience
from filterd.telemetry.events import Event

NAME: Final = "greylist"
CODE: Final = "greylisted"  # the machine reason
EXCUSED: Final = "excused"
_log = structlog.get_logger()
SPARED: Final = "spared"  # a first attempt while the MTA is under stress


class Count(Protocol):
    """Where answers are counted."""

    def greylisted(self, result: str) -> None:
        """Count an answer."""

    def gate_silent(self, gate: str) -> None:
        """Count a recipient or message that could not be judged."""


@dataclass(frozen=True, slots=True)
class Greylisting:
    """What a finished message is greylisted with, from `least` points on."""

    greylist: Greylist
    least: float
    count: Count


class GreylistGate:
    """Implements EarlyGate: strangers whose score lies between `least` and `below`, where it would be held anyway.

    The null sender passes here: bounces and callbacks are told by their content, if at all. So does who is known to
    the recipient (`knows`: sender, recipient), where SPF proves him.
    """

    name = NAME
    ahead = False

    def __init__(  # noqa: PLR0913  # the operator's words, and what is live
        self,
        greylist: Greylist,
        least: float,
        below: float,
        count: Count,
        *,
        patience: Patience,
        knows: Callable[[EarlyFacts], bool] = lambda _facts: False,
        spares: Callable[[str], bool] = lambda _recipient: False,
        whole: bool = True,
    ) -> None:
        """`patience` is shared with the other gates that ask a store; not `whole`: no local part is logged."""
        self._greylist = greylist
        self._least = least
        self._below = below
        self._count = count
        self._patience = patience
        self._knows = knows
        self._spares = spares
        self._whole = whole

    def at_once(self, facts: EarlyFacts) -> GateAnswer | None:
        """As EarlyGate: most mail is not for it."""
        return None if self._concerns(facts) else PASS

    def ask(self, facts: EarlyFacts) -> GateAnswer:
        """As EarlyGate."""
        if not self._concerns(facts):
            return PASS
        domain = spf_domain(facts.reports)
        if domain and self._knows(facts):
            self._count.greylisted(EXCUSED)
            return PASS
        if not self._patience.left((facts.id, facts.recipient)):
            self._count.gate_silent(NAME)
            return PASS
        attempt = Attempt(facts.client.address, facts.sender, (facts.recipient,), domain)
        found = self._greylist.ask(attempt, facts.now, begin=not facts.stress)
        self._patience.done()
        counted(found, self._count)
        if found.waits:
            return GateAnswer(Action.GREYLIST, CODE, f"score {facts.score:.1f} of {self._least:g}: {found.text}")
        if found.state is State.RETURNED:
            self._tell(facts, found.since)
        return GateAnswer(Action.ACCEPT, "", found.text)

    def _concerns(self, facts: EarlyFacts) -> bool:
        """Whether who sends this may have to come again, if nobody knows him."""
        if facts.trust is not TrustClass.STRANGER or facts.user or not facts.sender:
            return False
        return self._least <= facts.score < self._below and not self._spares(facts.recipient)

    def _tell(self, facts: EarlyFacts, since: int) -> None:
        """Leave a line in the log: what is let in has no other before its content."""
        people = facts.sender, facts.recipient
        sender, recipient = people if self._whole else ["@" + one.rpartition("@")[2] for one in people]
        address = facts.client.address
        _log.info(Event.GREYLIST_RETURNED, id=facts.id, client=address, sender=sender, recipient=recipient, since=since)


def counted(found: Answer, count: Count) -> None:
    """Count an answer by its state."""
    if found.state is None:
        count.gate_silent(NAME)
    elif found.state is State.NEW and not found.waits:
        count.greylisted(SPARED)
    else:
        count.greylisted(found.state.name.lower())
