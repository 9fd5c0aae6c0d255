"""Mail that flows while something else happens: senders that behave as MTAs do, and the account at the end.

Every message has a number, recipients of its own and bytes of its own; every third is a spoof that must be held. A
sender tries again after every 4xx and every lost connection until it hears 250. `Account` then says where each is.
"""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from tests.support.process import wait_until
from tests.support.smtp import SmtpClient
from tests.support.stack import Stack, take_apart
from tests.support.world import GOOD, message

SPOOF_EVERY: Final = 3  # one message in so many is to be held
RETRY: Final = 0.05  # seconds an MTA of a test waits before it tries again
ENDS_WITHIN: Final = 60.0  # seconds that the last messages may take; a nursery that loads its rules is in them


@dataclass(frozen=True, slots=True)
class Numbered:
    """One message of the load."""

    number: int
    sender: str
    recipient: str
    data: bytes
    spoof: bool


def numbered(number: int) -> Numbered:
    """The message of this number: always the same bytes."""
    spoof = number % SPOOF_EVERY == 0
    sender = "x@elsewhere.test" if spoof else "alice@aligned.test"
    data = message("ceo@strict.test" if spoof else sender, f"Number {number}", number=number)
    return Numbered(number, sender, f"n{number}@local.test", data, spoof)


@dataclass(slots=True)
class Load:
    """Senders at work. `refused` counts 4xx replies by stage, `lost` connections that broke."""

    stack: Stack
    accepted: list[Numbered] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    attempts: int = 0
    troubles: list[str] = field(default_factory=list)
    interval: float = 0.0  # seconds between two messages of all senders together, at least
    _due: float = 0.0
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _over: threading.Event = field(default_factory=threading.Event)
    _given_up: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send_until_over(self, pause: float, per_session: int) -> None:
        """One sender's life: sessions of `per_session` messages, `pause` seconds between two messages."""
        while not self._over.is_set():
            batch = [self._next() for _ in range(per_session)]
            while batch and not self._given_up.is_set():
                with suppress(ConnectionError, OSError):
                    with SmtpClient(self.stack.postfix.port, GOOD) as client:
                        while batch and self._try(client, batch[0]):
                            batch.pop(0)
                            self._over.wait(pause)
                            if self._over.is_set():
                                batch.clear()
                    continue
                with self._lock:
                    self.lost += 1
                time.sleep(RETRY)

    def _next(self) -> Numbered:
        with self._lock:
            return numbered(next(self._numbers))

    def _await_turn(self) -> None:
        """Keep to the rate; what a machine is late with is not made up for."""
        if self.interval:
            with self._lock:
                now = time.monotonic()
                due = max(now, self._due)
                self._due = due + self.interval
            time.sleep(due - now)

    def _try(self, client: SmtpClient, one: Numbered) -> bool:
        """Send it once; True: heard 250. After a refusal the session is given up, as its milter connection may be."""
        self._await_turn()
        sent = client.mail(one.data, one.sender, [one.recipient])
        with self._lock:
            self.attempts += 1
            if sent.last.code == 250:
                self.accepted.append(one)
                return True
            self.refused[f"{sent.stage} {sent.last.code}"] += 1
            if sent.last.code // 100 != 4:
                self.troubles.append(f"{one.number}: {sent.last}")
        time.sleep(RETRY)
        raise ConnectionAbortedError("given up by the sender")

    def stop(self) -> None:
        """Begin no further message."""
        self._over.set()

    def give_up(self) -> None:
        """End also with a message that nobody has taken: a sender that goes on would disturb the next tests."""
        self._given_up.set()


@contextmanager
def load(
    stack: Stack, senders: int, *, pause: float = 0.0, per_session: int = 1, first: int = 1, rate: float = 0.0
) -> Iterator[Load]:
    """Run the senders; at the end each finishes the message it is at. `first` is the number of the first message.

    `rate` is how many messages a second they try to send together, at most; 0: as many as they can.
    """
    running = Load(stack, interval=1 / rate if rate else 0.0, _numbers=itertools.count(first))
    threads = [
        threading.Thread(target=running.send_until_over, args=(pause, per_session if index % 2 else 1), daemon=True)
        for index in range(senders)
    ]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.stop()
        deadline = time.monotonic() + ENDS_WITHIN
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        left = [thread for thread in threads if thread.is_alive()]
        running.give_up()
    assert not left, "a message got no 250 in the end"


@dataclass(frozen=True, slots=True)
class Account:
    """Where the accepted messages of a load are, by number."""

    lost: list[int]
    twice: list[int]
    both: list[int]
    altered: list[int]
    unfiltered: list[int]
    listed_twice: list[int]
    delivered: int
    held: int
    copies: int

    @property
    def faults(self) -> dict[str, list[int]]:
        """What must not be, by name; empty where all is well."""
        names = ("lost", "twice", "both", "altered", "unfiltered", "listed_twice")
        return {name: found for name in names if (found := getattr(self, name))}


def account(stack: Stack, messages: list[Numbered]) -> Account:
    """Look for every accepted message at the mailbox and in the quarantine, once the queue is empty."""
    stack.postfix.wait_empty(ENDS_WITHIN)
    known = {one.recipient: one for one in messages}
    arrivals: Counter[int] = Counter()
    altered, unfiltered = [], []
    for copy in stack.sink.messages:
        if copy.recipients[0] not in known:
            continue  # of another test
        one = known[copy.recipients[0]]
        arrivals[one.number] += 1
        if copy.fields[0][0] != b"Authentication-Results":
            unfiltered.append(one.number)
        elif take_apart(copy).rest != one.data:
            altered.append(one.number)
    entries = [entry for entry in stack.all_held() if entry.recipients[0] in known]
    listed = Counter(known[entry.recipients[0]].number for entry in entries)
    altered += [
        known[entry.recipients[0]].number for entry in entries if stack.raw(entry) != known[entry.recipients[0]].data
    ]
    return Account(
        lost=[one.number for one in messages if not arrivals[one.number] and not listed[one.number]],
        twice=[number for number, count in arrivals.items() if count > 1],
        both=[number for number in arrivals if listed[number]],
        altered=altered,
        unfiltered=unfiltered,
        listed_twice=[number for number, count in listed.items() if count > 1],
        delivered=len(arrivals),
        held=len(listed),
        copies=sum(entry.copies for entry in entries),
    )


def wait_for_load(running: Load, messages: int) -> None:
    """Wait until so many more messages were accepted."""
    goal = len(running.accepted) + messages
    wait_until(lambda: len(running.accepted) >= goal, f"{messages} more messages accepted", ENDS_WITHIN)
