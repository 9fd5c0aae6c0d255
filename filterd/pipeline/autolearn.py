"""What the classifier may learn by itself: mail about which all others and the classifier agree.

The score that counts here is the one without the classifier, reputation and allow lists: nothing may teach itself. The
classifier must lean the same way, for where the two disagree one of them is wrong and only a person knows which; what
it is sure of already would teach it nothing. Of one client network and of one proved domain only a few messages a day
are offered, at all fronts and nodes together: who sends a lot does not decide what is spam. Both kinds are kept in
balance by whoever learns (`filterd.app.learner`).

Nothing here is waited for by a message: what is to be learnt goes into a queue that a thread writes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from filterd.model.store import StoreError
from filterd.model.verdict import Action
from filterd.pipeline.case import Case
from filterd.pipeline.lessons import OPINIONS, PROVERS, UNDONE, rescored
from filterd.reputation import OWN, network_of, responsible
from filterd.reputation.keys import digest
from filterd.store.batching import Batcher
from filterd.store.writes import BatchStore

OWN_OPINION: Final = OPINIONS | {"classifier"}
LEANS: Final = 0.9  # probability from which the classifier agrees
SURE: Final = 0.9999  # probability from which it would learn nothing
CHECKS: Final = 2  # that must speak against spam, each by itself: one alone may be wrong
DAILY: Final = 5  # messages that one network or domain may teach a day
DAY: Final = 86_400  # seconds
INTERVAL: Final = 2.0  # seconds that offers are collected
MAX_QUEUED: Final = 1_000  # offers of some 12 KB; more than a front sees in that time
_NOT_YET: Final = frozenset({Action.DEFER, Action.GREYLIST})


class Offer(msgspec.Struct, frozen=True):
    """A message that may be learnt: its digest and features as the inspector gave them."""

    digest: bytes
    features: bytes
    spam: bool
    at: float
    sources: tuple[str, ...] = ()


class Queue(Protocol):
    """Where offers go."""

    def put(self, items: Sequence[bytes]) -> int:
        """Add them; how many there was no room for. StoreError."""

    def close(self) -> None:
        """Close it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Scores without the classifier's own: from `spam` on and up to `ham` a message may be learnt."""

    spam: float
    ham: float


class Autolearn:
    """Offers messages. Thread-safe; `saw` never waits."""

    def __init__(self, queue: Queue, store: BatchStore, bounds: Bounds) -> None:
        """`store` counts what each source has taught, for all fronts."""
        self._queue = queue
        self._store = store
        self._bounds = bounds
        self._batcher: Batcher[Offer] = Batcher("filterd-autolearn", self._write, interval=INTERVAL, most=MAX_QUEUED)

    def saw(self, case: Case) -> None:
        """A message is finished: offer it, where it may be learnt."""
        offer = offered(case, self._bounds)
        if offer is not None:
            self._batcher.offer(offer)

    def flush(self) -> None:
        """Write what is queued, in this thread."""
        self._batcher.flush()

    def close(self) -> None:
        """Write what is queued and end the thread."""
        self._batcher.close()
        self._queue.close()

    def _write(self, batch: Sequence[Offer]) -> int:
        """Queue what its sources may still teach today; how many were lost."""
        good = [offer for offer in batch if self._may(offer)]
        return self._queue.put([msgspec.msgpack.encode(offer) for offer in good]) if good else 0

    def _may(self, offer: Offer) -> bool:
        """Count this offer with its sources; without a store nobody knows what they have taught."""
        day = int(offer.at // DAY)
        try:
            counts = [self._store.add(f"autolearn:{day}:{source}", 1, 2 * DAY) for source in offer.sources]
        except StoreError:
            return False
        return max(counts) <= DAILY


def offered(case: Case, bounds: Bounds) -> Offer | None:
    """The offer that this message is, None where it must not be learnt. Pure."""
    classified, verdict = case.inspection.classified, case.verdict
    if classified is None or not case.features or case.trust in OWN:
        return None
    if verdict.action in _NOT_YET or verdict.observed in _NOT_YET:
        return None
    spam = classified.probability >= LEANS
    leans = spam or classified.probability <= 1 - LEANS
    if not leans or not 1 - SURE < classified.probability < SURE:
        return None
    sources = _sources(case)
    if not sources or not _agreed(case, bounds, spam=spam):
        return None
    return Offer(case.digest, case.features, spam, case.now, sources)


def _agreed(case: Case, bounds: Bounds, *, spam: bool) -> bool:
    """Whether everything but our own opinions says the same, and nothing was left unlooked at."""
    if any(report.outcome in UNDONE for report in case.reports.values()):
        return False
    others = rescored(case.reports, case.rules, case.inspection.hits, OWN_OPINION)
    if not spam:
        return others.total <= bounds.ham and others.floor is None
    against = {symbol.check for symbol in others.symbols if symbol.weight > 0}
    return others.total >= bounds.spam and len(against) >= CHECKS


def _sources(case: Case) -> tuple[str, ...]:
    """Who is behind the message: the network it came from, and the domain that has proved to be; none: nobody is."""
    network = network_of(case.client)
    if not network:
        return ()
    results = [result for name in PROVERS if name in case.reports for result in case.reports[name].auth_results]
    answers = responsible(results, case.inspection.author, case.sender)
    domain = (digest("domain", answers.domain),) if answers is not None else ()
    return (digest("network", network), *domain)
