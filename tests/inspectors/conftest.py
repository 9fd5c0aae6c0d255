"""Real nurseries for the tests of this folder."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from filterd.inspectors import InspectorPool, NurseryProcess, NurserySettings, start_nursery
from filterd.model.inspection import Inspection, InspectionJob
from tests.support.process import open_folder, wait_until

OBEDIENT = NurserySettings(reader="tests.inspectors.readers:obedient")
WITHIN = 30.0  # seconds that tests grant to what takes milliseconds


class Bed:
    """A nursery and a pool of it."""

    def __init__(self, nursery: NurseryProcess, pool: InspectorPool) -> None:
        """Both are ended by the fixture."""
        self.nursery = nursery
        self.pool = pool

    def ask(
        self,
        body: bytes,
        *,
        seconds: float = WITHIN,
        within: float = WITHIN,
        fields: tuple[tuple[bytes, bytes], ...] = (),
    ) -> Inspection:
        """Have a message read: `seconds` is its inspector's time, `within` the front's."""
        fd = os.memfd_create("body")
        try:
            os.write(fd, body)
            job = InspectionJob("id", fields, len(body), seconds, 0.0)
            return self.pool.inspect(job, fd, time.monotonic() + within)
        finally:
            os.close(fd)

    def pid(self) -> int:
        """Which process reads messages now."""
        return int(self.ask(b"echo").problems[0])


Make = Callable[..., Bed]


def gone(pid: int) -> bool:
    """Whether no such process lives; a zombie is as good as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def inspectors_of(nursery: NurseryProcess) -> list[int]:
    """The nursery's living children."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == nursery.pid and state != "Z":
                found.append(int(path.parent.name))
    return found


@contextmanager
def bed(
    settings: NurserySettings,
    size: int = 1,
    *,
    environment: Mapping[str, str] | None = None,
    admission: float = WITHIN,
    waiting: int = 50,
) -> Iterator[Bed]:
    """A nursery with a pool that is ready."""
    with open_folder() as folder:
        nursery = start_nursery(folder, settings, environment=environment)
        try:
            pool = InspectorPool(nursery.path, size, admission=admission, waiting=waiting)
            try:
                assert pool.wait_ready(WITHIN), pool.trouble
                yield Bed(nursery, pool)
            finally:
                pool.close()
        finally:
            nursery.stop()


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes nurseries with the obedient reader; keyword arguments are settings, `size` and such the pool's."""
    opened = []

    def build(size: int = 1, *, admission: float = WITHIN, waiting: int = 50, **settings: object) -> Bed:
        manager = bed(replace(OBEDIENT, **settings), size, admission=admission, waiting=waiting)  # type: ignore[arg-type]  # by name
        opened.append(manager)
        return manager.__enter__()

    yield build
    for manager in reversed(opened):
        manager.__exit__(None, None, None)


__all__ = ["OBEDIENT", "WITHIN", "Bed", "Make", "bed", "gone", "inspectors_of", "wait_until"]
