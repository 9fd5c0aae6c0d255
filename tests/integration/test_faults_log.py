"""A log that nobody reads: mail goes on, and the log itself says how many of its lines are not there."""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import COMMAND, Filterd, Settings
from tests.support.process import Process, wait_until
from tests.support.stack import Stack
from tests.support.world import STRANGER, message

pytestmark = pytest.mark.threat("RES-06")

PLAIN = message("alice@aligned.test", "Minutes")
SPOOF = message("ceo@strict.test", "Urgent transfer")
PIPE = 8 * 4096  # bytes the pipe holds: some fifty lines
MESSAGES = 150  # more than fit


class PipedFilterd(Filterd):
    """The daemon with a pipe for its log, whose reader can sleep and go."""

    def start(self) -> None:
        """Start it and read its log into the usual file."""
        self.log.touch()
        fifo = self.folder / "log.fifo"
        os.mkfifo(fifo)
        self._pipe = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE)
        self.awake = threading.Event()
        self.awake.set()
        self._gone = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        argv = ["sh", "-c", 'exec "$@" 2>"$0"', str(fifo), *COMMAND, "run", "--config", str(self.config)]
        self._process = Process(argv, self.folder / "output")
        self._process.wait_ready(self._answers)

    def _read(self) -> None:
        with self.log.open("ab", buffering=0) as file:
            while not self._gone.is_set():
                try:
                    data = os.read(self._pipe, PIPE) if self.awake.is_set() else b""
                except BlockingIOError:
                    data = b""
                file.write(data)
                if not data:
                    time.sleep(0.002)

    def close_pipe(self) -> None:
        """The reader goes for good."""
        self._gone.set()
        self._reader.join()
        os.close(self._pipe)


class PipedStack(Stack):
    """The stack around it."""

    filterd: PipedFilterd

    def make_filterd(self, folder: Path, settings: Settings) -> Filterd:
        """With the pipe."""
        return PipedFilterd(folder, settings)


@pytest.fixture
def stack() -> Iterator[PipedStack]:
    """A daemon of the test's own."""
    with PipedStack() as running:
        yield running


def flow(stack: PipedStack, count: int) -> None:
    """Messages of both kinds: each gets its 250."""
    for number in range(count):
        mail, pose = (SPOOF, STRANGER) if number % 3 == 0 else (PLAIN, None)
        assert stack.send(mail, pose).code == 250


def test_reader_sleeps_and_goes(stack: PipedStack) -> None:
    """A full pipe costs lines, not mail; once it is read again the lines lost are told; a closed one costs no mail."""
    flow(stack, 3)
    stack.filterd.awake.clear()
    flow(stack, MESSAGES)
    stack.filterd.awake.set()
    told: list[int] = []

    def look() -> bool:
        flow(stack, 2)
        told[:] = [event["lines"] for event in stack.filterd.events("log_lines_lost")]
        return len(told) == stack.filterd.settings["milter"].get("workers", os.cpu_count())

    wait_until(look, "every front telling its losses")
    logged = len(stack.filterd.events("message"))
    assert logged + sum(told) >= 3 + MESSAGES
    stack.filterd.close_pipe()
    flow(stack, 6)
    stack.postfix.wait_empty()
    assert stack.filterd.process.running
