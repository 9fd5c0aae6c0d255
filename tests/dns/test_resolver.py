"""The caching resolver: both levels before the wire, and names in use renewed before they are over."""

import asyncio
from typing import cast

import pytest

from filterd.dns.cache import RENEW_SHARE, AnswerCache
from filterd.dns.resolver import MAX_RENEWALS, CachingResolver
from filterd.dns.shared import HEAD_START
from filterd.dns.sharing import encoded, key
from filterd.dns.stub import Done
from filterd.model.dns import Answer, AnswerStatus, Question, RRType
from tests.dns.test_shared import NOW, HandLoop, World, good

A = Question("a.test", RRType.A)
TTL = 300.0


class Wire:
    """Questions that are answered when the test says so."""

    def __init__(self) -> None:
        """Nothing asked."""
        self.asked: list[str] = []
        self.waiting: list[tuple[Question, Done]] = []

    def ask(self, question: Question, done: Done) -> None:
        """Keep it."""
        self.asked.append(question.name)
        self.waiting.append((question, done))

    def answer(self, *, fail: bool = False) -> None:
        """Answer all."""
        waiting, self.waiting = self.waiting, []
        for question, done in waiting:
            done(Answer(question, AnswerStatus.TEMPFAIL, cause="servfail") if fail else good(question.name))


class Setting:
    """A resolver between two levels of cache and a wire; the cache's clock is the loop's."""

    def __init__(self, world: World | None = None) -> None:
        """Without a world: level one alone."""
        self.world = world
        self.loop = world.loop if world is not None else HandLoop()
        self.wire = Wire()
        self.cache = AnswerCache(clock=self.loop.time)
        self.resolver = CachingResolver(
            self.wire,
            self.cache,
            lambda: NOW,
            loop=cast("asyncio.AbstractEventLoop", self.loop),
            shared=world.shared if world is not None else None,
        )
        self.got: list[Answer] = []

    def ask(self, name: str = "a.test") -> None:
        """Ask, and let the loop's turn end."""
        self.resolver.ask(Question(name, RRType.A), self.got.append)
        self.loop.run()

    def fill(self, *names: str) -> None:
        """Have these from the wire, and read once."""
        for name in names:
            self.cache.settle(good(name))
            assert self.resolver.peek(Question(name, RRType.A)) is not None

    def later(self, seconds: float) -> None:
        """Let time pass at once."""
        self.loop.now += seconds


@pytest.fixture
def setting() -> Setting:
    """Both levels."""
    return Setting(World())


@pytest.fixture
def alone() -> Setting:
    """Level one and the wire."""
    return Setting()


def world_of(setting: Setting) -> World:
    """The world of a setting that has one."""
    assert setting.world is not None
    return setting.world


# Two levels.


def test_what_others_know_is_not_asked_on_the_wire(setting: Setting) -> None:
    """And is known here from then on."""
    world = world_of(setting)
    world.know("a.test")
    setting.ask()
    world.reads.answer()
    assert (setting.got, setting.wire.asked) == ([good("a.test")], [])
    assert setting.resolver.peek(A) == good("a.test")
    assert not world.writes


def test_what_nobody_knows_is_asked_once_and_written(setting: Setting) -> None:
    """All who wait are told; the others will find it."""
    world = world_of(setting)
    setting.ask()
    setting.ask()
    world.reads.answer()
    setting.wire.answer()
    assert (setting.wire.asked, setting.got) == (["a.test"], [good("a.test")] * 2)
    assert list(world.writes) == [key(A)]


@pytest.mark.threat("POL-08", "RES-03")
def test_without_the_store_the_wire_is_asked_at_once(setting: Setting) -> None:
    """Level one goes on alone."""
    world_of(setting).reads.ready = False
    setting.ask()
    assert setting.wire.asked == ["a.test"]


@pytest.mark.threat("POL-08", "RES-03")
def test_a_late_store_costs_the_head_start(setting: Setting) -> None:
    """Then the wire is asked; whoever answers first is believed, and each waiter hears one answer."""
    world = world_of(setting)
    world.know("a.test")
    setting.ask()
    setting.loop.advance(2 * HEAD_START)
    assert setting.wire.asked == ["a.test"]
    world.reads.answer()
    assert setting.got == [good("a.test")]
    setting.wire.answer(fail=True)
    assert setting.got == [good("a.test")]
    assert setting.resolver.peek(A) == good("a.test")


def test_a_stale_answer_of_others_helps_when_the_wire_fails(setting: Setting) -> None:
    """A front that has just started falls back on what others knew; while the wire answers, that counts."""
    world = world_of(setting)
    old = Answer(A, AnswerStatus.NOERROR, ("192.0.2.9",), 300, received=NOW - 400)
    value = encoded(old)
    assert value is not None
    world.reads.values[key(A)] = value[0]
    setting.ask()
    world.reads.answer()
    assert setting.wire.asked == ["a.test"]
    setting.wire.answer(fail=True)
    assert [(one.records, one.cause) for one in setting.got] == [(("192.0.2.9",), "stale")]
    setting.later(31)
    setting.ask()
    world.reads.answer()
    setting.wire.answer()
    assert setting.got[-1] == good("a.test")


