"""A message's checks at work: order, crashes, lateness, skipping, and no deadlock whatever the schedule."""

import asyncio
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filterd.dns.fake import FakeResolver
from filterd.dns.lookups import Lookups
from filterd.dns.loop import LoopThread
from filterd.model.report import CheckReport, Outcome, Stage
from filterd.model.session import Envelope
from filterd.pipeline.runner import Runner
from filterd.pipeline.schedule import STAGES, Schedule
from tests.checks.views import FakeView
from tests.pipeline.fakes import FakeCheck, Gate

NOBODY = Envelope()
WAIT = 10.0  # seconds until a test is given up
FOREVER = 3_600.0  # seconds that no wait takes: it ends with the last report


@dataclass
class Run:
    """A runner with what it works on."""

    runner: Runner
    lookups: Lookups

    def outcomes(self) -> dict[str, Outcome]:
        """What has been reported so far."""
        return {name: report.outcome for name, report in self.runner.reports.items()}

    def end(self, seconds: float = FOREVER) -> dict[str, Outcome]:
        """Reach the end and wait; what has its answers does not use up the time."""
        self.runner.reach(Stage.EOM)
        return {name: report.outcome for name, report in self.runner.wait(seconds).items()}


def _run(
    loop: LoopThread, *checks: FakeCheck, resolver: FakeResolver | None = None, skip: frozenset[str] = frozenset()
) -> Run:
    lookups = Lookups(resolver or FakeResolver(), loop.loop)
    reports: dict[str, CheckReport] = {}
    runner = Runner(Schedule.of(checks), FakeView(envelope=NOBODY, reports=reports), lookups, skip)
    runner.reports = reports
    return Run(runner, lookups)


@pytest.mark.parametrize("stage", list(Stage))
def test_a_check_starts_at_its_stage_and_not_before(loop: LoopThread, stage: Stage) -> None:
    """Up to the stage before it there is no report, at its stage there is."""
    run = _run(loop, FakeCheck("one", stage))
    for earlier in STAGES[: STAGES.index(stage)]:
        run.runner.reach(earlier)
        assert run.outcomes() == {}
    run.runner.reach(stage)
    assert run.outcomes() == {"one": Outcome.OK}


def test_a_stage_left_out_counts_as_reached(loop: LoopThread) -> None:
    """Whoever reaches a stage has reached those before it: checks of all of them start."""
    run = _run(loop, *[FakeCheck(stage.value, stage) for stage in Stage])
    run.runner.reach(Stage.HEADERS)
    assert run.outcomes().keys() == {stage.value for stage in STAGES[:-1]}


def test_a_stage_reached_again_starts_nothing_twice(loop: LoopThread) -> None:
    """A second EHLO is no second check."""
    check = FakeCheck("one", Stage.HELO)
    run = _run(loop, check)
    for _ in range(3):
        run.runner.reach(Stage.HELO)
    run.runner.reach(Stage.CONNECT)
    assert len(check.saw) == 1


def test_what_a_check_needs_is_done_when_it_starts(loop: LoopThread) -> None:
    """The reports it needs are there, though both wait for the network in turn."""
    first = FakeCheck("first", Stage.MAIL, rounds=(("a.test",), ("b.test",)))
    second = FakeCheck("second", Stage.CONNECT, needs=("first",), rounds=(("c.test",),))
    third = FakeCheck("third", needs=("second", "first"))
    run = _run(loop, third, second, first)
    assert run.end() == dict.fromkeys(("first", "second", "third"), Outcome.OK)
    assert second.saw == [("", {"first": Outcome.OK})]
    assert third.saw == [("", {"first": Outcome.OK, "second": Outcome.OK})]


def test_a_needed_check_that_crashed_does_not_hold_up_the_other(loop: LoopThread) -> None:
    """DMARC runs, and sees that SPF crashed."""
    spf = FakeCheck("spf", rounds=(("a.test",),), error=ValueError("our bug"))
    dmarc = FakeCheck("dmarc", needs=("spf",))
    assert _run(loop, spf, dmarc).end() == {"spf": Outcome.CRASHED, "dmarc": Outcome.OK}
    assert dmarc.saw == [("", {"spf": Outcome.CRASHED})]


