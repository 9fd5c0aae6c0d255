"""One message's lookups: threads, budget, cancellation, recording; and single flight below them."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
import structlog

from filterd.dns.cache import AnswerCache
from filterd.dns.fake import FakeResolver
from filterd.dns.lookups import Lookups
from filterd.dns.loop import LoopThread
from filterd.dns.recording import ReplayResolver
from filterd.dns.resolver import CachingResolver
from filterd.dns.stub import INVALID_NAME, Done
from filterd.model.dns import Answer, AnswerStatus, Plan, Question, RRType

WAIT = 10.0  # seconds until a test is given up
A, B, C = (Question(f"{name}.test", RRType.A) for name in "abc")


class SlowStub:
    """Keeps questions until told to answer them."""

    def __init__(self) -> None:
        """Nothing asked."""
        self.asked: list[Question] = []
        self.waiting: list[tuple[Question, Done]] = []

    def ask(self, question: Question, done: Done) -> None:
        """Keep it."""
        self.asked.append(question)
        self.waiting.append((question, done))

    def release(self) -> None:
        """Answer everything that waits."""
        waiting, self.waiting = self.waiting, []
        for question, done in waiting:
            done(good(question))


class QuickStub(SlowStub):
    """Answers before `ask` returns, as the real one does where it cannot send."""

    def ask(self, question: Question, done: Done) -> None:
        """Answer."""
        self.asked.append(question)
        done(good(question))


def good(question: Question) -> Answer:
    """An answer with one address."""
    return Answer(question, AnswerStatus.NOERROR, ("192.0.2.1",), 60)


def chain(*steps: tuple[Question, ...]) -> Plan[list[Answer]]:
    """A plan that asks these one after the other and gives all answers back."""
    answers: list[Answer] = []
    for step in steps:
        answers += yield step
    return answers


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    """A running loop."""
    thread = LoopThread()
    thread.start()
    yield thread
    thread.stop()


def in_loop(thread: LoopThread, function: Callable[[], object]) -> None:
    """Call something in the loop's thread, after all that was handed to it before."""

    async def call() -> None:
        function()

    thread.call(call(), WAIT)


class Results(list[list[Answer]]):
    """Collects what plans return, and in which thread."""

    def __init__(self) -> None:
        """Nothing yet."""
        super().__init__()
        self.threads: list[str] = []
        self.came = threading.Event()

    def take(self, result: list[Answer]) -> None:
        """One more."""
        self.threads.append(threading.current_thread().name)
        self.append(result)
        self.came.set()


def test_cached_answers_carry_a_plan_to_its_end_in_the_calling_thread(thread: LoopThread) -> None:
    """No wake-up, no question on the wire."""
    stub, cache, results = SlowStub(), AnswerCache(), Results()
    cache.settle(good(A))
    cache.settle(good(B))
    lookups = Lookups(CachingResolver(stub, cache), thread.loop)
    lookups.run([(chain((A,), (B, A)), results.take)])
    assert results == [[good(A), good(B), good(A)]]
    assert results.threads == [threading.current_thread().name]
    assert (lookups.wire, stub.asked) == (0, [])
    assert lookups.answers == {A: good(A), B: good(B)}


def test_answers_are_still_the_same_or_not(thread: LoopThread) -> None:
    """The very same objects: an equal answer that came later is another one. Nobody is asked."""
    cache, stub = AnswerCache(), SlowStub()
    lookups = Lookups(CachingResolver(stub, cache), thread.loop)
    answers = [(question, cache.settle(good(question))) for question in (A, B)]
    assert lookups.still(answers)
    cache.settle(good(B))
    assert not lookups.still(answers)
    assert not lookups.still([(C, good(C))])
    assert (stub.asked, lookups.answers) == ([], {})


def test_a_miss_goes_on_in_the_loop(thread: LoopThread) -> None:
    """From the first miss on, the plan and its `done` run in the loop's thread."""
    stub, results = SlowStub(), Results()
    lookups = Lookups(CachingResolver(stub, AnswerCache()), thread.loop)
    lookups.run([(chain((A, B), (C,)), results.take)])
    in_loop(thread, stub.release)
    assert results == []
    in_loop(thread, stub.release)
    assert results == [[good(A), good(B), good(C)]]
    assert results.threads == ["loop"]
    assert lookups.wire == 3


def test_plans_share_one_question(thread: LoopThread) -> None:
    """Two plans, and a second message, ask the same: one question on the wire."""
    stub, results = SlowStub(), Results()
    resolver = CachingResolver(stub, AnswerCache())
    first, second = Lookups(resolver, thread.loop), Lookups(resolver, thread.loop)
    first.run([(chain((A, A)), results.take), (chain((A,)), results.take)])
    second.run([(chain((A,)), results.take)])
    in_loop(thread, stub.release)
    assert stub.asked == [A]
    assert len(results) == 3
    assert (first.wire, second.wire) == (1, 1)


