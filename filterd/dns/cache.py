"""The cache inside one process: answers by question, bounded in number and bytes, read in any thread without a lock."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Final

from filterd.model.dns import Answer, AnswerStatus, Question

MAX_ENTRIES: Final = 20_000
# Of the 60 MB that a front may take. Full, and with entries coming and going for hours, it holds 3 MB more than this:
# the allocator's gaps. 14,700 entries of the usual mix.
MAX_BYTES: Final = 10 << 20
ENTRY_BYTES: Final = (
    600  # one entry without its texts: two tuples, an Answer, the dict's slot (measured with tracemalloc: 480 to 620)
)
TEXT_BYTES: Final = 50  # one more str object

MIN_TTL: Final = 30  # seconds; shorter ones are spread load, not news
MAX_TTL: Final = 86_400  # seconds; a day
MIN_NEGATIVE_TTL: Final = 5  # seconds; a name that was just published must be found soon
MAX_NEGATIVE_TTL: Final = 300  # seconds; five minutes, for the same reason
FAILURE_TTL: Final = 30  # seconds; a broken zone is not asked for every message (RFC 9520, section 3.2: 1 s to 5 min)
STALE: Final = 3_600  # seconds that an answer may outlive its TTL where nothing newer can be had (RFC 8767)
STALE_TTL: Final = 30  # seconds until a stale answer's question is asked again (RFC 8767, section 4)
RENEW_SHARE: Final = 0.1  # of an answer's life, the last part, in which one that is in use is asked for again

NEVER: Final = float("inf")
STALE_CAUSE: Final = "stale"
# A failure on our side of the name server says nothing about the name: keeping it would outlive a restart.
UNCACHED_CAUSES: Final = frozenset({"no nameserver", "overload", "closed"})


@dataclass(slots=True)
class _Entry:
    """An answer, when it stops being fresh and when it stops being of any use (seconds since boot).

    From `renew` on the next reader has it renewed.
    """

    answer: Answer
    expires: float
    forget: float
    renew: float
    size: int
    used: bool = False


def since_boot() -> float:
    """Seconds; time.monotonic stands still while a machine, or its image, is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def lifetime(answer: Answer) -> int:
    """For how many seconds an answer may be given again, the clamps applied; 0: not at all."""
    if answer.status is AnswerStatus.NOERROR:
        return min(max(answer.ttl, MIN_TTL), MAX_TTL)
    if answer.status is AnswerStatus.TEMPFAIL:
        return 0 if answer.cause in UNCACHED_CAUSES else FAILURE_TTL
    return min(max(answer.ttl, MIN_NEGATIVE_TTL), MAX_NEGATIVE_TTL)


def renewal(answer: Answer) -> float:
    """With how many seconds left an answer in use is asked for again; 0: not before its end.

    Failures have no answer worth renewing, and short lives no time to do it in.
    """
    keep = lifetime(answer)
    return 0.0 if answer.failed or keep < MIN_TTL else keep * RENEW_SHARE


def _renew(answer: Answer, expires: float) -> float:
    before = renewal(answer)
    return expires - before if before else NEVER


class AnswerCache:
    """Keeps answers while they are fresh, and known ones an hour longer for the time when nobody answers.

    `clock` never goes back, and goes on while the machine sleeps, as a TTL does. When full, the entry that has waited
    longest without being read goes first.
    """

    def __init__(
        self,
        *,
        most: int = MAX_ENTRIES,
        most_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = since_boot,
    ) -> None:
        """Start empty."""
        self._most = most
        self._most_bytes = most_bytes
        self._clock = clock
        # An OrderedDict, because taking the first of a plain dict walks over all that was deleted before it.
        self._entries: OrderedDict[Question, _Entry] = OrderedDict()
        self._lock = Lock()  # for writers only
        self._bytes = 0
        self._due: Callable[[Question], None] | None = None

    def __len__(self) -> int:
        """How many entries, expired ones included."""
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """What the entries take, estimated."""
        return self._bytes

    def peek(self, question: Question) -> Answer | None:
        """The fresh answer or None. One dict lookup, atomic under the interpreter's lock: any thread may call it."""
        entry = self._entries.get(question)
        if entry is None:
            return None
        now = self._clock()
        if entry.expires <= now:
            return None
        if entry.renew <= now and entry.used:  # read before, and now again: a name in use
            entry.renew = NEVER
            if self._due is not None:
                self._due(question)
        entry.used = True
        return entry.answer

    def watch(self, due: Callable[[Question], None]) -> None:
        """From now on call `due` for an answer in use that is nearly over: once in its life, in whichever thread."""
        self._due = due

    def settle(self, answer: Answer) -> Answer:
        """Keep what just came in, and give back what to use: where it failed, a known stale answer if there is one.

        A stale answer carries the cause "stale" and the time it was received.
        """
        keep = lifetime(answer)
        now = self._clock()
        with self._lock:
            known = self._entries.get(answer.question)
            if answer.status is AnswerStatus.TEMPFAIL and known is not None and self._is_of_use(known, now):
                if known.expires <= now:
                    known.answer = replace(known.answer, cause=STALE_CAUSE)
                    known.expires = min(now + STALE_TTL, known.forget)
                return known.answer
            if keep:
                self._put(answer, now + keep)
        return answer

    def adopt(self, answer: Answer, left: float) -> None:
        """Keep what somebody else received, fresh for `left` seconds more; 0 or less: for when nothing newer comes.

        What this process knows and is newer stays.
        """
        expires = self._clock() + left
        with self._lock:
            known = self._entries.get(answer.question)
            if known is None or known.answer.failed or known.expires < expires:
                self._put(answer, expires)

    def forget(self, zone: str) -> None:
        """Forget what is known of names in a zone, however deep. Looks at every entry: some milliseconds when full."""
        ending = f".{zone}"
        with self._lock:
            for question in [question for question in self._entries if question.name.endswith(ending)]:
                self._bytes -= self._entries.pop(question).size

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    @staticmethod
    def _is_of_use(entry: _Entry, now: float) -> bool:
        """True for an answer that was one and is not too old."""
        return entry.answer.status is not AnswerStatus.TEMPFAIL and now < entry.forget

    def _put(self, answer: Answer, expires: float) -> None:
        """Write an entry and make room for it. Called with the lock held."""
        size = ENTRY_BYTES + len(answer.question.name) + sum([len(text) + TEXT_BYTES for text in answer.records])
        old = self._entries.pop(answer.question, None)
        if old is not None:
            self._bytes -= old.size
        if size > self._most_bytes // 16:
            return  # one giant must not push out everything else
        self._entries[answer.question] = _Entry(answer, expires, expires + STALE, _renew(answer, expires), size)
        self._bytes += size
        while len(self._entries) > self._most or self._bytes > self._most_bytes:
            self._evict()

    def _evict(self) -> None:
        """Drop the first entry that nobody has read since it last came to the front; each is spared once at most."""
        now = self._clock()
        while True:
            question, entry = next(iter(self._entries.items()))
            if not entry.used or entry.expires <= now:
                del self._entries[question]
                self._bytes -= entry.size
                return
            entry.used = False
            self._entries.move_to_end(question)