@pytest.mark.parametrize("error", [ValueError("bug"), MemoryError(), RecursionError()], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("rounds", [(), (("a.test",),)], ids=["at once", "after an answer"])
def test_a_crash_is_a_report_and_never_a_pass(
    loop: LoopThread,
    error: Exception,
    rounds: tuple[tuple[str, ...], ...],
    log: list[MutableMapping[str, Any]],
) -> None:
    """Whatever a check raises, wherever it runs: crashed, with the type as its cause; the others are not touched."""
    run = _run(loop, FakeCheck("bad", rounds=rounds, error=error), FakeCheck("good", rounds=(("b.test",),)))
    assert run.end() == {"bad": Outcome.CRASHED, "good": Outcome.OK}
    assert run.runner.reports["bad"].cause == type(error).__name__
    assert [(event["event"], event["check"], event["exc_info"]) for event in log] == [("check_crashed", "bad", True)]


def test_what_is_late_is_unknown_and_stays_so(loop: LoopThread, gate: Gate) -> None:
    """A check without an answer in time is unknown, its dependents with it; a late answer changes nothing."""
    late = FakeCheck("late", rounds=(("slow.test",),))
    run = _run(loop, late, FakeCheck("needs it", needs=("late",)), FakeCheck("quick"), resolver=gate)
    expected = {"late": Outcome.UNKNOWN, "needs it": Outcome.UNKNOWN, "quick": Outcome.OK}
    assert run.end(0.0) == expected
    assert run.runner.reports["late"].cause == "no answer in time"
    gate.open()
    _settle(loop)
    assert run.outcomes() == expected


def test_a_failed_lookup_is_the_checks_own_business(loop: LoopThread) -> None:
    """A resolver that fails ends no check: the plan is sent an answer that says so."""
    run = _run(loop, FakeCheck("one", rounds=(("a.test",),)), resolver=FakeResolver(fail=["a a.test"]))
    assert run.end() == {"one": Outcome.OK}


@pytest.mark.parametrize("guesses", [(), ("a.test",)], ids=["in foresee", "in its plan"])
def test_a_guess_that_crashes_is_harmless(
    loop: LoopThread, guesses: tuple[str, ...], log: list[MutableMapping[str, Any]]
) -> None:
    """Without a guess the check only starts later; its report is its own."""
    run = _run(loop, FakeCheck("one", guesses=guesses, guess_error=ValueError("bug")), FakeCheck("two"))
    run.runner.reach(Stage.CONNECT)
    _settle(loop)
    assert run.end() == {"one": Outcome.OK, "two": Outcome.OK}
    assert [(event["event"], event["check"]) for event in log] == [("check_crashed", "one")]


def test_a_guess_asks_ahead_and_the_check_asks_nothing_new(loop: LoopThread) -> None:
    """What was guessed right at CONNECT costs no question at the end."""
    resolver = FakeResolver(a={"a.test": ["192.0.2.1"]})
    run = _run(loop, FakeCheck("one", guesses=("a.test", "b.test"), rounds=(("a.test",),)), resolver=resolver)
    run.runner.reach(Stage.CONNECT)
    _settle(loop)
    assert [question.name for question in resolver.asked] == ["a.test", "b.test"]
    run.end()
    assert [question.name for question in resolver.asked] == ["a.test", "b.test"]


def test_a_check_that_has_started_does_not_guess(loop: LoopThread) -> None:
    """It asks what it needs itself; a guess beside it would only cost budget."""
    resolver = FakeResolver()
    run = _run(loop, FakeCheck("one", Stage.CONNECT, guesses=("a.test",), rounds=(("b.test",),)), resolver=resolver)
    run.end()
    _settle(loop)
    assert [question.name for question in resolver.asked] == ["b.test"]


def test_skipped_checks_report_that_they_were_skipped(loop: LoopThread) -> None:
    """They ask nothing, guess nothing, and dependents run without them."""
    resolver = FakeResolver()
    spf = FakeCheck("spf", Stage.MAIL, rounds=(("a.test",),), guesses=("b.test",))
    run = _run(loop, spf, FakeCheck("dmarc", needs=("spf",)), resolver=resolver, skip=frozenset({"spf"}))
    run.runner.reach(Stage.CONNECT)
    assert run.end() == {"spf": Outcome.SKIPPED, "dmarc": Outcome.OK}
    _settle(loop)
    assert (resolver.asked, spf.saw) == ([], [])


def test_skipping_later_takes_a_report_back(loop: LoopThread) -> None:
    """A client that authenticates is not judged by what its address said before."""
    run = _run(loop, FakeCheck("dnsbl", Stage.CONNECT), FakeCheck("spf", Stage.MAIL))
    run.runner.reach(Stage.CONNECT)
    run.runner.skip(frozenset({"dnsbl", "spf"}))
    assert run.end() == {"dnsbl": Outcome.SKIPPED, "spf": Outcome.SKIPPED}


def test_skipping_a_check_in_flight_drops_what_it_brings(loop: LoopThread, gate: Gate) -> None:
    """The block list's answer may come after the client has authenticated: it does not count either."""
    run = _run(loop, FakeCheck("dnsbl", Stage.CONNECT, rounds=(("slow.test",),)), resolver=gate)
    run.runner.reach(Stage.CONNECT)
    assert gate.asked_once.wait(WAIT)
    run.runner.skip(frozenset({"dnsbl"}))
    gate.open()
    assert run.end() == {"dnsbl": Outcome.SKIPPED}


def test_closing_stops_what_is_outstanding(loop: LoopThread, gate: Gate) -> None:
    """After the client went away no check goes on and nothing is reported; closing twice is allowed."""
    check = FakeCheck("one", Stage.CONNECT, rounds=(("slow.test",), ("b.test",)))
    run = _run(loop, check, FakeCheck("two", needs=("one",)), resolver=gate)
    run.runner.reach(Stage.CONNECT)
    assert gate.asked_once.wait(WAIT)
    run.runner.close()
    run.runner.close()
    gate.open()
    _settle(loop)
    assert run.outcomes() == {}
    assert [question.name for question in gate.asked] == ["slow.test"]


def test_a_runner_without_checks_has_nothing_to_wait_for(loop: LoopThread) -> None:
    """An empty schedule ends at once, not at the deadline."""
    assert _run(loop).end() == {}


def test_reports_have_their_wall_time(loop: LoopThread) -> None:
    """`ms` is what `scan` and the evidence show of a check."""
    run = _run(loop, FakeCheck("one", rounds=(("a.test",),)))
    run.end()
    assert 0 < run.runner.reports["one"].ms < WAIT * 1_000


NAMES = st.sampled_from([f"{letter}.test" for letter in "abcdef"])
ROUNDS = st.lists(st.lists(NAMES, max_size=3, unique=True).map(tuple), max_size=3).map(tuple)


@st.composite
def schedules(draw: st.DrawFn) -> list[FakeCheck]:
    """Up to eight checks that ask, guess, crash, and need any of those before them."""
    checks: list[FakeCheck] = []
    for number in range(draw(st.integers(1, 8))):
        names = [check.name for check in checks]
        needs = draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) if names else []
        checks.append(
            FakeCheck(
                f"check{number}",
                draw(st.sampled_from(STAGES)),
                needs=tuple(needs),
                rounds=draw(ROUNDS),
                guesses=tuple(draw(st.lists(NAMES, max_size=2))),
                error=draw(st.none() | st.just(ValueError("bug"))),
                guess_error=draw(st.none() | st.just(ValueError("bug"))),
            )
        )
    return draw(st.permutations(checks))


