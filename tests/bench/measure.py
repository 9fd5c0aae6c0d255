"""What processes cost: CPU seconds of a whole tree, children that ended included, and the memory that is theirs."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICK: Final = 100  # of /proc/PID/stat per second on Linux, whatever the kernel's own rate
LOOPS: Final = 2_000_000
LOOK: Final = 0.3  # seconds that the machine is watched
OTHERS: Final = 0.1  # of all cores: what others may use of a calm machine
_PROC: Final = Path("/proc")
NAMED: Final = "filterd-"  # how the names of processes beside the fronts begin
Role = Callable[["Process"], str]


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment: CPU seconds of its own and of the children it has waited for."""

    pid: int
    parent: int
    own: float
    waited: float
    command: str = ""  # the command line, or the name that a process beside the fronts gave itself


def tree(root: int) -> tuple[Process, ...]:
    """The process and all its descendants. Read until two readings name the same ones: none may end in between."""
    before: set[int] = set()
    while True:
        found = _descendants(root)
        if {one.pid for one in found} == before:
            return found
        before = {one.pid for one in found}


def cpu(root: int, role: Role) -> dict[str, float]:
    """CPU seconds so far of the tree, by role; a child that has ended counts where its siblings do.

    `role` names a process; "role of the children" is its answer for a process whose `command` is empty.
    """
    total: dict[str, float] = {}
    for one in tree(root):
        name, children = role(one), role(Process(0, one.pid, 0.0, 0.0))
        total[name] = total.get(name, 0.0) + one.own
        total[children] = total.get(children, 0.0) + one.waited
    return total


def memory(root: int, role: Role) -> dict[str, list[float]]:
    """Proportional set size in MB of every process of the tree, by role: shared pages are shared out."""
    found: dict[str, list[float]] = {}
    for one in tree(root):
        try:
            text = (_PROC / str(one.pid) / "smaps_rollup").read_text()
        except (OSError, ProcessLookupError):  # gone, or another user's
            continue
        found.setdefault(role(one), []).append(_pss(text) / 1024)
    return found


def alone(pid: int) -> float:
    """CPU seconds so far of one process."""
    known = _read(_PROC / str(pid))
    return known.own if known is not None else 0.0


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was used between two readings, by role."""
    return {name: value - before.get(name, 0.0) for name, value in after.items()}


def calibration() -> float:
    """Milliseconds that a fixed loop takes just now: the machine's speed, to be read beside every absolute figure."""
    began = time.perf_counter()
    value = 0
    for number in range(LOOPS):
        value += number
    return (time.perf_counter() - began) * 1000


def wait_for_calm(seconds: float) -> None:
    """Wait until nobody else uses this machine, at most so many seconds: a pass disturbed by others says little."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        busy, every = _jiffies()
        time.sleep(LOOK)
        later, total = _jiffies()
        if later - busy <= OTHERS * (total - every):
            return


def _jiffies() -> tuple[int, int]:
    """Busy time and all time of all cores since boot."""
    values = [int(word) for word in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(values) - values[3] - values[4], sum(values)


def _pss(text: str) -> float:
    return float(next((line.split()[1] for line in text.splitlines() if line.startswith("Pss:")), 0))


def _descendants(root: int) -> tuple[Process, ...]:
    children: dict[int, list[Process]] = {}
    for one in _all():
        children.setdefault(one.parent, []).append(one)
        if one.pid == root:
            children.setdefault(-1, []).append(one)
    found = children.get(-1, [])
    for one in found:  # grows while it is walked
        found += children.get(one.pid, [])
    return tuple(found)


def _all() -> Iterable[Process]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            known = _read(entry)
            if known is not None:
                yield known


def _read(entry: Path) -> Process | None:
    try:
        stat = (entry / "stat").read_text(errors="replace")
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        name = stat[stat.index("(") + 1 : stat.rindex(")")]
        command = name if name.startswith(NAMED) else command
    except (OSError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    own, waited = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return Process(int(entry.name), int(fields[1]), own / TICK, waited / TICK, command)
