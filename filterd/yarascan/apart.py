"""Work on rule files in a forked child with limits: a rule can make the compiler crash, or run for ever."""

import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from filterd.ipc.messages import NOBODY

T = TypeVar("T")

MEMORY: Final = 2 << 30  # bytes of address space beyond what the parent has
NICE: Final = 5  # a compiler gets a third of a message's share of a busy machine: mail flows meanwhile
_SIGNALS: Final = (signal.SIGTERM, signal.SIGPROF)


def confine() -> None:
    """In the child: no handlers of our parent, no rights of root, behind mail, bounded memory, no core file."""
    with suppress(PermissionError):  # a unit may forbid all that changes priorities: rules are compiled all the same
        os.nice(NICE)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    most = MEMORY + _address_space()
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _address_space() -> int:
    """Bytes that this process has mapped, which a fork takes along."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def apart(work: Callable[[], T], kind: type[T], seconds: float) -> T | None:
    """What the work gives, done in a child that has so many seconds of CPU; None where the child did not survive it.

    Must be called in a process with one thread.
    """
    answer = os.memfd_create("answer", os.MFD_CLOEXEC)
    try:
        pid = os.fork()
        if not pid:
            _child(work, answer, seconds)
        _, status = os.waitpid(pid, 0)
        if status:
            return None
        return msgspec.msgpack.decode(os.pread(answer, os.fstat(answer).st_size, 0), type=kind)
    finally:
        os.close(answer)


def _child(work: Callable[[], object], answer: int, seconds: float) -> None:
    status = 1
    try:
        confine()
        signal.setitimer(signal.ITIMER_PROF, seconds)
        with os.fdopen(answer, "wb", closefd=False) as file:
            file.write(msgspec.msgpack.encode(work()))
        status = 0
    finally:
        os._exit(status)
