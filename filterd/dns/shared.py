"""The second level of the cache: answers that all fronts and hosts share (decision 007). Belongs to the loop's thread.

A question that the first level misses is looked up together with all others of the same loop turn. Whoever asked is
told within HEAD_START, whatever the store does: without a word from it until then the question goes on the wire, and a
word that comes later is still welcome. While one look-up is late, and after a row of late ones, nothing is looked up.
"""

import time
from asyncio import AbstractEventLoop, TimerHandle
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeAlias

import structlog

from filterd.dns.sharing import Shared, decoded, encoded, key
from filterd.model.dns import Answer, Question
from filterd.store import Breaker

HEAD_START: Final = 0.005  # seconds; a store in the same network answers in 0.2 to 1 ms, a name server in up to 100
GRACE: Final = 0.001  # seconds; a busy loop runs its timers before it reads, so it must come round once more
MAX_BATCH: Final = 64  # questions of one look-up: 64 values of 4 KB are as much as one reply may hold

Told: TypeAlias = Callable[[Question, Shared | None], None]
Count: TypeAlias = Callable[[str, int], None]

_log = structlog.get_logger("filterd.dns")


class Reads(Protocol):
    """Values by key, without waiting; see RedisReads."""

    @property
    def ready(self) -> bool:
        """Whether a call has a chance of being answered in time."""

    def start(self) -> None:
        """Begin to connect."""

    def close(self) -> None:
        """End: what is outstanding is answered None."""

    def get_many(self, keys: Sequence[str], done: Callable[[list[bytes | None] | None], None]) -> bool:
        """Call `done` later with the values, or with None; False where it will not be called."""


class Writes(Protocol):
    """Writes that nobody waits for; see WriteBehind."""

    def put(self, key: str, value: bytes, ttl: int) -> None:
        """Set a value for `ttl` seconds, soon, or not at all."""


class _Batch:
    """Questions that are looked up together; `over` once everybody has been told or has been let go."""

    __slots__ = ("due", "late", "over", "waiting")

    def __init__(self) -> None:
        self.waiting: list[tuple[Question, Told]] = []
        self.due = 0.0
        self.late = False
        self.over = False

    def keys(self) -> list[str]:
        return [key(question) for question, _ in self.waiting]


class SharedAnswers:
    """Looks answers up in a store and writes new ones there. Nothing here raises or waits.

    `clock` is epoch seconds. `count` is told how many questions were a hit, a miss, late, or met an error.
    """

    def __init__(
        self,
        reads: Reads,
        writes: Writes,
        loop: AbstractEventLoop,
        *,
        count: Count = lambda _outcome, _number: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`start` connects."""
        self._reads = reads
        self._writes = writes
        self._loop = loop
        self._count = count
        self._clock = clock
        self._breaker = Breaker(clock=loop.time)
        self._open: _Batch | None = None  # takes questions until the loop's turn is over
        self._sent: deque[_Batch] = deque()  # in order of `due`
        self._timer: TimerHandle | None = None

    def start(self) -> None:
        """Begin to connect, so that the first message finds a connection."""
        self._reads.start()

    def close(self) -> None:
        """End: whoever waits is told that nothing is known."""
        self._reads.close()

    def look(self, question: Question, told: Told) -> bool:
        """Call `told` later with what the store knows, or None; and once more where a fresh answer came late.

        False where nothing was looked up: `told` is not called then.
        """
        batch = self._open
        if batch is None:
            if not self._reads.ready or self._is_late() or not key(question) or not self._breaker.allow():
                return False
            batch = self._open = _Batch()
            self._loop.call_soon(self._send)
        elif len(batch.waiting) >= MAX_BATCH or not key(question):
            return False
        batch.waiting.append((question, told))
        return True

    def share(self, answer: Answer) -> None:
        """Write an answer that came over the wire, if it is one for others."""
        name = key(answer.question)
        if name and (value := encoded(answer)) is not None:
            self._writes.put(name, *value)

    def _is_late(self) -> bool:
        """Whether the oldest look-up has used up its head start without an answer."""
        sent = self._sent
        while sent and sent[0].over:
            sent.popleft()
        return bool(sent) and sent[0].late

    def _send(self) -> None:
        """The turn is over: look up what has gathered."""
        batch, self._open = self._open, None
        if batch is None:
            return
        if not self._reads.get_many(batch.keys(), lambda values: self._came(batch, values)):
            self._came(batch, None)
            return
        batch.due = self._loop.time() + HEAD_START
        self._sent.append(batch)
        if self._timer is None:
            self._timer = self._loop.call_at(batch.due, self._tick)

    def _tick(self) -> None:
        """Some head start is over; the one that is must have been so for GRACE."""
        self._timer = None
        now = self._loop.time()
        for batch in tuple(self._sent):
            if batch.over or batch.late:
                continue
            if batch.due > now:
                self._timer = self._loop.call_at(batch.due, self._tick)
                return
            self._timer = self._loop.call_later(GRACE, self._settle, batch)
            return

    def _settle(self, batch: _Batch) -> None:
        """Its grace is over too: let everybody go on without the store."""
        if not batch.over:
            batch.late = True
            self._breaker.failure()
            self._count("late", len(batch.waiting))
            for question, told in batch.waiting:
                self._tell(told, question, None)
        self._tick()

    def _came(self, batch: _Batch, values: list[bytes | None] | None) -> None:
        """The store's word, or that there will be none."""
        batch.over = True
        if values is None:
            if not batch.late:
                self._count("error", len(batch.waiting))
                self._breaker.failure()
                for question, told in batch.waiting:
                    self._tell(told, question, None)
            return
        if not batch.late:
            self._breaker.success()
        now = self._clock()
        hits = 0
        for (question, told), value in zip(batch.waiting, values, strict=True):
            found = None if value is None else decoded(question, value, now)
            fresh = found is not None and found.left > 0
            hits += fresh
            if fresh or not batch.late:
                self._tell(told, question, found)
        if not batch.late:
            self._count("hit", hits)
            self._count("miss", len(batch.waiting) - hits)

    @staticmethod
    def _tell(told: Told, question: Question, found: Shared | None) -> None:
        try:
            told(question, found)
        except Exception:  # noqa: BLE001  # the border between questions: one waiter's mistake is not the others'
            _log.exception("lookup_callback_crashed", name=question.name, rtype=question.rtype)
