"""The second level of the cache: batches, head start, breaker; on a loop and a store that move when told to."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import pytest
import structlog

from filterd.dns.shared import HEAD_START, MAX_BATCH, SharedAnswers
from filterd.dns.sharing import Shared, encoded, key
from filterd.model.dns import Answer, AnswerStatus, Question, RRType

NOW = 1_795_000_000.0


class HandTimer:
    """What a loop gives for a call."""

    def __init__(self, when: float, call: Callable[[], object]) -> None:
        """Not cancelled."""
        self.when = when
        self.call = call

    def cancel(self) -> None:
        """Do nothing when the time has come."""
        self.call = lambda: None


class HandLoop:
    """A loop whose time stands still until `advance`; one turn of it: timers first, then what is ready."""

    def __init__(self) -> None:
        """At a hundred seconds."""
        self.now = 100.0
        self.soon: list[HandTimer] = []
        self._timers: list[HandTimer] = []

    def time(self) -> float:
        """The loop's clock."""
        return self.now

    def call_soon(self, callback: Callable[..., object], *args: object) -> HandTimer:
        """At the next turn."""
        self.soon.append(HandTimer(self.now, lambda: callback(*args)))
        return self.soon[-1]

    call_soon_threadsafe = call_soon  # there is one thread

    def call_at(self, when: float, callback: Callable[..., object], *args: object) -> HandTimer:
        """At that time."""
        self._timers.append(HandTimer(when, lambda: callback(*args)))
        return self._timers[-1]

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> HandTimer:
        """So much later."""
        return self.call_at(self.now + delay, callback, *args)

    def run(self) -> None:
        """Turn until nothing is ready."""
        while True:
            due = [timer for timer in self._timers if timer.when <= self.now]
            self._timers = [timer for timer in self._timers if timer.when > self.now]
            ready, self.soon = self.soon, []
            if not due and not ready:
                return
            for timer in [*due, *ready]:
                timer.call()

    def advance(self, seconds: float) -> None:
        """Let time pass, a tenth of a millisecond at a time."""
        end = self.now + seconds
        while self.now < end:
            self.run()
            self.now = min(end, self.now + 0.0001)
        self.run()


