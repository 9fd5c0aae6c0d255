"""The lookups of one message: its plans, what they used, and how much they may ask."""

import asyncio
import time
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import structlog

from filterd.dns.stub import Done
from filterd.model.dns import Answer, AnswerStatus, Plan, Question, Resolver

T = TypeVar("T")
Job: TypeAlias = tuple[Plan[T], Callable[[T], None]]

MAX_QUESTIONS: Final = 128  # on the wire, per message; the largest honest SPF record with DNSBL and URIBL stays below
EARLY_QUESTIONS: Final = 64  # of them before end of message: guesses must leave room for what is then known
MAX_SECONDS: Final = 5.0  # that a message spends waiting for DNS, pauses between its stages not counted
MAX_STEPS: Final = 1_000  # of one plan; no protocol allows one that long, so it runs in a circle

BUDGET: Final = "budget"
CLOSED: Final = "closed"

_log = structlog.get_logger("filterd.dns")


def log_crash(error: Exception) -> None:
    """The default for a plan or its `done` that raised: a log event with the traceback. `done` is not called."""
    _log.error("plan_crashed", error=repr(error), exc_info=error)


class _Run:
    """A plan on its way: the questions it waits for, and how many of them are still open."""

    __slots__ = ("done", "missing", "plan", "questions", "steps")

    def __init__(self, plan: Plan[Any], done: Callable[[Any], None]) -> None:
        self.plan = plan
        self.done = done
        self.questions: tuple[Question, ...] = ()
        self.missing = 0
        self.steps = 0


