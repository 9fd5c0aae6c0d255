"""One front process: forked by the supervisor, serves the milter socket until told to end, then drains."""

import ctypes
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

import orjson
import structlog

from filterd.milter.listener import heed_descriptors, serve, stop_listening
from filterd.milter.sessions import Sessions
from filterd.pipeline.parts import Parts
from filterd.supervisor.forking import fork
from filterd.telemetry.events import Event

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_M_ARENA_MAX: Final = -8  # malloc.h
ARENAS: Final = 2  # of malloc: each thread of libmilter would have one of its own, and keep what it was once large
GC_THRESHOLD: Final = (
    20_000  # allocations between two collections: a message makes some thousand, hardly any in circles
)
MAX_FACTS: Final = 4_000  # bytes a front tells of itself: one write of a pipe, whole or not at all
DRAIN: Final = signal.SIGUSR2  # not SIGTERM: libmilter takes that itself, and leaves open sessions unanswered
CUT: Final = signal.SIGQUIT  # end now, but write what is queued
ORPHAN_SECONDS: Final = 30.0  # for open sessions of a front whose supervisor has died
ABRUPT_SECONDS: Final = 5.0  # for callbacks at work when libmilter was stopped by a signal that is not ours
_HEED: Final = 1.0  # seconds between two looks whether descriptors are left
_LOOK: Final = 0.1  # seconds between two looks at the sessions
_QUIET_LOOKS: Final = 2
_log = structlog.get_logger()


class LiveParts(Protocol):
    """What the composition root builds for a front, and takes down again."""

    @property
    def parts(self) -> Parts:
        """The live parts."""

    @property
    def facts(self) -> dict[str, object]:
        """What `filterd status` shows of a front once it serves; JSON values."""

    @property
    def busy(self) -> bool:
        """Whether something other than a milter session is still at work."""

    def retire(self) -> None:
        """Take no new work but from milter sessions that are open."""

    def close(self) -> None:
        """Flush and close everything."""


@dataclass(frozen=True, slots=True)
class Front:
    """A forked front as the supervisor knows it."""

    pid: int
    slot: int
    generation: int
    ready_fd: int
    started: float = 0.0  # seconds since the epoch


def fork_front(slot: int, generation: int, build: Callable[[int], LiveParts]) -> Front:
    """Fork a front that builds its parts and serves: DRAIN lets its sessions end, CUT does not."""
    read_end, write_end = os.pipe()
    pid = fork()
    if not pid:
        os.close(read_end)
        _run(slot, build, write_end)
    os.close(write_end)
    os.set_blocking(read_end, False)
    return Front(pid, slot, generation, read_end, time.time())


def _run(slot: int, build: Callable[[int], LiveParts], ready_fd: int) -> NoReturn:
    status = 1
    try:
        parent = os.getppid()
        os.setpgid(0, 0)  # a terminal's ^C is for the supervisor: libmilter would take it as abort
        # A front without its supervisor would never be told to end: it does as if it had been.
        library = ctypes.CDLL(None)
        library.prctl(_PR_SET_PDEATHSIG, DRAIN, 0, 0, 0)
        library.mallopt(_M_ARENA_MAX, ARENAS)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGUSR1, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        # Blocked in every thread that is made from here on: libmilter and we fetch these with sigwait, and a thread
        # that does not block them would take the default action for the process instead, sessions and all.
        signal.pthread_sigmask(signal.SIG_SETMASK, [DRAIN, CUT, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
        structlog.configure(cache_logger_on_first_use=True)  # a front's log is not set up again: a reload forks others
        live = build(slot)
        gc.collect()
        gc.freeze()  # what lives as long as the front is not looked at again
        gc.set_threshold(GC_THRESHOLD)
        facts = orjson.dumps(live.facts)
        os.write(ready_fd, facts if len(facts) <= MAX_FACTS else b"{}")
        os.close(ready_fd)
        sessions = Sessions(live.parts.counters.session)
        end = _End(live, sessions, parent)
        threading.Thread(target=end.when_told, name="end", daemon=True).start()
        serve(live.parts, sessions)
        end.cut_short()
    except BaseException:  # noqa: BLE001  # the top of this process: say why it ends
        _log.error(Event.FRONT_FAILED, slot=slot, exc_info=True)
    finally:
        sys.stderr.flush()
        os._exit(status)


class _End:
    """The end of a front, whichever thread brings it."""

    def __init__(self, live: LiveParts, sessions: Sessions, parent: int) -> None:
        self._live = live
        self._sessions = sessions
        self._parent = parent
        self._once = threading.Lock()

    def when_told(self) -> None:
        """Wait for DRAIN; then take no new sessions, and end when none is left or CUT comes."""
        try:
            while (told := signal.sigtimedwait([DRAIN, CUT], _HEED)) is None:
                heed_descriptors()
            if told.si_signo == DRAIN:
                stop_listening()
                self._live.retire()
                self._drain()
        except Exception:  # noqa: BLE001  # the top of this thread: the front must not stay for ever
            _log.error(Event.FRONT_FAILED, exc_info=True)
        self._conclude()

    def cut_short(self) -> NoReturn:
        """Libmilter was stopped behind our back: it answers what callbacks are at now, and nothing after."""
        until = time.monotonic() + ABRUPT_SECONDS
        while self._sessions.open > 0 and time.monotonic() < until:
            time.sleep(_LOOK)
        self._conclude()

    def _drain(self) -> None:
        quiet, orphan_until = 0, 0.0
        # Two looks: a connection that was accepted just now has not been counted yet.
        while quiet < _QUIET_LOOKS and signal.sigtimedwait([CUT], _LOOK) is None:
            quiet = quiet + 1 if self._sessions.open <= 0 and not self._live.busy else 0
            if os.getppid() != self._parent:
                orphan_until = orphan_until or time.monotonic() + ORPHAN_SECONDS
                if time.monotonic() > orphan_until:
                    return

    def _conclude(self) -> NoReturn:
        self._once.acquire()  # never given back: there is one end
        status = 1
        try:
            left = self._sessions.open
            self._live.close()
            if left > 0:
                _log.warning(Event.DRAIN_CUT, open=left)
            status = 0
        except BaseException:  # noqa: BLE001  # the top of this process: say why it ends badly
            _log.error(Event.FRONT_FAILED, exc_info=True)
        finally:
            sys.stderr.flush()
            os._exit(status)