class HandReads:
    """A store that answers when told to."""

    def __init__(self) -> None:
        """Empty, and ready."""
        self.ready = True
        self.values: dict[str, bytes] = {}
        self.calls: list[tuple[list[str], Callable[[list[bytes | None] | None], None]]] = []
        self.asked: list[list[str]] = []

    def start(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """The same."""

    def get_many(self, keys: Sequence[str], done: Callable[[list[bytes | None] | None], None]) -> bool:
        """Keep the call."""
        if self.ready:
            self.asked.append(list(keys))
            self.calls.append((list(keys), done))
        return self.ready

    def answer(self, *, fail: bool = False) -> None:
        """Answer the oldest call."""
        keys, done = self.calls.pop(0)
        done(None if fail else [self.values.get(name) for name in keys])


class Written(dict[str, tuple[bytes, int]]):
    """Where writes go."""

    def put(self, key: str, value: bytes, ttl: int) -> None:
        """Take it."""
        self[key] = (value, ttl)


class World:
    """Everything around one SharedAnswers."""

    def __init__(self) -> None:
        """Nothing shared."""
        self.loop = HandLoop()
        self.reads = HandReads()
        self.writes = Written()
        self.counts: dict[str, int] = {}
        self.told: list[tuple[str, Shared | None]] = []
        loop = cast("asyncio.AbstractEventLoop", self.loop)  # the four methods of it that are used
        self.shared = SharedAnswers(self.reads, self.writes, loop, count=self.count, clock=lambda: NOW)

    def count(self, outcome: str, number: int) -> None:
        """Add up."""
        self.counts[outcome] = self.counts.get(outcome, 0) + number

    def know(self, *names: str) -> None:
        """Put answers into the store."""
        for name in names:
            found = encoded(good(name))
            assert found is not None
            self.reads.values[key(good(name).question)] = found[0]

    def look(self, *names: str) -> list[bool]:
        """Look these up in one turn of the loop."""
        taken = [self.shared.look(Question(name, RRType.A), self.take) for name in names]
        self.loop.run()
        return taken

    def take(self, question: Question, found: Shared | None) -> None:
        """What was told."""
        self.told.append((question.name, found))

    def names(self) -> list[tuple[str, bool]]:
        """Who was told, and whether it was an answer; forgets them."""
        told, self.told = self.told, []
        return [(name, found is not None) for name, found in told]


def good(name: str) -> Answer:
    """An answer with an address."""
    return Answer(Question(name, RRType.A), AnswerStatus.NOERROR, ("192.0.2.1",), 300, received=NOW)


@pytest.fixture
def world() -> World:
    """A world of this test's own."""
    return World()


def test_one_turn_is_one_call(world: World) -> None:
    """Whatever is asked in the same turn of the loop travels together, and each is told its own answer."""
    world.know("b.test")
    assert world.look("a.test", "b.test", "c.test") == [True] * 3
    assert world.reads.asked == [["dns1:A:a.test", "dns1:A:b.test", "dns1:A:c.test"]]
    world.reads.answer()
    assert world.names() == [("a.test", False), ("b.test", True), ("c.test", False)]
    assert world.counts == {"hit": 1, "miss": 2}


def test_a_batch_is_bounded(world: World) -> None:
    """What does not fit is for the wire at once."""
    taken = world.look(*[f"n{number}.test" for number in range(MAX_BATCH + 5)])
    assert taken == [True] * MAX_BATCH + [False] * 5


@pytest.mark.threat("POL-08", "RES-03")
def test_nobody_waits_longer_than_the_head_start(world: World) -> None:
    """Without a word all are let go; what is asked meanwhile does not wait at all."""
    world.look("a.test")
    world.loop.advance(HEAD_START * 0.9)
    assert world.names() == []
    world.loop.advance(HEAD_START)
    assert world.names() == [("a.test", False)]
    assert world.look("b.test") == [False]
    assert world.counts == {"late": 1}


def test_a_busy_loop_is_no_slow_store(world: World) -> None:
    """An answer that lies ready when the head start is over, and has not been read yet, counts as in time."""
    world.know("a.test")
    world.look("a.test")
    world.loop.now += HEAD_START
    world.loop.run()
    world.reads.answer()
    world.loop.advance(HEAD_START)
    assert world.names() == [("a.test", True)]
    assert world.counts == {"hit": 1, "miss": 0}


def test_a_late_answer_is_still_an_answer(world: World) -> None:
    """It may come before the wire's; a late "unknown" says nothing new."""
    world.know("a.test")
    world.look("a.test", "b.test")
    world.loop.advance(2 * HEAD_START)
    world.names()
    world.reads.answer()
    assert world.names() == [("a.test", True)]
    assert world.look("c.test") == [True]


@pytest.mark.threat("POL-08", "RES-03")
def test_a_store_that_is_always_late_is_left_alone(world: World) -> None:
    """After five late answers in a row one look-up a second sees whether it has become better."""
    for number in range(5):
        assert world.look(f"n{number}.test") == [True]
        world.loop.advance(2 * HEAD_START)
        world.reads.answer()
    assert world.look("a.test") == [False]
    world.loop.advance(1.0)
    assert world.look("b.test") == [True]
    assert world.look("c.test") == [False]
    world.reads.answer()
    assert world.look("d.test") == [True]


@pytest.mark.threat("RES-03")
def test_a_store_that_fails_costs_no_time(world: World) -> None:
    """A refusal, a broken connection: everybody goes on at once, and after five the store is left alone."""
    for number in range(5):
        world.look(f"n{number}.test")
        world.reads.answer(fail=True)
        assert world.names() == [(f"n{number}.test", False)]
    assert world.look("a.test") == [False]
    assert world.counts == {"error": 5}


def test_a_store_that_is_away_is_not_asked(world: World) -> None:
    """Also where it went away within the turn."""
    world.reads.ready = False
    assert world.look("a.test") == [False]
    world.reads.ready = True
    assert world.shared.look(Question("b.test", RRType.A), world.take)
    world.reads.ready = False
    world.loop.run()
    assert world.names() == [("b.test", False)]


def test_corrupt_values_are_misses(world: World) -> None:
    """The others of the batch are told as ever."""
    world.know("b.test")
    world.reads.values["dns1:A:a.test"] = b"\xff garbage"
    world.look("a.test", "b.test")
    world.reads.answer()
    assert world.names() == [("a.test", False), ("b.test", True)]


def test_answers_are_written_with_a_lifetime(world: World) -> None:
    """Those that are for others, under the key they are looked up with."""
    world.shared.share(good("a.test"))
    world.shared.share(Answer(Question("b.test", RRType.A), AnswerStatus.TEMPFAIL, cause="servfail"))
    assert {name: ttl for name, (_, ttl) in world.writes.items()} == {"dns1:A:a.test": 600}


def test_one_waiter_that_raises_harms_no_other(world: World) -> None:
    """It is logged, the others are told."""

    def crash(_question: Question, _found: Shared | None) -> None:
        raise ValueError("a bug")

    with structlog.testing.capture_logs() as logs:
        world.shared.look(Question("a.test", RRType.A), crash)
        world.look("b.test")
        world.reads.answer()
    assert world.names() == [("b.test", False)]
    assert [entry["event"] for entry in logs] == ["lookup_callback_crashed"]