def test_cancelling_one_waiter_leaves_the_others(thread: LoopThread) -> None:
    """Single flight: whoever gives up does not take the answer away from the rest."""
    stub = SlowStub()
    resolver = CachingResolver(stub, AnswerCache())

    async def scene() -> Answer:
        gone = asyncio.ensure_future(resolver.resolve(A))
        stays = asyncio.ensure_future(resolver.resolve(A))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        stub.release()
        return await stays

    assert thread.call(scene(), WAIT) == good(A)
    assert stub.asked == [A]


@pytest.mark.crashes_expected
def test_a_crashing_waiter_does_not_cost_the_others_their_answer(thread: LoopThread) -> None:
    """The resolver's callbacks are independent of each other."""
    stub = SlowStub()
    resolver = CachingResolver(stub, AnswerCache())
    got: list[Answer] = []

    def crash(_answer: Answer) -> None:
        raise LookupError("deliberate")

    in_loop(thread, lambda: resolver.ask(A, crash))
    in_loop(thread, lambda: resolver.ask(A, got.append))
    in_loop(thread, stub.release)
    assert got == [good(A)]


@pytest.mark.threat("AUTH-10")
def test_the_budget_ends_questions(thread: LoopThread) -> None:
    """After `most` questions on the wire the rest is unknown, with the cause "budget"."""
    stub, results = QuickStub(), Results()
    lookups = Lookups(CachingResolver(stub, AnswerCache()), thread.loop, most=2)
    lookups.run([(chain((A, B, C)), results.take)])
    in_loop(thread, stub.release)
    assert [answer.cause for answer in results[0]] == ["", "", "budget"]
    assert results[0][2].failed
    assert (lookups.wire, stub.asked) == (2, [A, B])


def test_a_raised_budget_asks_what_was_refused_before(thread: LoopThread) -> None:
    """Early guesses must not decide what end of message may know."""
    stub, results = QuickStub(), Results()
    lookups = Lookups(CachingResolver(stub, AnswerCache()), thread.loop, most=1)
    lookups.run([(chain((A, B)), results.take)])
    in_loop(thread, stub.release)
    lookups.budget(2)
    lookups.run([(chain((B,)), results.take)])
    in_loop(thread, stub.release)
    assert results[1] == [good(B)]
    assert lookups.answers == {A: good(A), B: good(B)}


@pytest.mark.threat("DNS-05")
def test_the_seconds_end_waiting(thread: LoopThread) -> None:
    """A dead resolver: what is outstanding is unknown when the message's DNS time is over, and what follows at once."""
    stub, results = SlowStub(), Results()
    lookups = Lookups(CachingResolver(stub, AnswerCache()), thread.loop, seconds=0.02)
    lookups.run([(chain((A,), (B,)), results.take)])
    assert results.came.wait(WAIT)
    assert [answer.cause for answer in results[0]] == ["budget", "budget"]
    assert stub.asked == [A]


def test_granted_seconds_begin_when_the_first_ones_are_over(thread: LoopThread) -> None:
    """Time lost before end of message does not leave end of message without any."""
    stub, results = SlowStub(), Results()
    lookups = Lookups(CachingResolver(stub, AnswerCache()), thread.loop, seconds=0.02)
    lookups.run([(chain((A,)), results.take)])
    assert results.came.wait(WAIT)
    lookups.budget(128, WAIT)
    lookups.run([(chain((A, B)), results.take)])
    in_loop(thread, stub.release)
    assert results[1] == [good(A), good(B)]


def test_seconds_granted_while_waiting_prolong_it(thread: LoopThread) -> None:
    """A grant in time spares what is outstanding."""
    stub, results = SlowStub(), Results()
    lookups = Lookups(CachingResolver(stub, AnswerCache()), thread.loop, seconds=0.02)
    lookups.budget(128, WAIT)
    lookups.run([(chain((A,)), results.take)])
    assert not results.came.wait(0.1)
    in_loop(thread, stub.release)
    assert results == [[good(A)]]


@pytest.mark.crashes_expected
def test_a_crash_is_logged_where_nobody_else_takes_it(thread: LoopThread) -> None:
    """The event "plan_crashed", for a plan and for a receiver."""

    def crash(_result: object) -> None:
        raise ZeroDivisionError("deliberate")

    cache = AnswerCache()
    cache.settle(good(A))
    with structlog.testing.capture_logs() as events:
        Lookups(CachingResolver(SlowStub(), cache), thread.loop).run([(chain((A,)), crash)])
    assert [(event["event"], event["error"]) for event in events] == [
        ("plan_crashed", "ZeroDivisionError('deliberate')")
    ]


def test_a_late_answer_after_the_budget_does_no_harm(thread: LoopThread) -> None:
    """The plan has gone on without it; the cache takes it."""
    stub, results = SlowStub(), Results()
    resolver = CachingResolver(stub, AnswerCache())
    lookups = Lookups(resolver, thread.loop, seconds=0.02)
    lookups.run([(chain((A,)), results.take)])
    assert results.came.wait(WAIT)
    in_loop(thread, stub.release)
    assert len(results) == 1
    assert resolver.peek(A) == good(A)


