"""Clients of the soak: at a steady rate, some of them polite, some in a hurry, some slow, some gone in the middle."""

import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Self

from tests.soak.ledger import NEVER, Ledger, recipient
from tests.soak.mix import Item, Mix
from tests.support.smtp import Pose, Reply, SmtpClient, wire

WORKERS: Final = 24  # clients at a time; at ten messages a second some three are at work
SESSION: Final = 8  # messages of a session at most
TRIES: Final = 60  # of one message, before it counts as given up
RETRY: Final = 0.5  # seconds before the next try
LATE: Final = 10.0  # seconds that senders may be behind before what they missed is left out
PIECES: Final = 12  # of a slow client's message
# Out of a hundred messages.
MANNERS: Final = {
    "plain": 60,
    "pipelined": 20,
    "reset": 6,
    "broken off in the envelope": 3,
    "broken off in the content": 4,
    "gone at the end": 2,
    "idle": 2,
    "slow": 3,
}
_MANNERS: Final = [name for name, share in MANNERS.items() for _ in range(share)]


@dataclass(slots=True)
class Pace:
    """Numbers, each at its time: `rate` a second. What a machine cannot take is not offered later."""

    rate: float
    ends: float  # monotonic seconds
    offered: int = 0
    missed: int = 0
    _base: float = field(default_factory=time.monotonic)
    _turns: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> int | None:
        """Wait for the next turn; its number, None when it is over."""
        with self._lock:
            due = self._base + self._turns / self.rate
            now = time.monotonic()
            if now - due > LATE:
                skipped = int((now - due) * self.rate)
                self.missed += skipped
                self._turns += skipped
                due = now
            self._turns += 1
            if due >= self.ends:
                return None
            self.offered += 1
            number = self.offered
        time.sleep(max(0.0, due - now))
        return number


class Senders:
    """Threads that send the mix through Postfix until the pace is over; `with Senders(...) as senders: ...`."""

    def __init__(self, port: int, mix: Mix, ledger: Ledger, pace: Pace) -> None:
        """Nothing is sent yet."""
        self._port = port
        self._mix = mix
        self._ledger = ledger
        self._pace = pace
        self.troubles: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(WORKERS)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    @property
    def at_work(self) -> int:
        """How many have not come to their end."""
        return sum(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        try:
            with suppress(_OverError), _Client(self._port, self._ledger) as client:
                while True:
                    self._one(client)
        except BaseException as error:  # noqa: BLE001  # told at the end: a sender that dies unseen would flatter
            self.troubles.append(error)

    def _one(self, client: "_Client") -> None:
        number = self._pace.take()
        if number is None:
            raise _OverError
        item = self._mix.item(number)
        rng = random.Random(number)
        self._ledger.begin(item)
        for attempt in range(TRIES):
            manner = rng.choice(_MANNERS) if attempt == 0 else "plain"
            try:
                reply, wait = client.send(item, manner, rng)
            except OSError as error:
                client.leave()
                self._ledger.lose(item, f"{manner}: {error}")
                return
            if reply is None:
                return
            if reply.code == 250:
                self._ledger.heard(item, wait)
                return
            client.leave()
            if reply.code // 100 != 4:
                self._ledger.refuse(item, reply)
                return
            self._ledger.defer(reply)
            time.sleep(RETRY)
        self._ledger.give_up(item)


class _OverError(Exception):
    """There is nothing more to send."""


class _Client:
    """One worker's session, which is used again for the next message of the same client."""

    def __init__(self, port: int, ledger: Ledger) -> None:
        self._port = port
        self._ledger = ledger
        self._session: SmtpClient | None = None
        self._pose: Pose | None = None
        self._left = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Hang up."""
        if self._session is not None:
            self._session.drop()
        self._session = None

    def _open(self, pose: Pose, rng: random.Random) -> SmtpClient:
        if self._session is None or self._pose != pose or self._left <= 0:
            if self._session is not None:
                self._session.quit()
            self._session, self._pose, self._left = SmtpClient(self._port, pose), pose, rng.randint(1, SESSION)
        self._left -= 1
        return self._session

    def send(self, item: Item, manner: str, rng: random.Random) -> tuple[Reply | None, float]:
        """Send it in that manner; the reply that ended it and how long its last line waited, None where unheard."""
        self._before(item, manner, rng)
        session = self._open(item.pose, rng)
        refused = _envelope(session, item.sender, recipient(item.number), at_once=manner == "pipelined")
        if refused is not None:
            return refused, 0.0
        data = wire(item.data)
        if manner == "slow":
            step = len(data) // PIECES
            for _ in range(PIECES - 1):
                session.send(data[:step])
                data = data[step:]
                time.sleep(rng.uniform(0.0, 1.0))
        began = time.monotonic()
        session.send(data)
        if manner == "gone at the end":
            self._ledger.unsure(item)
            self.leave()
            return None, 0.0
        return session.reply(), time.monotonic() - began

    def _before(self, item: Item, manner: str, rng: random.Random) -> None:
        """What comes to nothing, before the message itself."""
        never = f"{NEVER}{item.number}@local.test"
        if manner == "idle":
            self.leave()
            self._open(item.pose, rng)
            time.sleep(rng.uniform(0.5, 4.0))
        elif manner == "reset":
            session = self._open(item.pose, rng)
            if _envelope(session, item.sender, never, data=False) is None:
                session.command("RSET")
        elif manner.startswith("broken off"):
            session = self._open(item.pose, rng)
            inside = manner.endswith("content")
            if _envelope(session, item.sender, never, data=inside) is None and inside:
                session.send(wire(item.data)[: rng.randrange(len(item.data))])
            self.leave()


def _envelope(session: SmtpClient, sender: str, to: str, *, data: bool = True, at_once: bool = False) -> Reply | None:
    """Give the envelope, line by line or at once; the reply that refused it, None where the content may come."""
    lines = [(f"MAIL FROM:<{sender}>", 250), (f"RCPT TO:<{to}>", 250), *([("DATA", 354)] if data else [])]
    refused: Reply | None = None
    if at_once:
        session.send("".join(f"{line}\r\n" for line, _ in lines).encode())
    for line, code in lines:
        reply = session.reply() if at_once else session.command(line)
        if reply.code != code and refused is None:
            refused = reply
        if refused is not None and not at_once:
            break
    return refused