@given(
    checks=schedules(),
    stages=st.lists(st.sampled_from(STAGES), max_size=8),
    skipped=st.sets(st.sampled_from([f"check{number}" for number in range(8)]), max_size=3),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_schedule_ends_and_every_check_reports_once(
    loop: LoopThread, checks: list[FakeCheck], stages: list[Stage], skipped: set[str]
) -> None:
    """However checks depend, ask, crash and are skipped: no deadlock, needs come first, each runs once at most."""
    run = _run(loop, *checks, resolver=FakeResolver(a={"a.test": ["192.0.2.1"]}, fail=["a b.test"]))
    for index, stage in enumerate(stages):
        run.runner.reach(stage)
        if index == len(stages) // 2:
            run.runner.skip(frozenset(skipped))
    outcomes = run.end()
    _settle(loop)  # guesses that go on would write their crashes into another test's log
    for check in checks:
        late_skip = bool(stages) and check.name in skipped
        expected = Outcome.SKIPPED if late_skip else Outcome.CRASHED if check.error else Outcome.OK
        assert outcomes[check.name] is expected
        assert len(check.saw) == 1 or (late_skip and not check.saw)
        for _, seen in check.saw:
            assert set(check.needs) <= seen.keys()


def _settle(loop: LoopThread) -> None:
    """Come back when the loop has done what it had to do so far."""

    async def twice() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    loop.call(twice(), WAIT)