class Lookups:
    """Runs one message's plans, in the calling thread as far as answers are at hand, and in the loop from there on.

    `answers` is the recording: every answer this message used, by question; a question is answered the same way
    throughout. `wire` counts the questions that missed the cache. A question beyond the budget of questions or seconds
    is answered TEMPFAIL with the cause "budget"; of the recording only such an answer may be replaced later, when the
    budget has been raised.
    """

    def __init__(  # keywords: the outside world and the limits
        self,
        resolver: Resolver,
        loop: AbstractEventLoop,
        *,
        most: int = MAX_QUESTIONS,
        seconds: float = MAX_SECONDS,
        clock: Callable[[], float] = time.time,
        on_error: Callable[[Exception], None] = log_crash,
    ) -> None:
        """`clock` is epoch seconds. `on_error` gets what a plan or a `done` raised, in whichever thread it ran."""
        self.answers: dict[Question, Answer] = {}
        self.wire = 0
        self._peek = resolver.peek
        self._resolve = resolver.resolve
        # CachingResolver.ask spares a task per question; other resolvers need not have it.
        self._ask_back: Callable[[Question, Done], None] | None = getattr(resolver, "ask", None)
        self._loop = loop
        self._most = most
        self._seconds = seconds
        self._extra = 0.0  # seconds granted later
        self._clock = clock
        self._on_error = on_error
        self._cancelled = False
        # What follows belongs to the loop's thread.
        self._waiting: dict[Question, list[_Run]] = {}
        self._ready: deque[_Run] = deque()
        self._tasks: set[asyncio.Future[Answer]] = set()
        self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0.0

    def run(self, jobs: Sequence[Job[Any]]) -> None:
        """Run each plan and give its result to its `done`: here where the cache carries it that far, else in the loop.

        Wakes the loop once at most. Never waits, never raises; any thread, several at a time.
        """
        missed = [run for run in [_Run(plan, done) for plan, done in jobs] if not self._carry(run, None)]
        if not missed:
            return
        try:
            running: AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            self._enter(missed)
            return
        try:
            self._loop.call_soon_threadsafe(self._enter, missed)
        except RuntimeError:  # the loop is closed: we are stopping
            for run in missed:
                self._finish_without_loop(run)

    def budget(self, most: int, seconds: float = 0.0) -> None:
        """From now on allow `most` questions in all, and `seconds` of waiting after those of before. Any thread.

        What waited in vain while the client was talking need not cost end of message its own time.
        """
        self._most = most
        self._extra = seconds

    def still(self, answers: Iterable[tuple[Question, Answer]]) -> bool:
        """Whether the cache gives the very same answers now. Asks and records nothing; any thread."""
        peek = self._peek
        return all(peek(question) is answer for question, answer in answers)

    def cancel(self) -> None:
        """Drop what is outstanding: no plan goes on and no `done` is called that has not begun. Any thread."""
        self._cancelled = True

    def _carry(self, run: _Run, answers: tuple[Answer, ...] | None) -> bool:
        """Run a plan as far as known answers carry it: True where nothing is left to do."""
        if self._cancelled:
            return True
        try:
            # A generator that has not started takes None, which its type does not say.
            questions = next(run.plan) if answers is None else run.plan.send(answers)
            while True:
                run.steps += 1
                if run.steps > MAX_STEPS:
                    raise RuntimeError("plan runs in a circle")  # noqa: TRY301  # the plan's error like any other
                known = self._gather(questions)
                if known is None:
                    run.questions = questions
                    return False
                questions = run.plan.send(known)
        except StopIteration as stop:
            self._conclude(run, stop.value)
        except Exception as error:  # noqa: BLE001  # the border around a plan: its crash is reported, the others go on
            self._on_error(error)
        return True

    def _conclude(self, run: _Run, result: object) -> None:
        """Hand over a plan's result."""
        if self._cancelled:
            return
        try:
            run.done(result)
        except Exception as error:  # noqa: BLE001  # the border around a receiver: the other plans go on
            self._on_error(error)

    def _gather(self, questions: tuple[Question, ...]) -> tuple[Answer, ...] | None:
        """The answers to all of them, or None where one is missing."""
        found = []
        used, peek = self.answers, self._peek
        for question in questions:
            answer = used.get(question)
            if answer is None:
                answer = peek(question)
                if answer is None:
                    return None
                answer = used.setdefault(question, answer)
            if answer.cause == BUDGET:
                answer = self._known(question)
                if answer is None:
                    return None
            found.append(answer)
        return tuple(found)

    def _known(self, question: Question) -> Answer | None:
        """The answer this message has used already, or else the cached one, which it uses from now on."""
        answer = self.answers.get(question)
        if answer is not None and (answer.cause != BUDGET or self._exhausted()):
            return answer
        answer = self._peek(question)
        if answer is None:
            return None
        return self._record(answer)

    def _record(self, answer: Answer) -> Answer:
        """Enter an answer into the recording; where another thread was faster, its answer is the one that counts."""
        used = self.answers.setdefault(answer.question, answer)
        if used.cause == BUDGET:
            self.answers[answer.question] = used = answer
        return used

    def _exhausted(self) -> bool:
        """True where nothing may be asked any more."""
        return self.wire >= self._most or (self._seconds <= 0 and self._extra <= 0)

    def _finish_without_loop(self, run: _Run) -> None:
        """Bring a plan to its end where nobody can be asked any more."""
        while True:
            for question in run.questions:
                if self._known(question) is None:
                    self._record(self._unknown(question, CLOSED))
            if self._carry(run, tuple([self.answers[question] for question in run.questions])):
                return

    # In the loop's thread.

    def _enter(self, runs: Sequence[_Run]) -> None:
        """Take over plans that missed."""
        for run in runs:
            self._wait(run)
        self._drain()

    def _wait(self, run: _Run) -> None:
        """Ask for what a plan still misses; it is ready when the last answer is there."""
        new = []
        run.missing = 1  # not ready before all are registered, even where answers come at once
        for question in run.questions:
            if self._known(question) is not None:
                continue
            run.missing += 1
            others = self._waiting.get(question)
            if others is None:
                self._waiting[question] = [run]
                new.append(question)
            else:
                others.append(run)
        for question in new:
            self._ask(question)
        run.missing -= 1
        if run.missing == 0:
            self._ready.append(run)

    def _ask(self, question: Question) -> None:
        """Put one question on the wire, if the budget allows it."""
        if self._exhausted():
            self._answered(self._unknown(question, BUDGET))
            return
        self.wire += 1
        if self._ask_back is not None:
            self._ask_back(question, self._answered)
            return
        task = asyncio.ensure_future(self._resolve(question), loop=self._loop)
        self._tasks.add(task)
        task.add_done_callback(self._resolved)

    def _resolved(self, task: asyncio.Future[Answer]) -> None:
        """Its answer."""
        self._tasks.discard(task)
        if not task.cancelled():
            self._answered(task.result())

    def _answered(self, answer: Answer) -> None:
        """Enter an answer, and go on with every plan that has all it waits for."""
        runs = self._waiting.pop(answer.question, None)
        if runs is None or self._cancelled:
            self._stop_timer()
            return
        self._record(answer)
        for run in runs:
            run.missing -= 1
            if run.missing == 0:
                self._ready.append(run)
        if self._ready:
            self._drain()

    def _drain(self) -> None:
        """Carry on with plans that are ready. Answers given at once only queue up: depth does not grow with a plan."""
        if self._draining:
            return
        self._draining = True
        while self._ready:
            run = self._ready.popleft()
            if not self._carry(run, tuple([self.answers[question] for question in run.questions])):
                self._wait(run)
        self._draining = False
        if self._waiting and not self._cancelled:
            if self._timer is None:
                self._start_timer()
        else:
            self._stop_timer()

    def _start_timer(self) -> None:
        """Something is outstanding: the message's DNS time runs."""
        if self._seconds <= 0:
            self._seconds, self._extra = self._extra, 0.0
        self._since = self._loop.time()
        self._timer = self._loop.call_later(max(self._seconds, 0.0), self._overrun)

    def _stop_timer(self) -> None:
        """Nothing is outstanding: the message's DNS time stands still."""
        if self._timer is not None and (self._cancelled or not self._waiting):
            self._timer.cancel()
            self._timer = None
            self._seconds -= self._loop.time() - self._since

    def _overrun(self) -> None:
        """The message's DNS time is used up: whatever is outstanding is unknown."""
        self._timer = None
        self._seconds = 0.0
        if self._cancelled:
            return
        if self._extra > 0:
            self._start_timer()
            return
        self._draining = True
        for question in tuple(self._waiting):
            self._answered(self._unknown(question, BUDGET))
        self._draining = False
        self._drain()

    def _unknown(self, question: Question, cause: str) -> Answer:
        """An answer that says why there is none."""
        return Answer(question, AnswerStatus.TEMPFAIL, received=self._clock(), cause=cause)