def test_failures_are_not_written(setting: Setting) -> None:
    """They are kept for 30 s here."""
    setting.ask()
    world_of(setting).reads.answer()
    setting.wire.answer(fail=True)
    assert setting.got[0].failed
    assert not world_of(setting).writes
    assert setting.resolver.peek(A) == setting.got[0]


# Renewal.


def test_a_name_in_use_is_renewed_once(alone: Setting) -> None:
    """From the last tenth of its life on, at its second reading; readers go on with the old answer."""
    alone.fill("a.test")
    alone.later(TTL * (1 - RENEW_SHARE) - 1)
    alone.resolver.peek(A)
    alone.loop.run()
    assert alone.wire.asked == []
    alone.later(2)
    for _ in range(5):
        assert alone.resolver.peek(A) == good("a.test")
        alone.loop.run()
    assert alone.wire.asked == ["a.test"]
    alone.wire.answer()
    alone.later(TTL * RENEW_SHARE)
    assert alone.resolver.peek(A) == good("a.test")


def test_a_name_that_was_read_once_is_not_renewed(alone: Setting) -> None:
    """Most names of mail are never asked for again."""
    alone.cache.settle(good("a.test"))
    alone.later(TTL * (1 - RENEW_SHARE) + 1)
    alone.resolver.peek(A)
    alone.loop.run()
    assert alone.wire.asked == []


def test_short_lives_and_failures_are_not_renewed(alone: Setting) -> None:
    """There is no time for it, or nothing to be kept."""
    alone.cache.settle(Answer(A, AnswerStatus.NXDOMAIN, (), 20, 3))
    alone.cache.settle(Answer(Question("b.test", RRType.A), AnswerStatus.TEMPFAIL, cause="servfail"))
    for _ in range(100):
        alone.later(0.3)
        alone.resolver.peek(A)
        alone.resolver.peek(Question("b.test", RRType.A))
        alone.loop.run()
    assert alone.wire.asked == []


def test_a_renewal_that_fails_changes_nothing(alone: Setting) -> None:
    """The answer is fresh to its end, and is not asked for again before."""
    alone.fill("a.test")
    alone.later(TTL - 10)
    alone.resolver.peek(A)
    alone.loop.run()
    alone.wire.answer(fail=True)
    assert alone.resolver.peek(A) == good("a.test")
    alone.loop.run()
    assert alone.wire.asked == ["a.test"]
    alone.later(10)
    assert alone.resolver.peek(A) is None


def test_whoever_asks_during_a_renewal_waits_for_it(alone: Setting) -> None:
    """One question on the wire for both."""
    alone.fill("a.test")
    alone.later(TTL - 1)
    alone.resolver.peek(A)
    alone.loop.run()
    alone.later(1)
    alone.ask()
    assert alone.wire.asked == ["a.test"]
    alone.wire.answer()
    assert alone.got == [good("a.test")]


def test_renewals_are_bounded_and_wake_the_loop_together(alone: Setting) -> None:
    """However many names are over at the same time."""
    names = [f"n{number}.test" for number in range(3 * MAX_RENEWALS)]
    alone.fill(*names)
    alone.later(TTL - 1)
    for name in names:
        alone.resolver.peek(Question(name, RRType.A))
    assert len(alone.loop.soon) == 1
    alone.loop.run()
    assert len(alone.wire.asked) == MAX_RENEWALS
    alone.wire.answer()
    alone.fill("a.test")
    alone.later(TTL - 1)
    alone.resolver.peek(A)
    alone.loop.run()
    assert alone.wire.asked[-1] == "a.test"


def test_a_renewal_takes_what_others_have_renewed(setting: Setting) -> None:
    """One front asks the wire, the others find its answer; the old answer in the store is none."""
    world = world_of(setting)
    world.shared._clock = lambda: NOW + TTL - 10
    world.know("a.test", "b.test")
    newer = encoded(Answer(A, AnswerStatus.NOERROR, ("192.0.2.9",), 300, received=NOW + TTL - 20))
    assert newer is not None
    world.reads.values[key(A)] = newer[0]
    setting.fill("a.test", "b.test")
    setting.later(TTL - 10)
    setting.resolver.peek(A)
    setting.resolver.peek(Question("b.test", RRType.A))
    setting.loop.run()
    world.reads.answer()
    assert setting.wire.asked == ["b.test"]
    found = setting.resolver.peek(A)
    assert found is not None
    assert found.records == ("192.0.2.9",)
