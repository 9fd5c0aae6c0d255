"""Bounds on TTLs of single zones."""

from collections.abc import Callable

import pytest

from filterd.dns.clamping import ClampedAsker
from filterd.dns.stub import Done
from filterd.model.dns import Answer, AnswerStatus, Question, RRType

BOUNDS = {"list.test": (60, 600), "deep.list.test": (1, 10)}


class FakeAsker:
    """Answers at once, with a TTL and a status."""

    def __init__(self, ttl: int, status: AnswerStatus = AnswerStatus.NOERROR) -> None:
        """Take what to answer."""
        self._answer: Callable[[Question], Answer] = lambda question: Answer(question, status, ("127.0.0.2",), ttl)

    def ask(self, question: Question, done: Done) -> None:
        """Answer."""
        done(self._answer(question))


def ttl_of(name: str, ttl: int, status: AnswerStatus = AnswerStatus.NOERROR) -> int:
    """The TTL that comes back for a name."""
    answers: list[Answer] = []
    ClampedAsker(FakeAsker(ttl, status), BOUNDS).ask(Question(name, RRType.A), answers.append)
    [answer] = answers
    assert answer.question.name == name
    return answer.ttl


@pytest.mark.parametrize(("ttl", "kept"), [(0, 60), (300, 300), (86_400, 600)])
@pytest.mark.parametrize("status", [AnswerStatus.NOERROR, AnswerStatus.NXDOMAIN])
def test_answers_of_a_zone_are_brought_within_its_bounds(ttl: int, kept: int, status: AnswerStatus) -> None:
    """Hits and misses alike."""
    assert ttl_of("2.0.0.127.list.test", ttl, status) == kept


@pytest.mark.parametrize("name", ["other.test", "list.test", "xlist.test", "list.test.other"])
def test_other_names_pass_as_they_are(name: str) -> None:
    """The zone itself is no question to a list, and one that ends alike is another."""
    assert ttl_of(name, 86_400) == 86_400


def test_the_deepest_zone_speaks_for_its_names() -> None:
    """However the zones are ordered."""
    assert ttl_of("a.deep.list.test", 300) == 10


def test_a_failure_keeps_its_own_time() -> None:
    """How long nobody asks again is not the list's to say."""
    assert ttl_of("a.list.test", 0, AnswerStatus.TEMPFAIL) == 0
