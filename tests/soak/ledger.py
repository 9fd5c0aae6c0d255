"""What became of every message of the soak, as the clients, the mailbox and the quarantine tell it."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tests.soak.mix import Item, digest
from tests.support.sink import Delivered, Sink
from tests.support.smtp import Reply
from tests.support.stack import Stack, take_apart

PREFIX: Final = "n"  # of the recipients of messages that are sent
NEVER: Final = "never"  # of recipients whose transaction is broken off: nothing may reach them


def recipient(number: int) -> str:
    """Whom that message is for, and no other."""
    return f"{PREFIX}{number}@local.test"


@dataclass(slots=True)
class Ledger:
    """Thread-safe. A message is open from its first attempt until it is refused, given up, or accounted for."""

    digests: dict[int, int] = field(default_factory=dict)  # of messages under way or held: what bytes they have
    accepted: int = 0  # answered 250
    delivered: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # for good, by kind
    deferred: Counter[str] = field(default_factory=Counter)  # attempts, by the reply
    unheard: set[int] = field(default_factory=set)  # the client did not wait for the reply: may be there or not
    broken: list[str] = field(default_factory=list)  # connections that the server ended
    given_up: list[int] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)  # seconds at the end of messages, since they were taken last
    faults: dict[str, list[int]] = field(default_factory=dict)
    _heard: set[int] = field(default_factory=set)  # answered 250, and not accounted for yet
    _arrived: bytearray = field(default_factory=bytearray)  # by number: how often
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, item: Item) -> None:
        """It is about to be sent."""
        with self._lock:
            self.digests[item.number] = digest(item.data)

    def heard(self, item: Item, wait: float) -> None:
        """Its client was told 250."""
        with self._lock:
            self.accepted += 1
            self.waits.append(wait)
            if not self._arrivals(item.number):
                self._heard.add(item.number)

    def refuse(self, item: Item, reply: Reply) -> None:
        """Its client was told 5xx."""
        with self._lock:
            self.refused[f"{item.kind}: {reply.code}"] += 1
            self.digests.pop(item.number, None)

    def defer(self, reply: Reply) -> None:
        """A client was told 4xx, and will come again."""
        with self._lock:
            self.deferred[f"{reply.code} {reply.text.partition(' ')[0]}"] += 1

    def give_up(self, item: Item) -> None:
        """Its client comes no more."""
        with self._lock:
            self.given_up.append(item.number)

    def unsure(self, item: Item) -> None:
        """Its client did not wait to hear."""
        with self._lock:
            self.unheard.add(item.number)

    def lose(self, item: Item, cause: str) -> None:
        """A connection was ended by the server."""
        with self._lock:
            self.broken.append(f"{item.number} {item.kind}: {cause}")

    def arrive(self, copy: Delivered) -> None:
        """The mailbox has got it."""
        name = copy.recipients[0].partition("@")[0]
        number = int(name.removeprefix(NEVER).removeprefix(PREFIX))
        whole, filtered = _looked_at(copy)
        with self._lock:
            self.delivered += 1
            if name.startswith(NEVER) or number not in self.digests:
                self._fault("twice" if self._arrivals(number) else "never sent", number)
                return
            if not filtered:
                self._fault("unfiltered", number)
            elif whole != self.digests.pop(number):
                self._fault("altered", number)
            self._count(number)
            self._heard.discard(number)

    def take_waits(self) -> list[float]:
        """The waits since this was asked last."""
        with self._lock:
            found, self.waits = self.waits, []
            return found

    @property
    def under_way(self) -> int:
        """Messages answered 250 that have not reached the mailbox: held, or in the queue."""
        with self._lock:
            return len(self._heard)

    def settle(self, stack: Stack) -> int:
        """Find the rest in the quarantine, once the queue is empty; how many are held. Faults are complete then."""
        held = 0
        with self._lock:
            for entry in stack.all_held():
                held += 1
                number = int(entry.recipients[0].partition("@")[0].removeprefix(PREFIX))
                if number not in self.digests:
                    self._fault("delivered and held", number)
                elif digest(stack.raw(entry)) != self.digests.pop(number):
                    self._fault("altered", number)
                self._heard.discard(number)
            for number in self._heard:
                self._fault("lost", number)
        return held

    def _fault(self, name: str, number: int) -> None:
        self.faults.setdefault(name, []).append(number)

    def _arrivals(self, number: int) -> int:
        return self._arrived[number] if number < len(self._arrived) else 0

    def _count(self, number: int) -> None:
        if number >= len(self._arrived):
            self._arrived.extend(bytes(number + 10_000 - len(self._arrived)))
        self._arrived[number] += 1


def _looked_at(copy: Delivered) -> tuple[int, bool]:
    """The digest of what the client sent, and whether our field stands on top."""
    if copy.fields[0][0] != b"Authentication-Results":
        return 0, False
    return digest(take_apart(copy).rest), True


class Mailbox(Sink):
    """Tells the ledger of every message and keeps none."""

    def __init__(self, ledger: Ledger) -> None:
        """Listen at once."""
        self._ledger = ledger
        super().__init__()

    def keep(self, message: Delivered) -> None:
        """Called by the sessions."""
        self._ledger.arrive(message)
