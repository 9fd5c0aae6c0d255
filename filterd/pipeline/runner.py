"""One message's checks at work: started as their inputs arrive, awaited once.

A check runs in the callback thread while the cache answers it and goes on in the loop's thread at its first miss; what
depends on it starts where it ended. So a message costs one wake-up of the loop for each stage that missed, and one of
the callback thread at the end.
"""

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from filterd.checks.contract import Check, View
from filterd.dns.lookups import Lookups
from filterd.model.dns import Plan
from filterd.model.report import CheckReport, Outcome, Stage
from filterd.pipeline.schedule import STAGES, Schedule
from filterd.telemetry.events import Event

LATE = "no answer in time"  # the cause of a check that was not done when the message had to be answered
_RANK = {stage: rank for rank, stage in enumerate(STAGES)}
_log = structlog.get_logger()


class Runner:
    """Runs a schedule's checks over one view. Reports are in `reports` as they come; `wait` completes them."""

    def __init__(self, schedule: Schedule, view: View, lookups: Lookups, skip: frozenset[str] = frozenset()) -> None:
        """Start nothing yet; `skip` names checks that are not for this message."""
        self.reports: dict[str, CheckReport] = {}
        self._schedule = schedule
        self._view = view
        self._lookups = lookups
        self._skip = skip
        self._reached = -1
        self._started: set[str] = set()
        self._lock = threading.Lock()
        self._all_done = threading.Event()
        self._awaited: tuple[frozenset[str], Callable[[], None]] | None = None
        self._closed = False

    def skip(self, names: frozenset[str]) -> None:
        """Leave these out from now on; what one has reported, or still reports, does not count."""
        with self._lock:
            self._skip |= names
            for name in names & self.reports.keys():
                self.reports[name] = _skipped(name)

    def reach(self, stage: Stage) -> None:
        """Say that everything of this stage (and those before it) is now in the view, and start what can start."""
        schedule = self._schedule
        if self._reached == _RANK[stage] - 1 and not schedule.by_stage[stage] and not schedule.guessing[stage]:
            self._reached += 1  # nothing begins here: HELO and RCPT, mostly
            return
        with self._lock:
            first, self._reached = self._reached + 1, max(self._reached, _RANK[stage])
            passed = STAGES[first : self._reached + 1]
            ready = [check for one in passed for check in self._schedule.by_stage[one] if self._may_start(check)]
            for check in ready:
                self._started.add(check.name)
        jobs: list[tuple[Plan[object], Callable[[object], None]]] = [self._job(check) for check in ready]
        for one in passed:
            for check in self._schedule.guessing[one]:
                if check.name not in self._started and check.name not in self._skip:
                    jobs += [(plan, _ignore) for plan in [self._foresight(check, one)] if plan is not None]
        if jobs:
            self._lookups.run(jobs)

    def tell_when(self, names: frozenset[str], done: Callable[[], None]) -> None:
        """Have `done` called once all of these have reported: now, or in the thread that brings the last report.

        The last who asks is told. It must not raise.
        """
        with self._lock:
            self._awaited = None if names <= self.reports.keys() else (names, done)
            now = self._awaited is None
        if now:
            done()

    def wait(self, seconds: float) -> Mapping[str, CheckReport]:
        """All reports, in the order of the schedule: what is not done within `seconds` is unknown, and stays so.

        The order in which answers came must not decide which of two reasons is told.
        """
        if len(self.reports) < len(self._schedule.checks):
            self._all_done.wait(max(0.0, seconds))
        with self._lock:
            self._closed = True
            for check in self._schedule.checks:
                if check.name not in self.reports:
                    self.reports[check.name] = CheckReport(check.name, Outcome.UNKNOWN, cause=LATE)
            return {check.name: self.reports[check.name] for check in self._schedule.checks}

    def close(self) -> None:
        """Drop what is outstanding: the client went away or the verdict stands."""
        with self._lock:
            self._closed = True
        self._lookups.cancel()

    def _may_start(self, check: Check) -> bool:
        if check.name in self._started or _RANK[check.stage] > self._reached:
            return False
        for name in check.needs:  # noqa: SIM110  # `all` costs a generator, thirty times for each message
            if name not in self.reports:
                return False
        return True

    def _job(self, check: Check) -> tuple[Plan[object], Callable[[object], None]]:
        return self._guarded(check), self._report

    def _guarded(self, check: Check) -> Plan[CheckReport]:
        started = time.perf_counter()
        if check.name in self._skip:
            return _skipped(check.name)
        try:
            report = yield from check.run(self._view)
        except Exception as error:  # noqa: BLE001  # the named border of a check: its crash is a report, never a pass
            _log.exception(Event.CHECK_CRASHED, check=check.name, id=self._view.id)
            return CheckReport(check.name, Outcome.CRASHED, cause=type(error).__name__)
        ms = round((time.perf_counter() - started) * 1000, 3)
        # As `replace` would make it, in a fifth of the time: every check of every message comes through here.
        return CheckReport(
            check.name, report.outcome, report.findings, report.auth_results, report.cause, ms, report.read
        )

    def _foresight(self, check: Check, stage: Stage) -> Plan[None] | None:
        try:
            plan = check.foresee(self._view, stage)
        except Exception:  # noqa: BLE001  # the named border of a guess: without it the check only starts later
            _log.exception(Event.CHECK_CRASHED, check=check.name, id=self._view.id)
            return None
        return None if plan is None else self._quietly(check, plan)

    def _quietly(self, check: Check, plan: Plan[None]) -> Plan[None]:
        try:
            yield from plan
        except Exception:  # noqa: BLE001  # the named border of a guess
            _log.exception(Event.CHECK_CRASHED, check=check.name, id=self._view.id)

    def _report(self, result: object) -> None:
        assert isinstance(result, CheckReport)  # noqa: S101  # what _guarded returns
        with self._lock:
            if self._closed:
                return
            if result.check in self._skip:  # skipped while its answers were under way
                result = _skipped(result.check)
            self.reports[result.check] = result
            ready = [check for check in self._schedule.dependents[result.check] if self._may_start(check)]
            for check in ready:
                self._started.add(check.name)
            finished = len(self.reports) == len(self._schedule.checks)
            told = self._awaited
            if told is not None and told[0] <= self.reports.keys():
                self._awaited = None
            else:
                told = None
        if ready:
            self._lookups.run([self._job(check) for check in ready])
        if finished:
            self._all_done.set()
        if told is not None:
            told[1]()


def _skipped(name: str) -> CheckReport:
    return CheckReport(name, Outcome.SKIPPED, cause="not for this client")


def _ignore(_result: object) -> None:
    """Take a guess's end: it only warmed the cache."""
