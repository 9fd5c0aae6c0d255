"""A process beside the fronts: forked from the supervisor, which stays single-threaded because it forks."""

import ctypes
import os
import signal
import time
from collections.abc import Callable
from typing import Final, NoReturn

import structlog

from filterd.supervisor.forking import fork
from filterd.telemetry import Event

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_PR_SET_NAME: Final = 15  # the same
RETRY: Final = 5.0  # seconds before a process that ended is replaced
MAX_DESCRIPTORS: Final = 1 << 20  # numbers up to which they are closed; one system call does it
ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # blocked in such a process, which waits for them
_log = structlog.get_logger()


class Beside:
    """Does one thing in a child for as long as the supervisor lives."""

    def __init__(self, name: str, begin: Callable[[], Callable[[], None]]) -> None:
        """Start it. `begin` runs in the child and gives back what ends it; OSError of it is raised here."""
        self._name = name
        self._begin = begin
        self._pid = 0
        self._retry = 0.0
        self._start()

    @property
    def pid(self) -> int:
        """The last that was started; 0: none was."""
        return self._pid

    def tend(self) -> None:
        """Replace a process that has ended."""
        if lives(self._pid) or time.monotonic() < self._retry:
            return
        self._retry = time.monotonic() + RETRY
        try:
            self._start()
        except OSError as error:
            _log.error(Event.BESIDE_FAILED, process=self._name, cause=str(error))

    def stop(self) -> None:
        """End it."""
        if lives(self._pid):
            os.kill(self._pid, signal.SIGTERM)

    def _start(self) -> None:
        read_end, write_end = os.pipe()
        pid = fork()
        if not pid:
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
            settle(self._name, write_end)
            try:
                end = self._begin()
            except OSError as error:
                os.write(write_end, str(error).encode("utf-8", "replace")[:1_000])
                os._exit(status)
            os.close(write_end)
            signal.sigwait(ENDING)
            end()
            status = 0
        finally:
            os._exit(status)


def settle(name: str, kept: int) -> None:
    """Make this fork a process of its own, which ends with the supervisor and is told to by ENDING.

    ps and top show it as filterd-NAME.

    Of descriptors it has only `kept` and the standard ones: with the listening socket clients would still be let in
    when the daemon does so no more, with the lock the next daemon would be refused.
    """
    os.closerange(3, kept)
    os.closerange(kept + 1, MAX_DESCRIPTORS)
    os.setpgid(0, 0)
    library = ctypes.CDLL(None)
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    library.prctl(_PR_SET_NAME, f"filterd-{name}".encode(), 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


def lives(pid: int) -> bool:
    """Whether a child runs; the supervisor reaps it. 0 is none."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
