"""The resolver that a front uses: cache in front of the stub, and one question on the wire for all who ask the same."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from filterd.dns.cache import AnswerCache
from filterd.dns.names import askable
from filterd.dns.stub import Done, invalid
from filterd.model.dns import Answer, Question

_log = structlog.get_logger("filterd.dns")


class Asker(Protocol):
    """Who puts a question on the wire: the stub resolver, or what stands for it in a test."""

    def ask(self, question: Question, done: Done) -> None:
        """Call `done` once with an answer, now or later in the loop's thread. Never raises."""


class CachingResolver:
    """Implements model.dns.Resolver. `ask` and `resolve` belong to the loop's thread, `peek` to any.

    `clock` is epoch seconds; it stamps the answers given for names that cannot be asked.
    """

    def __init__(self, stub: Asker, cache: AnswerCache, clock: Callable[[], float] = time.time) -> None:
        """Ask `stub` for what `cache` does not know."""
        self._stub = stub
        self._cache = cache
        self._clock = clock
        self._flying: dict[Question, list[Done]] = {}

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
        self._stub.ask(question, self._answered)

    async def resolve(self, question: Question) -> Answer:
        """The answer; cancelling one waiter leaves the others waiting."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.ask(question, lambda answer: None if future.done() else future.set_result(answer))
        return await future

    def _answered(self, answer: Answer) -> None:
        """Keep the answer and tell everybody."""
        answer = self._cache.settle(answer)
        for done in self._flying.pop(answer.question, ()):
            try:
                done(answer)
            except Exception:  # noqa: BLE001  # the border between messages: one waiter's mistake is not the others'
                _log.exception("lookup_callback_crashed", name=answer.question.name, rtype=answer.question.rtype)