def test_after_cancel_nothing_is_called(thread: LoopThread) -> None:
    """An aborted message's plans end where they are; the answer still warms the cache."""
    stub, results = SlowStub(), Results()
    resolver = CachingResolver(stub, AnswerCache())
    lookups = Lookups(resolver, thread.loop)
    lookups.run([(chain((A,)), results.take)])
    in_loop(thread, lookups.cancel)
    in_loop(thread, stub.release)
    assert results == []
    assert resolver.peek(A) == good(A)


def test_a_crashing_plan_is_reported_and_the_others_go_on(thread: LoopThread) -> None:
    """In the calling thread and in the loop alike; its `done` is not called."""

    def crashing(question: Question) -> Plan[list[Answer]]:
        yield (question,)
        raise ZeroDivisionError("deliberate")

    stub, cache, results = QuickStub(), AnswerCache(), Results()
    cache.settle(good(A))
    errors: list[Exception] = []
    lookups = Lookups(CachingResolver(stub, cache), thread.loop, on_error=errors.append)
    lookups.run([(crashing(A), results.take), (crashing(B), results.take), (chain((B,)), results.take)])
    in_loop(thread, stub.release)
    assert [type(error) for error in errors] == [ZeroDivisionError, ZeroDivisionError]
    assert results == [[good(B)]]


def test_a_plan_in_a_circle_is_stopped(thread: LoopThread) -> None:
    """A plan that asks for ever is a crash, not a hang."""

    def circle() -> Plan[list[Answer]]:
        while True:
            yield (A,)

    cache, errors = AnswerCache(), list[Exception]()
    cache.settle(good(A))
    Lookups(CachingResolver(QuickStub(), cache), thread.loop, on_error=errors.append).run([(circle(), Results().take)])
    assert [str(error) for error in errors] == ["plan runs in a circle"]


def test_a_long_chain_of_immediate_answers_does_not_grow_the_stack(thread: LoopThread) -> None:
    """500 steps whose answers come before `ask` returns."""
    questions = [Question(f"n{number}.test", RRType.A) for number in range(500)]
    stub, results = QuickStub(), Results()
    lookups = Lookups(CachingResolver(stub, AnswerCache()), thread.loop, most=1000)
    lookups.run([(chain(*[(question,) for question in questions]), results.take)])
    in_loop(thread, stub.release)
    assert len(results[0]) == 500


@pytest.mark.parametrize("name", ["a..test", "l" * 64 + ".test", "x" * 300, "a\0.test", "", "."])
@pytest.mark.threat("DNS-07")
def test_an_impossible_name_needs_neither_loop_nor_wire(thread: LoopThread, name: str) -> None:
    """It does not exist, and that is known in the calling thread."""
    stub, results = SlowStub(), Results()
    lookups = Lookups(CachingResolver(stub, AnswerCache()), thread.loop)
    lookups.run([(chain((Question(name, RRType.TXT),)), results.take)])
    assert [(answer.status, answer.cause) for answer in results[0]] == [(AnswerStatus.NXDOMAIN, INVALID_NAME)]
    assert (lookups.wire, stub.asked) == (0, [])


def test_a_resolver_without_callbacks_serves_too(thread: LoopThread) -> None:
    """The fake has no `ask`: its coroutine is awaited."""
    results = Results()
    lookups = Lookups(FakeResolver(a={"a.test": ["192.0.2.1"]}), thread.loop)
    lookups.run([(chain((A,)), results.take)])
    assert results.came.wait(WAIT)
    assert results[0][0].records == ("192.0.2.1",)


def test_a_recording_replays_to_the_same_answers(thread: LoopThread) -> None:
    """What a message used is enough to run its plans again, without network or loop."""
    stub, live, again = QuickStub(), Results(), Results()
    lookups = Lookups(CachingResolver(stub, AnswerCache()), thread.loop, most=2)
    lookups.run([(chain((A, B), (C,)), live.take)])
    in_loop(thread, stub.release)
    replay = ReplayResolver(lookups.answers.values())
    Lookups(replay, thread.loop).run([(chain((A, B), (C,)), again.take)])
    assert again == live


def test_after_the_loop_has_ended_plans_end_too() -> None:
    """Stopping: no hang and no exception, the answers are unknown with the cause "closed"."""
    thread = LoopThread()
    thread.start()
    results = Results()
    lookups = Lookups(CachingResolver(SlowStub(), AnswerCache()), thread.loop)
    thread.stop()
    lookups.run([(chain((A,), (B,)), results.take)])
    assert [answer.cause for answer in results[0]] == ["closed", "closed"]


def test_stopping_the_loop_cancels_its_tasks() -> None:
    """And the thread is gone; a second stop does nothing."""
    thread = LoopThread("stopping")
    thread.start()
    ended = threading.Event()

    async def sleeper() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    asyncio.run_coroutine_threadsafe(sleeper(), thread.loop)
    in_loop(thread, lambda: None)
    thread.stop()
    thread.stop()
    assert ended.is_set()
    assert "stopping" not in [other.name for other in threading.enumerate()]
