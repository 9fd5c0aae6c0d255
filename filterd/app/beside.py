"""A process beside the fronts: forked from the supervisor, which stays single-threaded because it forks."""

import ctypes
import os
import signal
import time
from collections.abc import Callable
from typing import Final, NoReturn

import structlog

from filterd.telemetry import Event

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
RETRY: Final = 5.0  # seconds before a process that ended is replaced
_log = structlog.get_logger()


class Beside:
    """Does one thing in a child for as long as the supervisor lives."""

    def __init__(self, name: str, inherited: int, begin: Callable[[], Callable[[], None]]) -> None:
        """Start it. `begin` runs in the child and gives back what ends it; OSError of it is raised here.

        `inherited` is the daemon's lock: a child that ends slowly must not keep it from the next daemon.
        """
        self._name = name
        self._inherited = inherited
        self._begin = begin
        self._pid = 0
        self._retry = 0.0
        self._start()

    def tend(self) -> None:
        """Replace a process that has ended."""
        if _lives(self._pid) or time.monotonic() < self._retry:
            return
        self._retry = time.monotonic() + RETRY
        try:
            self._start()
        except OSError as error:
            _log.error(Event.BESIDE_FAILED, process=self._name, cause=str(error))

    def stop(self) -> None:
        """End it."""
        if _lives(self._pid):
            os.kill(self._pid, signal.SIGTERM)

    def _start(self) -> None:
        read_end, write_end = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(read_end)
            os.close(self._inherited)
            self._serve(write_end)
        os.close(write_end)
        trouble = os.read(read_end, 1_000)
        os.close(read_end)
        if trouble:
            os.waitpid(pid, 0)
            raise OSError(f"{self._name}: {trouble.decode()}")
        self._pid = pid

    def _serve(self, write_end: int) -> NoReturn:
        """The child: work until told to end. The pipe closes without a word where all is well."""
        status = 1
        try:
            os.setpgid(0, 0)
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            ending = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
            signal.pthread_sigmask(signal.SIG_BLOCK, ending)
            try:
                end = self._begin()
            except OSError as error:
                os.write(write_end, str(error).encode("utf-8", "replace")[:1_000])
                os._exit(status)
            os.close(write_end)
            signal.sigwait(ending)
            end()
            status = 0
        finally:
            os._exit(status)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return pid > 0
