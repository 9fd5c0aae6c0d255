"""Answers about a zone whose server told lies are dropped, wherever they are kept."""

from collections.abc import Callable
from typing import cast

import pytest

from filterd.dns.cache import AnswerCache
from filterd.dns.resolver import CachingResolver
from filterd.dns.shared import SharedAnswers
from filterd.dns.sharing import Shared
from filterd.dns.stub import Done
from filterd.model.dns import Answer, AnswerStatus, Question, RRType

pytestmark = pytest.mark.threat("DNS-03")

LISTED = Question("a.list.test", RRType.A)
OTHER = Question("a.otherlist.test", RRType.A)


def _answer(question: Question, received: float = 0.0) -> Answer:
    return Answer(question, AnswerStatus.NOERROR, ("127.0.0.2",), 300, received=received)


class Wire:
    """Answers everything at once, at time 50."""

    def __init__(self) -> None:
        """Not asked yet."""
        self.asked: list[Question] = []

    def ask(self, question: Question, done: Done) -> None:
        """As a stub."""
        self.asked.append(question)
        done(_answer(question, 50.0))


class Others:
    """What other fronts know: everything, received at time `received`."""

    def __init__(self, received: float) -> None:
        """Keep it."""
        self.received = received

    def look(self, question: Question, told: Callable[[Question, Shared | None], None]) -> bool:
        """As SharedAnswers."""
        told(question, Shared(_answer(question, self.received), 100.0))
        return True

    def share(self, _answer: Answer) -> None:
        """As SharedAnswers."""


def test_the_zone_leaves_the_cache_and_nothing_else() -> None:
    """Its bytes are counted back; a name that only ends like it stays."""
    cache = AnswerCache()
    cache.settle(_answer(OTHER))
    before = cache.bytes
    for number in range(100):
        cache.settle(_answer(Question(f"{number}.a.list.test", RRType.A)))
    cache.settle(_answer(LISTED))
    cache.forget("list.test")
    assert (len(cache), cache.bytes) == (1, before)
    assert cache.peek(OTHER) is not None


@pytest.mark.parametrize(("received", "asked"), [(39.0, [LISTED]), (40.0, [LISTED]), (41.0, [])])
def test_what_others_learnt_before_is_void_too(received: float, asked: list[Question]) -> None:
    """An answer from before the time counts as unknown, a later one is taken; other zones are not touched."""
    wire = Wire()
    shared = cast("SharedAnswers", Others(received))  # the part of it that is used
    resolver = CachingResolver(wire, AnswerCache(), lambda: 40.0, shared=shared)
    resolver.forget("list.test")
    told: list[Answer] = []
    resolver.ask(LISTED, told.append)
    resolver.ask(OTHER, told.append)
    assert wire.asked == asked
    assert [answer.received for answer in told] == [50.0 if asked else received, received]
