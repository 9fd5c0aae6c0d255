"""One front process: forked by the supervisor, serves the milter socket until told to stop, then drains."""

import ctypes
import gc
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn, Protocol

import orjson
import structlog

from filterd.milter.listener import serve
from filterd.milter.sessions import Sessions
from filterd.pipeline.parts import Parts
from filterd.telemetry.events import Event

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
GC_THRESHOLD: Final = (
    20_000  # allocations between two collections: a message makes some thousand, hardly any in circles
)
MAX_FACTS: Final = 4_000  # bytes a front tells of itself: one write of a pipe, whole or not at all
_log = structlog.get_logger()


class LiveParts(Protocol):
    """What the composition root builds for a front, and takes down again."""

    @property
    def parts(self) -> Parts:
        """The live parts."""

    @property
    def facts(self) -> dict[str, object]:
        """What `filterd status` shows of a front once it serves; JSON values."""

    def close(self) -> None:
        """Flush and close everything."""


@dataclass(frozen=True, slots=True)
class Front:
    """A forked front as the supervisor knows it."""

    pid: int
    slot: int
    generation: int
    ready_fd: int


def fork_front(slot: int, generation: int, build: Callable[[int], LiveParts]) -> Front:
    """Fork a front that builds its parts and serves: SIGTERM lets its sessions end, a second one cuts them off."""
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        os.close(read_end)
        _run(slot, build, write_end)
    os.close(write_end)
    os.set_blocking(read_end, False)
    return Front(pid, slot, generation, read_end)


def _run(slot: int, build: Callable[[int], LiveParts], ready_fd: int) -> NoReturn:
    status = 1
    try:
        os.setpgid(0, 0)  # a terminal's ^C is for the supervisor: libmilter would take it as abort
        # A front without its supervisor would never be told to stop: it ends as if it had been.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        # Blocked in every thread that is made from here on: libmilter fetches these with sigwait, and a thread that
        # does not block them would take the default action for the process instead, sessions and all.
        signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
        live = build(slot)
        gc.collect()
        gc.freeze()  # what lives as long as the front is not looked at again, and stays shared with the supervisor
        gc.set_threshold(GC_THRESHOLD)
        facts = orjson.dumps(live.facts)
        os.write(ready_fd, facts if len(facts) <= MAX_FACTS else b"{}")
        os.close(ready_fd)
        sessions = Sessions(live.parts.counters.session)
        serve(live.parts, sessions)
        signal.signal(signal.SIGTERM, lambda *_: sessions.give_up())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])  # libmilter had blocked it in this thread
        drained = sessions.drain()
        live.close()
        if not drained:
            _log.warning(Event.DRAIN_CUT, open=sessions.open)
        status = 0
    except BaseException:  # noqa: BLE001  # the top of this process: say why it ends
        _log.error(Event.FRONT_FAILED, slot=slot, exc_info=True)
    finally:
        sys.stderr.flush()
        os._exit(status)
