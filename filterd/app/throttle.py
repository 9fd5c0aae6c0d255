"""Greylisting and rate limits of a front: the gates before DATA, and what a finished message is greylisted with."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from filterd.config import Config
from filterd.greylist import Greylist, GreylistGate, Greylisting, Times
from filterd.limits import Limiter, LimitsGate, rates_of
from filterd.model.early import EarlyFacts, EarlyGate
from filterd.pipeline.policies import Policies
from filterd.reputation import Memory, person, user
from filterd.store import BatchStore, Breaker, Buckets, GuardedStore, RedisBuckets, TableBuckets, WriteBehind
from filterd.store.patience import Patience
from filterd.telemetry.metrics import FrontMetrics

TABLE: Final = "limits.table"  # under [paths] state


class Throttle:
    """Made after the fork; opens nothing before the first question. `gates` come in the order they are asked in."""

    def __init__(
        self,
        config: Config,
        url: str,
        store: BatchStore,
        writes: WriteBehind,
        metrics: FrontMetrics,
        memory: Memory | None,
        policies: Policies | None,
    ) -> None:
        """`url` is Redis', empty for none; `store` is what the fronts share, and `writes` go there."""
        patience = Patience()
        if isinstance(store, GuardedStore):
            store.on_failure = patience.failed
        self._limiter = _limiter(config, url, store, metrics) if config.rates else None
        self.greylisting = _greylisting(config, store, writes, metrics)
        gates: list[EarlyGate] = []
        if self.greylisting is not None and config.greylist.early:
            gates.append(
                GreylistGate(
                    self.greylisting.greylist,
                    config.greylist.early_score or self.greylisting.least,
                    config.actions.quarantine,
                    metrics,
                    patience=patience,
                    knows=_acquaintance(memory),
                    spares=_unfiltered(policies),
                    whole=config.log.addresses == "full",
                )
            )
        # The last one: who is told to come again by anybody else uses up nothing.
        if self._limiter is not None:
            gates.append(LimitsGate(self._limiter, patience=patience))
        self.gates: tuple[EarlyGate, ...] = tuple(gates)

    def close(self) -> None:
        """Give back what is open."""
        if self._limiter is not None:
            self._limiter.close()


def buckets_of(url: str, state: Path) -> Buckets:
    """Where rate limits are counted: in Redis where there is one, else in a file that all fronts of this host use."""
    return RedisBuckets(url) if url else TableBuckets(state / TABLE)


def _limiter(config: Config, url: str, store: BatchStore, metrics: FrontMetrics) -> Limiter:
    # The same server is up or down for both: what one of them has found out the other need not.
    shared = store.breaker if url and isinstance(store, GuardedStore) else Breaker()
    return Limiter(
        rates_of(config.rates),
        buckets_of(url, config.state_directory),
        metrics,
        breaker=shared,
        whole=config.log.addresses == "full",
    )


def _greylisting(config: Config, store: BatchStore, writes: WriteBehind, metrics: FrontMetrics) -> Greylisting | None:
    least, table = config.actions.greylist, config.greylist
    if least is None:
        return None
    times = Times(table.delay, table.window, table.lifetime)
    return Greylisting(Greylist(store, writes, times), least, metrics)


def _acquaintance(memory: Memory | None) -> Callable[[EarlyFacts], bool]:
    """Whether a recipient knows the sender; asks the store where that is not at hand."""

    def knows(facts: EarlyFacts) -> bool:
        network = "" if memory is None else memory.network(facts.client.address)
        if memory is None or not network:
            return False
        memory.announced(network, facts.sender, facts.now)
        known = memory.people.known(person(facts.sender))
        return known is not None and user(facts.recipient) in known.wrote | known.read

    return knows


def _unfiltered(policies: Policies | None) -> Callable[[str], bool]:
    """Whether a recipient wants his mail unfiltered."""

    def spares(recipient: str) -> bool:
        policy = None if policies is None else policies.of(recipient)
        return policy is not None and policy.decision.off

    return spares
