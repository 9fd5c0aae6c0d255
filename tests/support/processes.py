"""The daemon's processes as the kernel shows them: fronts, nurseries, inspectors, and what memory they take."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil

from tests.support.daemon import Filterd

KILOBYTE: Final = 1024


def nurseries(filterd: Filterd) -> list[int]:
    """The processes that fork inspectors; two while a reload is under way."""
    return [child.pid for child in _children(filterd.process.pid) if _is_nursery(child)]


def fronts(filterd: Filterd) -> list[int]:
    """The processes that speak with the MTA."""
    return [child.pid for child in _children(filterd.process.pid) if not (_is_nursery(child) or _is_beside(child))]


def inspectors(filterd: Filterd) -> list[int]:
    """The processes that read content."""
    return [child.pid for nursery in nurseries(filterd) for child in _children(nursery)]


def send_signal(pids: Sequence[int], number: signal.Signals) -> int:
    """Signal those that still live; how many that were."""
    told = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            told += 1
    return told


def stopped(pid: int) -> bool:
    """Whether a SIGSTOP has taken effect."""
    return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)


@contextmanager
def frozen_inspectors(filterd: Filterd) -> Iterator[list[int]]:
    """Stop all inspectors (they keep what they have and read nothing more), and let those that still live go on."""
    pids = inspectors(filterd)
    assert pids
    send_signal(pids, signal.SIGSTOP)
    try:
        yield pids
    finally:
        send_signal(pids, signal.SIGCONT)


def memory(pid: int) -> dict[str, int]:
    """Bytes of smaps_rollup by field: Pss (proportional, shared pages counted in part), Pss_Anon, Pss_Shmem ..."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, size = line.partition(":")
        found[name] = int(size.split()[0]) * KILOBYTE
    return found


def descriptors(pid: int) -> set[int]:
    """The numbers of the files that a process has open."""
    return {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has taken."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _children(pid: int) -> list[psutil.Process]:
    """The living children; a zombie is none."""
    with suppress(psutil.NoSuchProcess):
        return [child for child in psutil.Process(pid).children() if _alive(child)]
    return []


def _alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def _is_beside(process: psutil.Process) -> bool:
    """Metrics, upkeep, learner: they have names of their own. One that has just been forked has not yet."""
    with suppress(psutil.NoSuchProcess):
        return process.name().startswith("filterd-")
    return False


def _is_nursery(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "filterd.inspection" in process.cmdline()
    return False
