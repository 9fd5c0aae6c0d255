"""The cache: lifetimes, bounds, stale answers."""

import random

import pytest

from filterd.dns.cache import AnswerCache, lifetime
from filterd.model.dns import Answer, AnswerStatus, Question, RRType

QUESTION = Question("a.test", RRType.TXT)


class Clock:
    """Seconds that move when told to."""

    def __init__(self) -> None:
        """At a thousand."""
        self.now = 1000.0

    def __call__(self) -> float:
        """What time it is."""
        return self.now


def answer(
    name: str = "a.test", status: AnswerStatus = AnswerStatus.NOERROR, ttl: int = 300, cause: str = ""
) -> Answer:
    """An answer about a name."""
    records = ("x",) if status is AnswerStatus.NOERROR else ()
    return Answer(Question(name, RRType.TXT), status, records, ttl, cause=cause)


@pytest.mark.parametrize(
    ("status", "ttl", "cause", "seconds"),
    [
        (AnswerStatus.NOERROR, 0, "", 30),
        (AnswerStatus.NOERROR, 300, "", 300),
        (AnswerStatus.NOERROR, 604_800, "", 86_400),
        (AnswerStatus.NXDOMAIN, 0, "", 5),
        (AnswerStatus.NODATA, 60, "", 60),
        (AnswerStatus.NXDOMAIN, 86_400, "", 300),
        (AnswerStatus.TEMPFAIL, 0, "servfail", 30),
        (AnswerStatus.TEMPFAIL, 0, "timeout", 30),
        (AnswerStatus.TEMPFAIL, 0, "no nameserver", 0),
    ],
)
@pytest.mark.threat("DNS-05")
def test_lifetimes_are_clamped(status: AnswerStatus, ttl: int, cause: str, seconds: int) -> None:
    """Positive 30 s to a day, negative 5 s to 5 min, failures 30 s, our own failures not at all."""
    assert lifetime(answer(status=status, ttl=ttl, cause=cause)) == seconds


def test_an_answer_is_given_until_it_expires() -> None:
    """Fresh for its lifetime, gone at its end."""
    clock = Clock()
    cache = AnswerCache(clock=clock)
    cache.settle(answer(ttl=300))
    clock.now += 299
    assert cache.peek(QUESTION) == answer(ttl=300)
    clock.now += 1
    assert cache.peek(QUESTION) is None


def test_a_failure_brings_back_a_stale_answer_for_an_hour() -> None:
    """RFC 8767: better old than unknown, with the cause saying so, and for a bounded time."""
    clock = Clock()
    cache = AnswerCache(clock=clock)
    cache.settle(answer(ttl=300))
    clock.now += 300 + 3599
    stale = cache.settle(answer(status=AnswerStatus.TEMPFAIL, cause="timeout"))
    assert (stale.status, stale.records, stale.cause) == (AnswerStatus.NOERROR, ("x",), "stale")
    assert cache.peek(QUESTION) == stale
    clock.now += 1
    assert cache.settle(answer(status=AnswerStatus.TEMPFAIL, cause="timeout")).failed


def test_a_failure_without_a_predecessor_stays_one() -> None:
    """And is kept, so that the next message does not wait again."""
    cache = AnswerCache(clock=Clock())
    failure = answer(status=AnswerStatus.TEMPFAIL, cause="servfail")
    assert cache.settle(failure) is failure
    assert cache.peek(QUESTION) is failure


def test_an_unused_entry_leaves_before_a_used_one() -> None:
    """At the bound the oldest entry nobody read goes."""
    cache = AnswerCache(most=3, clock=Clock())
    for name in "abc":
        cache.settle(answer(name))
    cache.peek(Question("a", RRType.TXT))
    cache.settle(answer("d"))
    kept = [name for name in "abcd" if cache.peek(Question(name, RRType.TXT))]
    assert kept == ["a", "c", "d"]


def test_bytes_are_bounded_and_counted_back() -> None:
    """Whatever comes in and goes out, the sum stays below its bound and is 0 when nothing is left."""
    rng = random.Random(1)
    cache = AnswerCache(most_bytes=40_000, clock=Clock())
    for number in range(2_000):
        text = "t" * rng.randrange(1, 5_000)
        cache.settle(Answer(Question(f"n{number % 90}", RRType.TXT), AnswerStatus.NOERROR, (text,), 60))
        assert cache.bytes <= 40_000
    assert len(cache) == len([entry for entry in range(90) if cache.peek(Question(f"n{entry}", RRType.TXT))])
    cache.clear()
    assert cache.bytes == len(cache) == 0


def test_one_giant_answer_does_not_empty_the_cache() -> None:
    """It is not kept, everything else is."""
    cache = AnswerCache(most_bytes=40_000, clock=Clock())
    cache.settle(answer("small"))
    cache.settle(Answer(QUESTION, AnswerStatus.NOERROR, ("t" * 39_000,), 60))
    assert cache.peek(QUESTION) is None
    assert cache.peek(Question("small", RRType.TXT)) is not None


def test_a_failure_leaves_a_fresh_answer_alone() -> None:
    """Asked again before its end and failed: neither stale nor longer fresh than it was."""
    clock = Clock()
    cache = AnswerCache(clock=clock)
    cache.settle(answer(ttl=300))
    clock.now += 299
    assert cache.settle(answer(status=AnswerStatus.TEMPFAIL, cause="timeout")) == answer(ttl=300)
    clock.now += 1
    assert cache.peek(QUESTION) is None


@pytest.mark.parametrize(("left", "records"), [(100.0, ("x",)), (400.0, ("y",))])
def test_what_others_know_is_taken_where_it_is_newer(left: float, records: tuple[str, ...]) -> None:
    """Never an older answer in the place of a newer one."""
    cache = AnswerCache(clock=Clock())
    cache.settle(answer(ttl=300))
    cache.adopt(Answer(QUESTION, AnswerStatus.NOERROR, ("y",), 600), left)
    found = cache.peek(QUESTION)
    assert found is not None
    assert found.records == records


def test_a_stale_answer_of_others_is_bounded_too() -> None:
    """An hour after its end it is nothing, wherever it came from."""
    clock = Clock()
    cache = AnswerCache(clock=clock)
    cache.adopt(answer(ttl=300), -3_000.0)
    assert cache.peek(QUESTION) is None
    clock.now += 599
    assert cache.settle(answer(status=AnswerStatus.TEMPFAIL, cause="timeout")).cause == "stale"
    clock.now += 1
    assert cache.settle(answer(status=AnswerStatus.TEMPFAIL, cause="timeout")).failed
