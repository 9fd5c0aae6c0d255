"""The supervisor's loop: wait for a signal or a second, then look after what changed."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count, islice
from typing import Final, Protocol

import structlog

from filterd.milter.listener import close_listener
from filterd.supervisor.front import CUT, Front
from filterd.supervisor.generation import Generation, Plan
from filterd.supervisor.handover import LeftGeneration
from filterd.supervisor.notify import sd_notify, watched
from filterd.telemetry.events import Event

READY_SECONDS: Final = 60.0  # a cold rule compile belongs to the nursery's start, which a front waits for
STOP_SECONDS: Final = 30.0  # a stop drains at most that long before it kills
FLUSH_SECONDS: Final = 2.0  # what a front that was cut off gets to write its last rows
_TICK: Final = 1.0  # seconds; how soon a dead nursery is noticed
_QUICK_DEATHS: Final = 5  # fronts that died within _WINDOW before replacing slows down
_WINDOW: Final = 10.0  # seconds
RESTART: Final = signal.SIGUSR2
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, RESTART, signal.SIGCHLD)
_log = structlog.get_logger()


Successor = Callable[[Sequence[LeftGeneration], Callable[[], None]], str]


class Observer(Protocol):
    """Who is told what happens to the processes."""

    def changed(self, state: dict[str, object]) -> None:
        """The daemon's state is now this (JSON values)."""

    def front_ended(self, slot: int, *, lost: bool) -> None:
        """A front's process is gone; `lost`: by itself."""

    def reloading(self) -> None:
        """A reload begins: it reads what stands in the files from now on."""

    def reloaded(self, *, good: bool, cause: str = "") -> None:
        """A reload was tried; `cause` says why it was not to be."""

    def serving(self, *, yes: bool) -> None:
        """Mail is taken from now on, or no more."""

    def beat(self) -> None:
        """The supervisor does its rounds: told every second, whatever it is at."""

    def tick(self) -> None:
        """About a second has passed, and nothing else is under way."""


