"""Rate limits as a gate before the content is there."""

from typing import Final

from filterd.limits.limiter import NAME, Limiter, Ruling
from filterd.limits.rates import Request
from filterd.model.authentication import SpfResult, SpfScope, SpfStatus
from filterd.model.early import PASS, EarlyFacts, GateAnswer
from filterd.model.verdict import Action
from filterd.store.patience import Patience

CODE: Final = "rate-limited"  # the machine reason


class LimitsGate:
    """Implements EarlyGate: every recipient draws from all buckets that are for it."""

    name = NAME
    ahead = False

    def __init__(self, limiter: Limiter, *, patience: Patience) -> None:
        """`patience` is shared with the other gates that ask a store."""
        self._limiter = limiter
        self._patience = patience

    def at_once(self, facts: EarlyFacts) -> GateAnswer | None:
        """As EarlyGate."""
        found = self._limiter.at_once(_request(facts), facts.now)
        return None if found is None else _answer(found)

    def ask(self, facts: EarlyFacts) -> GateAnswer:
        """As EarlyGate."""
        request = _request(facts)
        if not self._patience.left((facts.id, facts.recipient)):
            self._limiter.failed(request)
            return PASS
        return _answer(self._limiter.ask(request, facts.now))


def _request(facts: EarlyFacts) -> Request:
    return Request(facts.client.address, facts.sender, facts.recipient, facts.trust, facts.user, proved=_proved(facts))


def _answer(found: Ruling) -> GateAnswer:
    return GateAnswer(Action.DEFER, CODE, found.text) if found.refused else PASS


def _proved(facts: EarlyFacts) -> bool:
    report = facts.reports.get("spf")
    return report is not None and any(
        isinstance(one, SpfResult) and one.scope is SpfScope.MAILFROM and one.status is SpfStatus.PASS
        for one in report.auth_results
    )
