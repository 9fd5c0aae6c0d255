"""The resolver that a front uses: caches before the stub, and one question on the wire for all who ask the same."""

import asyncio
import time
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import structlog

from filterd.dns.cache import AnswerCache, renewal
from filterd.dns.names import askable
from filterd.dns.shared import SharedAnswers
from filterd.dns.sharing import Shared
from filterd.dns.stub import Done, invalid
from filterd.model.dns import Answer, Question

MAX_RENEWALS: Final = 64  # answers renewed at the same time; one that finds no place is asked for when it is over

_log = structlog.get_logger("filterd.dns")


class Asker(Protocol):
    """Who puts a question on the wire: the stub resolver, or what stands for it in a test."""

    def ask(self, question: Question, done: Done) -> None:
        """Call `done` once with an answer, now or later in the loop's thread. Never raises."""


class CachingResolver:
    """Implements model.dns.Resolver. `ask` and `resolve` belong to the loop's thread, `peek` to any.

    `clock` is epoch seconds; it stamps the answers given for names that cannot be asked. With a `loop`, answers in use
    are renewed shortly before they are over; with `shared`, what other fronts have learnt is looked up first.
    """

    def __init__(
        self,
        stub: Asker,
        cache: AnswerCache,
        clock: Callable[[], float] = time.time,
        *,
        loop: AbstractEventLoop | None = None,
        shared: SharedAnswers | None = None,
    ) -> None:
        """Ask `stub` for what neither `cache` nor `shared` knows."""
        self._stub = stub
        self._cache = cache
        self._clock = clock
        self._loop = loop
        self._shared = shared
        self._flying: dict[Question, list[Done]] = {}
        self._renewing: set[Question] = set()
        self._due: deque[Question] = deque(maxlen=MAX_RENEWALS)
        self._called = False
        self._void: dict[str, float] = {}  # zones, with the time (epoch seconds) up to which their answers are void
        if loop is not None:
            cache.watch(self._nearly_over)

    def peek(self, question: Question) -> Answer | None:
        """The cached answer or None; a name that cannot exist is answered here, without waking the loop."""
        answer = self._cache.peek(question)
        if answer is None and not askable(question.name):
            return invalid(question, self._clock())
        return answer

    def ask(self, question: Question, done: Done) -> None:
        """Call `done` with the answer: at once from the cache, else when it has come, together with all who wait.

        A waiter that has lost interest ignores the call; the question stays under way and warms the cache.
        """
        answer = self._cache.peek(question)
        if answer is not None:
            done(answer)
            return
        waiting = self._flying.get(question)
        if waiting is not None:
            waiting.append(done)
            return
        self._flying[question] = [done]
        if self._shared is None or not self._shared.look(question, self._looked):
            self._stub.ask(question, self._answered)

    async def resolve(self, question: Question) -> Answer:
        """The answer; cancelling one waiter leaves the others waiting."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.ask(question, lambda answer: None if future.done() else future.set_result(answer))
        return await future

    def forget(self, zone: str) -> None:
        """Void every answer about names in a zone that was received until now, other fronts' too. Any thread."""
        self._void = {**self._void, f".{zone}": self._clock()}
        self._cache.forget(zone)

    def _is_void(self, answer: Answer) -> bool:
        """True for another front's answer from the time before `forget`."""
        name = answer.question.name
        return any(name.endswith(zone) and answer.received <= until for zone, until in self._void.items())

    def _looked(self, question: Question, found: Shared | None) -> None:
        """What the second level knows. It may speak twice; then the second answer is fresh, and the wire was asked."""
        if found is not None and not (self._void and self._is_void(found.answer)):
            self._cache.adopt(found.answer, found.left)
            if found.left > 0:
                self._tell(found.answer)
                return
        self._stub.ask(question, self._answered)

    def _answered(self, answer: Answer) -> None:
        """The wire's answer: keep it and tell everybody, other fronts too."""
        if self._shared is not None:
            self._shared.share(answer)
        self._tell(self._cache.settle(answer))

    def _tell(self, answer: Answer) -> None:
        """Tell all who wait."""
        self._renewing.discard(answer.question)
        for done in self._flying.pop(answer.question, ()):
            try:
                done(answer)
            except Exception:  # noqa: BLE001  # the border between messages: one waiter's mistake is not the others'
                _log.exception("lookup_callback_crashed", name=answer.question.name, rtype=answer.question.rtype)

    # Renewal.

    def _nearly_over(self, question: Question) -> None:
        """The cache's word, in any thread, once in the life of an answer: wake the loop once for all that gather."""
        self._due.append(question)
        if not self._called and self._loop is not None:
            self._called = True
            with suppress(RuntimeError):  # the loop is closed: we are stopping
                self._loop.call_soon_threadsafe(self._renew)

    def _renew(self) -> None:
        """Ask again for what is nearly over; whoever asks meanwhile is still given the old answer."""
        self._called = False
        while self._due:
            question = self._due.popleft()
            if question in self._flying or len(self._renewing) >= MAX_RENEWALS:
                continue
            self._flying[question] = []
            self._renewing.add(question)
            if self._shared is None or not self._shared.look(question, self._renewed):
                self._stub.ask(question, self._answered)

    def _renewed(self, question: Question, found: Shared | None) -> None:
        """As `_looked`: what the others know helps where it is newer than what is nearly over here."""
        fresher = found is not None and found.left > renewal(found.answer)
        self._looked(question, found if fresher else None)
