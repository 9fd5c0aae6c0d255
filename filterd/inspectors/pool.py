"""A front's inspectors: the callback thread takes one, asks it, and puts it back."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from signal import SIGALRM, SIGPROF, SIGXCPU, Signals
from typing import Final, NoReturn

from filterd.inspectors.failures import InspectorBusy, InspectorCrashed, InspectorDied, InspectorTimeout
from filterd.inspectors.link import SPAWN_SECONDS, Inspector, LinkError, NurseryLink
from filterd.ipc.body import read_only
from filterd.ipc.frames import Frame, FrameClosedError, FrameError, FrameTimeoutError, recv_frame, send_frame
from filterd.ipc.messages import (
    RETIRING,
    Kind,
    MessageError,
    SandboxLevel,
    decode_facts,
    decode_failure,
    encode_job,
)
from filterd.model.inspection import Inspection, InspectionJob

ADMISSION_SECONDS: Final = 10.0  # a message waits no longer for an inspector: its client is told to try again
MAX_WAITING: Final = 50  # callers in the queue; more would only wait to be refused
BURY_SECONDS: Final = 0.5  # to learn how an inspector ended; the keeper tries again later
BACKOFF_FIRST: Final = 0.05  # seconds between attempts to get an inspector, doubled up to the last
BACKOFF_LAST: Final = 5.0
_TIMERS: Final = frozenset({-SIGALRM, -SIGPROF, -SIGXCPU})


class InspectorPool:
    """Up to `size` inspectors, replaced by a keeper thread as they end. Make it after the fork, in the front itself."""

    def __init__(
        self,
        path: Path,
        size: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        admission: float = ADMISSION_SECONDS,
        waiting: int = MAX_WAITING,
        tell: Callable[[int], None] = lambda _serving: None,
    ) -> None:
        """Begin to collect `size` inspectors from the nursery at `path`; returns at once.

        `tell` hears how many there are, whenever that changes; it is called under a lock and must be quick.
        """
        self._link = NurseryLink(path, clock=clock)
        self._size = size
        self._clock = clock
        self._admission = admission
        self._most_waiting = waiting
        self._tell = tell
        self._lock = threading.Lock()
        # Apart, for one who is woken for the other's sake would sleep on: callers wait for an idle inspector, the
        # keeper (and who waits for a complete pool) for a change in their number.
        self._freed = threading.Condition(self._lock)
        self._changed = threading.Condition(self._lock)
        self._idle: list[Inspector] = []  # last in, first out: its pages and caches are warm
        self._serving = 0  # idle and busy ones that have not asked to be replaced
        self._waiting = 0
        self._unburied: list[Inspector] = []
        self._closing = False
        self._level: SandboxLevel | None = None
        self._rule_set = ""
        self._problems: tuple[str, ...] = ()
        self._trouble = ""
        self._counters = dict.fromkeys(
            ("jobs", "died", "died_idle", "timeout", "crashed", "busy", "spawned", "spawn_failed", "recycled"), 0
        )
        self._keeper = threading.Thread(target=self._keep, name="inspector-keeper", daemon=True)
        self._keeper.start()

    @property
    def level(self) -> SandboxLevel | None:
        """The walls around the last inspector that started, None before the first."""
        return self._level

    @property
    def rule_set(self) -> str:
        """The id of the rules that the last inspector started with."""
        return self._rule_set

    @property
    def problems(self) -> tuple[str, ...]:
        """The rule files that are left out, in words."""
        return self._problems

    @property
    def trouble(self) -> str:
        """Why no inspector could be had at the last attempt, empty where it succeeded."""
        return self._trouble

    def stats(self) -> dict[str, int]:
        """Counters since the start, and the gauges `idle`, `serving` and `waiting`."""
        with self._lock:
            gauges = {"idle": len(self._idle), "serving": self._serving, "waiting": self._waiting}
            return self._counters | gauges

    def wait_ready(self, seconds: float) -> bool:
        """Wait until the pool is complete; False where it is not after that time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._serving >= self._size, seconds)

    def inspect(self, job: InspectionJob, body_fd: int, deadline: float) -> Inspection:
        """The facts about one message, whose body is all of `body_fd`; blocks, at most until `deadline` (of the clock).

        The inspector gets a descriptor of its own that it cannot write through. InspectorFailure.
        """
        message = encode_job(job)
        with read_only(body_fd) as fd:
            while True:
                inspector = self._take(deadline)
                try:
                    send_frame(inspector.sock, Kind.JOB, message, fds=(fd,), deadline=deadline, clock=self._clock)
                    frame = recv_frame(inspector.sock, deadline=deadline, clock=self._clock)
                    facts = self._read(frame)
                except InspectorCrashed:
                    self._retire(inspector)
                    self._count("crashed")
                    raise
                except FrameClosedError as error:
                    status = self._lose(inspector)
                    if not error.untouched:
                        self._fail_dead(status, error)
                    self._count("died_idle")  # before it saw this message: not the message's doing
                except FrameTimeoutError as error:
                    self._lose(inspector)
                    self._count("timeout")
                    raise InspectorTimeout("the inspector overran the deadline and was killed") from error
                except (FrameError, MessageError) as error:
                    self._lose(inspector)
                    self._count("died")
                    raise InspectorDied(f"the inspector's answer is none: {error}") from error
                except BaseException:  # of the caller's (an interrupt, no memory): it must not keep the inspector
                    self._lose(inspector)
                    raise
                else:
                    self._put_back(inspector, frame.kind)
                    return facts

    def close(self) -> None:
        """End all inspectors; callers that still wait get InspectorBusy."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._freed.notify_all()
        self._link.interrupt()
        self._keeper.join(SPAWN_SECONDS)
        self._link.close()
        with self._lock:
            for inspector in self._idle:
                inspector.sock.close()
            self._idle.clear()
            self._number(-self._serving)

    def _put_back(self, inspector: Inspector, kind: int) -> None:
        if kind & RETIRING:
            self._retire(inspector)
        else:
            self._give_back(inspector)

    @staticmethod
    def _read(frame: Frame) -> Inspection:
        kind = frame.kind & ~RETIRING
        if kind == Kind.FACTS:
            return decode_facts(frame.payload)
        if kind == Kind.CRASHED:
            raise InspectorCrashed(decode_failure(frame.payload).text)
        raise FrameError(f"a frame of kind {kind}")

    def _fail_dead(self, status: int | None, error: FrameError) -> NoReturn:
        if self._closing:
            raise InspectorBusy("the pool was closed") from error
        if status in _TIMERS:
            self._count("timeout")
            raise InspectorTimeout(f"the inspector was ended by its timer ({_ending(status)})") from error
        self._count("died")
        raise InspectorDied(f"the inspector died ({_ending(status)})") from error

    def _take(self, deadline: float) -> Inspector:
        with self._lock:
            if self._clock() >= deadline:
                self._refuse("the deadline passed before an inspector was asked")
            if not self._idle:
                self._queue_up(min(deadline, self._clock() + self._admission))
            self._counters["jobs"] += 1
            return self._idle.pop()

    def _queue_up(self, until: float) -> None:
        """Wait, the lock held around it, until there is an idle inspector. InspectorBusy."""
        if self._waiting >= self._most_waiting:
            self._refuse("too many messages wait for an inspector")
        self._waiting += 1
        try:
            while not self._idle:
                remaining = until - self._clock()
                if remaining <= 0 or self._closing:
                    self._refuse(self._trouble or "no inspector was free in time")
                self._freed.wait(remaining)
        finally:
            self._waiting -= 1

    def _refuse(self, why: str) -> NoReturn:
        self._counters["busy"] += 1
        raise InspectorBusy(why)

    def _give_back(self, inspector: Inspector) -> None:
        with self._lock:
            if self._closing:  # it has answered the last message of this front
                inspector.sock.close()
                return
            self._idle.append(inspector)
            self._freed.notify()

    def _retire(self, inspector: Inspector) -> None:
        """It wants to be replaced, and works on until that has happened."""
        with self._lock:
            if self._closing:
                inspector.sock.close()
                return
            if not inspector.retiring:
                inspector.retiring = True
                self._number(-1)
                self._counters["recycled"] += 1
            if self._serving >= self._size:
                self._unburied.append(inspector)
            else:
                self._idle.insert(0, inspector)
                self._freed.notify()
            self._changed.notify_all()

    def _lose(self, inspector: Inspector) -> int | None:
        """Kill it, have it replaced, and say how it ended where that can be learned at once."""
        with self._lock:
            if not inspector.retiring:
                self._number(-1)
            self._changed.notify_all()
        status = self._link.bury(inspector, BURY_SECONDS)
        if status is None:
            with self._changed:
                self._unburied.append(inspector)
                self._changed.notify_all()
        return status

    def _number(self, change: int) -> None:
        """So many more or less serve; the lock is held around it."""
        self._serving += change
        self._tell(self._serving)

    def _count(self, name: str) -> None:
        with self._lock:
            self._counters[name] += 1

    def _keep(self) -> None:
        """The keeper thread: bury what is left to bury, spawn what is missing, with growing pauses where that fails."""
        pause = 0.0
        while True:
            with self._changed:
                if pause:
                    self._changed.wait_for(lambda: self._closing, pause)
                self._changed.wait_for(lambda: self._closing or self._unburied or self._serving < self._size)
                if self._closing:
                    return
                buried, self._unburied = self._unburied, []
                missing = self._serving < self._size
            for inspector in buried:
                self._link.bury(inspector, SPAWN_SECONDS)
            if missing:
                pause = 0.0 if self._add() else min(max(pause * 2, BACKOFF_FIRST), BACKOFF_LAST)

    def _add(self) -> bool:
        """Get one more inspector into the pool; a retiring one may go for it."""
        try:
            inspector = self._link.spawn()
        except LinkError as error:
            with self._lock:
                self._trouble = str(error)
                self._counters["spawn_failed"] += 1
            return False
        with self._lock:
            self._trouble = ""
            self._level = inspector.ready.level
            self._rule_set, self._problems = inspector.ready.rule_set, inspector.ready.problems
            self._counters["spawned"] += 1
            self._number(1)
            self._idle.append(inspector)
            if self._serving >= self._size:
                self._unburied += [one for one in self._idle if one.retiring]
                self._idle = [one for one in self._idle if not one.retiring]
            self._freed.notify()
            self._changed.notify_all()
        return True


def _ending(status: int | None) -> str:
    """An exit status in words."""
    if status is None:
        return "cause unknown"
    if status >= 0:
        return f"exit code {status}"
    with suppress(ValueError):
        return Signals(-status).name
    return f"signal {-status}"