class Supervisor:
    """Runs generations. `load` gives the plan of what the files say now, or raises ValueError saying why not."""

    def __init__(  # what it cannot do itself
        self,
        load: Callable[[], Plan],
        observer: Observer,
        drain: float = STOP_SECONDS,
        refuse: Callable[[], None] = close_listener,
        succeed: Successor | None = None,
        inherited: Sequence[Generation] = (),
    ) -> None:
        """Start nothing yet. A stop waits `drain` seconds for open sessions; `refuse` closes what is listened on.

        `succeed` begins the program anew in this process, and returns, with the reason, only where that was not to
        be. `inherited` are the generations of the program before, told to end once the first of this one serves.
        """
        self._load = load
        self._observer = observer
        self._refuse = refuse
        self._drain = drain
        self._succeed = succeed
        self._generations = list(inherited)
        self._numbers = max([generation.number for generation in inherited], default=0)
        self._deaths: deque[float] = deque(maxlen=_QUICK_DEATHS)
        self._missing: list[tuple[float, Generation, int]] = []
        self._ended = False  # a front has, since the state was told last
        self._watched = watched()

    def run(self, first: Plan) -> int:
        """Serve until told to stop; the exit status."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        generation = self._start(first)
        if not generation.wait_ready(READY_SECONDS, self._beat):
            _log.error(Event.FRONT_FAILED, cause="a front did not start")
            self._stop(0.0)
            return 1
        for left in self._generations[:-1]:
            left.retire()
        _log.info(Event.STARTED, **first.summary)
        self._changed()
        self._observer.serving(yes=True)
        sd_notify("READY=1")
        while True:
            got = signal.sigtimedwait(_SIGNALS, _TICK)
            self._reap()
            if got is not None and got.si_signo == signal.SIGUSR1:
                self._reload()
            elif got is not None and got.si_signo == RESTART:
                self._restart()
            elif got is not None and got.si_signo != signal.SIGCHLD:
                sd_notify("STOPPING=1")
                _log.info(Event.STOPPING, signal=signal.Signals(got.si_signo).name)
                return self._stop(self._drain)
            self._mend()
            self._beat()
            self._observer.tick()

    @property
    def _current(self) -> Generation:
        return self._generations[-1]

    def _start(self, plan: Plan) -> Generation:
        self._numbers += 1
        used = {front.slot for generation in self._generations for front in generation.fronts.values()}
        used |= {slot for _, generation, slot in self._missing if not generation.retired}
        free = (slot for slot in count() if slot not in used)
        generation = Generation.start(self._numbers, plan, tuple(islice(free, plan.workers)))
        self._generations.append(generation)
        return generation

    def _beat(self) -> None:
        """A sign of life, for probes and for the service manager's watchdog."""
        self._observer.beat()
        if self._watched:
            sd_notify("WATCHDOG=1")

    def _reload(self) -> None:
        sd_notify("RELOADING=1")
        self._observer.reloading()
        cause = self._replace()
        if cause:
            _log.error(Event.RELOAD_FAILED, cause=cause)
        self._observer.reloaded(good=not cause, cause=cause)
        sd_notify("READY=1")

    def _restart(self) -> None:
        """Have the program begin anew in this process; only where that is not to be there is anything left to say."""
        sd_notify("RELOADING=1")
        self._observer.reloading()
        left = [generation.left() for generation in self._generations]
        cause = "it is not known how to start it" if self._succeed is None else self._succeed(left, self._beat)
        _log.error(Event.RESTART_FAILED, cause=cause)
        self._observer.reloaded(good=False, cause=cause)
        sd_notify("READY=1")

    def _replace(self) -> str:
        """Have new fronts take the place of the old ones; why that was not to be, empty where it was."""
        try:
            plan = self._load()
        except ValueError as error:
            return str(error)
        old = self._current
        new = self._start(plan)
        good = new.wait_ready(READY_SECONDS, self._beat)
        if good:
            old.retire()
            _log.info(Event.RELOADED, **plan.summary)
        else:
            self._generations.remove(new)
            new.retire()
            self._generations.insert(0, new)
        self._changed()
        return "" if good else "a front with the new configuration did not start: the log before this says why"

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for generation in self._generations:
                front = generation.gone(pid)
                if front is None:
                    continue
                self._ended = True
                self._observer.front_ended(front.slot, lost=not generation.retired)
                if not generation.retired:
                    self._lost(generation, front, status)

    def _lost(self, generation: Generation, front: Front, status: int) -> None:
        now = time.monotonic()
        _log.error(Event.FRONT_DIED, pid=front.pid, status=os.waitstatus_to_exitcode(status))
        quick = len(self._deaths) == _QUICK_DEATHS and now - self._deaths[0] < _WINDOW
        self._deaths.append(now)
        self._missing.append((now + (_TICK if quick else 0.0), generation, front.slot))

    def _mend(self) -> None:
        now = time.monotonic()
        due = [entry for entry in self._missing if entry[0] <= now]
        self._missing = [entry for entry in self._missing if entry[0] > now]
        for _, generation, slot in due:
            if not generation.retired:
                generation.add(slot)
        for generation in self._generations[:]:
            if generation.retired and not generation.fronts:
                generation.nursery.stop()
                self._generations.remove(generation)
            elif not generation.nursery.alive():
                _log.error(Event.NURSERY_DIED)
                generation.nursery.restart()
        if due or self._ended:
            self._changed()

    def _stop(self, seconds: float) -> int:
        self._observer.serving(yes=False)
        self._refuse()
        for generation in self._generations:
            if not generation.retired:
                generation.retire()
        self._await_fronts(seconds)
        left = [pid for generation in self._generations for pid in generation.fronts]
        for number in (CUT, signal.SIGKILL):
            for generation in self._generations:
                for pid in generation.fronts:
                    os.kill(pid, number)
            self._await_fronts(FLUSH_SECONDS)
        for generation in self._generations:
            generation.nursery.stop()
        _log.info(Event.STOPPED, cut_off=len(left))
        return 0

    def _await_fronts(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while any(generation.fronts for generation in self._generations) and time.monotonic() < deadline:
            self._beat()
            signal.sigtimedwait([signal.SIGCHLD], min(_TICK, max(0.0, deadline - time.monotonic())))
            self._reap()

    def _changed(self) -> None:
        self._ended = False
        fronts = [front for generation in self._generations for front in generation.fronts.values()]
        current = self._current
        state = {
            "pid": os.getpid(),
            "fronts": [front.pid for front in fronts],
            "front_processes": [
                {
                    "pid": front.pid,
                    "slot": front.slot,
                    "generation": front.generation,
                    "started": front.started,
                    "draining": front.generation != current.number,
                }
                for front in fronts
            ],
            "generation": current.number,
        }
        self._observer.changed(current.plan.summary | current.facts | state)
