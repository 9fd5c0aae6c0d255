"""Where log lines go. Whoever reads them may stop reading: mail does not wait for its log."""

import os
import select
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, Final

PATIENCE: Final = 0.1  # seconds a line waits for its reader; while that one reads nothing, the next lines wait no more
PIECE: Final = select.PIPE_BUF  # bytes written at once: a pipe that is ready at all takes them whole

_pipes: Final[dict[tuple[int, int], int]] = {}  # by device and inode: our own descriptor of a pipe


class Lines:
    """One write for each line of usual length, so that lines of several processes do not mix.

    A line that cannot be written within PATIENCE is lost; `tell` hears how many were, once one gets through again.
    """

    def __init__(self, stream: BinaryIO, tell: Callable[[int], None] = lambda _lost: None) -> None:
        """Write to the stream's descriptor, or to the stream itself where it has none."""
        self._stream = stream
        self._tell = tell
        self._lock = threading.Lock()
        self._lost = 0
        self._torn = False  # a line was cut off: the next one begins on a line of its own
        self._descriptor = _descriptor(stream)
        self._poll = select.poll()
        if self._descriptor >= 0:
            self._poll.register(self._descriptor, select.POLLOUT)

    def msg(self, line: bytes) -> None:
        """Write a line. Never raises, and blocks for PATIENCE at most."""
        if self._descriptor < 0:
            with suppress(OSError, ValueError):
                self._stream.write(line)
            return
        with self._lock:
            before = self._lost
            if not self._write(line):
                self._lost += 1
                return
            self._lost = 0
        if before:
            self._tell(before)

    debug = info = warning = warn = error = critical = exception = fatal = log = msg

    def _write(self, line: bytes) -> bool:
        """Whether the whole line was written."""
        data = memoryview(b"\n" + line if self._torn else line)
        whole = len(data)
        until = time.monotonic() + (0.0 if self._lost else PATIENCE)
        with suppress(OSError, ValueError):
            while data and self._ready(until):
                data = data[os.write(self._descriptor, data[:PIECE]) :]
        if len(data) < whole:
            self._torn = bool(data)
        return not data

    def _ready(self, until: float) -> bool:
        """Whether something can be written, now or before that time (monotonic seconds)."""
        return bool(self._poll.poll(max(0.0, until - time.monotonic()) * 1000))


def _descriptor(stream: BinaryIO) -> int:
    """What to write to, -1 for nothing.

    A pipe is opened anew, so that not to block is our own affair: its descriptor's flags are shared with every process
    that has inherited it, and without the flag two writers may both find room for one.
    """
    try:
        descriptor = stream.fileno()
        status = os.fstat(descriptor)
        if not stat.S_ISFIFO(status.st_mode):
            return descriptor
        pipe = status.st_dev, status.st_ino
        if pipe not in _pipes:
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
            _pipes[pipe] = os.open(f"/proc/self/fd/{descriptor}", flags)
        return _pipes[pipe]
    except ValueError:  # a stream in memory, or a closed one
        return -1
    except OSError:  # /proc or the pipe is closed to us: then it is as blocking as it is
        return _plain(stream)


def _plain(stream: BinaryIO) -> int:
    with suppress(OSError, ValueError):
        return stream.fileno()
    return -1
