"""What a running site looks like from outside: memory, descriptors and threads of every process, queue, stores, log."""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from tests.support.daemon import Filterd
from tests.support.processes import descriptors, fronts, inspectors, memory, nurseries
from tests.support.stack import Stack

MEGABYTE: Final = 1e6  # bytes
MILTER: Final = "/milter.soc"  # in the name under which the socket was bound, which accepted connections have, too
NAMED: Final = "filterd-"  # how names of processes beside the fronts begin
QUEUES: Final = ("incoming", "active", "deferred", "hold", "corrupt")  # folders of Postfix that hold messages
LOG_BYTES: Final = 64 << 20  # of a log before it is cut: a day of it would fill disks


@dataclass(frozen=True, slots=True)
class Seen:
    """One process at one moment; memory in megabytes, descriptors without those of open milter sessions."""

    pid: int
    role: str
    rss: float
    pss: float
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Sample:
    """The site at one moment, `at` in seconds since the beginning; sizes in megabytes, waits in seconds."""

    at: float
    processes: tuple[Seen, ...]
    queue: int
    stores: dict[str, float]
    accepted: int
    waits: tuple[float, ...]


@dataclass(slots=True)
class LogReader:
    """Follows the daemon's log and cuts it when it gets long: how often each event came, and what must not come."""

    path: Path
    events: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    _offset: int = 0

    def read(self) -> None:
        """Take what has been written since."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        for line in data.splitlines():
            self._line(line)
        if self._offset > LOG_BYTES:
            os.truncate(self.path, 0)
            self._offset = 0

    def _line(self, line: bytes) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            event = {"event": "not_json"}
        name = str(event.get("event"))
        self.events[name] += 1
        if name == "message":
            self.actions[str(event.get("action"))] += 1
        elif name.endswith("_crashed") or name == "not_json":
            self.crashes.append(line.decode("utf-8", "replace")[:2_000])


def look(stack: Stack) -> tuple[tuple[Seen, ...], int, dict[str, float]]:
    """Processes, messages in Postfix' queue, and sizes of what is kept."""
    _cut(stack.folder / "postfix" / "log" / "mail.log")
    return tuple(_processes(stack.filterd)), _queue(stack.folder / "postfix" / "queue"), _stores(stack.folder)


def _processes(filterd: Filterd) -> Iterator[Seen]:
    roles = {filterd.process.pid: "supervisor"}
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(filterd.process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if child.name().startswith(NAMED):
                    roles[child.pid] = child.name().removeprefix(NAMED)
    for role, pids in (("front", fronts), ("nursery", nurseries), ("inspector", inspectors)):
        roles |= dict.fromkeys(pids(filterd), role)
    for pid, role in roles.items():
        with suppress(OSError, psutil.NoSuchProcess):  # it has ended meanwhile
            taken = memory(pid)
            process = psutil.Process(pid)
            files = len(descriptors(pid)) - _sessions(process)
            threads = process.num_threads()
            yield Seen(pid, role, taken["Rss"] / MEGABYTE, taken["Pss"] / MEGABYTE, files, threads)


def _sessions(process: psutil.Process) -> int:
    """Milter sessions that it has open: how many there are is the clients' doing, and which front has them, chance."""
    return sum(MILTER in str(one.laddr) for one in process.net_connections("unix"))


def _queue(folder: Path) -> int:
    return sum(len(files) for name in QUEUES for _, _, files in os.walk(folder / name))


def _stores(folder: Path) -> dict[str, float]:
    """Megabytes below the state folder by its first name: a data base with its files beside it is one."""
    found: Counter[str] = Counter()
    state = folder / "state"
    for place, _, files in os.walk(state):
        for name in files:
            path = Path(place, name)
            key = path.relative_to(state).parts[0].removesuffix("-wal").removesuffix("-shm")
            with suppress(FileNotFoundError):
                found[key] += path.stat().st_size
    return {name: size / MEGABYTE for name, size in found.items()}


def _cut(log: Path) -> None:
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            os.truncate(log, 0)


def sampled(stack: Stack, began: float, accepted: int, waits: list[float]) -> Sample:
    """A sample of now."""
    processes, queue, stores = look(stack)
    return Sample(time.monotonic() - began, processes, queue, stores, accepted, tuple(waits))
