"""What a front remembers of senders: read ahead while a message arrives, written after its verdict.

The store is asked once when the client has connected and once when the sender is known, for all that is foreseen to be
wanted; what was read stays in this process for a moment, and what this process learns shows there at once.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from filterd.domains import normalise
from filterd.model.store import Store, StoreError
from filterd.reputation.counts import Addition, Outcome, Record, addition, counters
from filterd.reputation.keys import (
    domain_key,
    domain_of,
    network_key,
    network_of,
    pair_key,
    person,
)
from filterd.reputation.people import People
from filterd.reputation.responsible import Responsible
from filterd.reputation.standing import Level, evaluate
from filterd.reputation.tally import Tally
from filterd.store import SelectorMemory
from filterd.store.recent import Recent

FRESH: Final = 30.0  # seconds in which the same is not read again: how late a front learns of what others saw
KEEP: Final = 600.0  # seconds that what was read is at hand: longer than a message takes, or a store is silent
PAUSE: Final = 2.0  # seconds without a question after one that failed: what one message waited for, others need not
MAX_HELD: Final = 4_096  # records in this process; about 2 MB
MAX_AUTHORS: Final = 4  # author domains foreseen for one envelope domain: each is two records to read
MAX_ENVELOPES: Final = 1_024  # envelope domains whose authors are remembered in this process
AUTHORS_FOR: Final = 86_400.0  # seconds
NOTHING: Final = 0.5  # outcomes (decayed, of weeks) below which a domain has none
SOURCE_CAP: Final = 10.0  # outcomes (decayed, of weeks) that one network brings a domain which has not authorised it


class Memory:
    """Counts by network, domain and both, and who knows whom. Thread-safe; never raises, never waits for a write."""

    def __init__(
        self,
        store: Store,
        tally: Tally,
        selectors: SelectorMemory | None = None,
        *,
        ours: Callable[[str], bool] = lambda _address: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`selectors` are read along at MAIL; `ours` says which addresses are no strangers'; `clock` counts seconds."""
        self.failures = 0  # questions that the store did not answer
        self.people = People(tally, clock, FRESH)
        self._store = store
        self._tally = tally
        self._selectors = selectors
        self._ours = ours
        self._clock = clock
        self._silent_until = float("-inf")
        self._records: Recent[str, tuple[float, Record]] = Recent(MAX_HELD, clock)
        self._authors: Recent[str, tuple[str, ...]] = Recent(MAX_ENVELOPES, clock)

    def network(self, address: str) -> str:
        """The network that stands for a client; empty for our own and for addresses that are not public."""
        return "" if self._ours(address) else network_of(address)

    def at_hand(self, address: str) -> bool:
        """Whether what is counted of a client's network need not be read, or cannot be: nobody is waited for then."""
        network = self.network(address)
        if not network:
            return True
        clock = self._clock()
        return clock < self._silent_until or not _stale(self._records.get(network_key(network)), clock)

    def connected(self, network: str, now: float) -> None:
        """Read what is counted of the client's network. Waits for the store, within the store's own bound."""
        self._read([network_key(network)], "", "", now)

    def announced(self, network: str, sender: str, now: float) -> None:
        """Read what the sender lets foresee: the domains that may answer for the message, and who knows the address."""
        keys = []
        domain = sender.rpartition("@")[2] if "@" in sender else ""
        for name in self.foreseen(sender):
            keys += [domain_key(name), pair_key(network, name)]
        self._read(keys, person(sender), normalise(domain) or "", now)

    def foreseen(self, sender: str) -> tuple[str, ...]:
        """The domains that may turn out to answer for mail of this envelope sender."""
        own = domain_of(sender.rpartition("@")[2]) if "@" in sender else ""
        return (own, *(self._authors.get(own) or ())) if own else ()

    def record(self, key: str) -> Record | None:
        """What is counted under a key, as far as it is at hand."""
        held = self._records.get(key)
        return None if held is None else held[1]

    def in_good_standing(self, domain: str, now: float) -> bool:
        """Whether the registrable domain of this name is known for good mail, as far as that is at hand."""
        record = self.record(domain_key(domain_of(domain)))
        return record is not None and evaluate(record, now).level is Level.GOOD

    def first_contact(self, sender: str, now: float) -> bool | None:
        """Whether neither this address nor its domain has sent mail that was proved; None where that is not at hand.

        Nothing says yet that the sender is who it says: of a forged one it tells about its victim.
        """
        known = self.people.known(person(sender))
        record = self.record(domain_key(domain_of(sender.rpartition("@")[2])))
        if known is None or record is None:
            return None
        return not known.wrote and not known.read and record.weeks(now).total < NOTHING

    def answered(self, sender: str, domain: str) -> None:
        """This domain has answered for mail of the sender: foresee it next time."""
        envelope = domain_of(sender.rpartition("@")[2]) if "@" in sender else ""
        if not envelope or domain == envelope:
            return
        known = self._authors.get(envelope) or ()
        if known[:1] != (domain,):
            others = [other for other in known if other != domain]
            self._authors.put(envelope, (domain, *others)[:MAX_AUTHORS], AUTHORS_FOR)

    def experienced(
        self,
        network: str,
        answers: Responsible | None,
        on_network: Outcome | None,
        on_domain: Outcome | None,
        now: float,
    ) -> None:
        """Count a message's outcome, for its network and for the domain that answers for it."""
        if on_network is not None:
            self._count((network_key(network),), addition(on_network, now))
        if on_domain is None or answers is None:
            return
        pair = pair_key(network, answers.domain)
        # A signature can be sent again by anybody: a network that the domain has not authorised is one witness among
        # others, however often it speaks.
        speaks = answers.vouched or self._may_witness(pair, now)
        self._count((pair, domain_key(answers.domain)) if speaks else (pair,), addition(on_domain, now))

    def _may_witness(self, pair: str, now: float) -> bool:
        record = self.record(pair)
        return record is not None and record.weeks(now).total < SOURCE_CAP

    def _count(self, keys: tuple[str, ...], new: Addition) -> None:
        self._tally.count(keys, new)
        for key in keys:
            held = self._records.get(key)
            if held is not None:
                self._records.put(key, (held[0], held[1].added(new)), KEEP)

    def _read(self, records: Sequence[str], correspondent: str, selectors_of: str, now: float) -> None:
        """Ask for everything at once that is not fresh; without an answer what is at hand goes on."""
        clock = self._clock()
        due = [key for key in records if _stale(self._records.get(key), clock)]
        people = self.people.due(correspondent)
        if not due and not people:
            return
        selectors = self._selectors.due(selectors_of) if self._selectors is not None and selectors_of else None
        sets = people if selectors is None else (*people, selectors)
        values, members = self._fetch([counter for key in due for counter in counters(key, now)], sets)
        for at, key in enumerate(due if values else ()):
            self._records.put(key, (clock, Record.of(values[4 * at : 4 * at + 4], now)), KEEP)
        if self._selectors is not None and selectors is not None:
            # Without an answer none are remembered for a moment: else who asks for them next would wait as long again.
            self._selectors.take(selectors_of, members[-1] if members else (), None if members else PAUSE)
        if people and members:
            self.people.take(correspondent, members[: len(people)])

    def _fetch(self, keys: Sequence[str], sets: Sequence[str]) -> tuple[list[bytes | None], list[tuple[str, ...]]]:
        """What the store holds, or two empty lists where it is silent."""
        if self._clock() < self._silent_until:
            return [], []
        try:
            return self._store.fetch(keys, sets)
        except StoreError:
            self.failures += 1
            self._silent_until = self._clock() + PAUSE
            return [], []


def _stale(held: tuple[float, object] | None, now: float) -> bool:
    return held is None or now - held[0] >= FRESH
