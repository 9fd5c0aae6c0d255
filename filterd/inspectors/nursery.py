"""Start and stop the nursery process, on a socket that outlives it."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import filterd.ipc
from filterd.ipc.messages import NurserySettings, settings_text

SOCKET_NAME: Final = "nursery.sock"
EMPTY_NAME: Final = "empty"
BACKLOG: Final = 64  # fronts and commands that connect while the nursery loads its rules
STOP_SECONDS: Final = 5.0
_CODE: Final = str(Path(filterd.ipc.__file__).parents[2])  # where the package itself stands
# All that a nursery sees of our environment. One malloc arena and no library threads: it has one thread, and forks.
_ENVIRONMENT: Final = {
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    # What is larger is given back as soon as it is free. Left alone, the C library keeps up to 64 MB for the next time.
    "MALLOC_MMAP_THRESHOLD_": "4194304",
    "MALLOC_TRIM_THRESHOLD_": "8388608",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONPATH": _CODE,
    "PYTHONNOUSERSITE": "1",
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
}


class NurseryProcess:
    """A nursery and its listening socket. Fronts connect to `path`; the socket stays when the process is replaced."""

    def __init__(
        self, path: Path, listener: socket.socket, settings: NurserySettings, environment: Mapping[str, str]
    ) -> None:
        """Start the process; see `start_nursery`."""
        self.path = path
        self._listener = listener
        self._settings = settings
        self._environment = dict(environment)
        self._process = self._start()

    @property
    def pid(self) -> int:
        """The running (or last) process."""
        return self._process.pid

    def alive(self) -> bool:
        """True while the process runs; reaps it where it does not."""
        return self._process.poll() is None

    def restart(self, settings: NurserySettings | None = None) -> None:
        """Replace the process, with other settings where given, on the same socket; its inspectors end with it."""
        self._end()
        if settings is not None:
            self._settings = replace(settings, empty=settings.empty or self._settings.empty)
        self._process = self._start()

    def stop(self) -> None:
        """End the process and remove the socket; calling it twice does nothing."""
        self._end()
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        fd = self._listener.fileno()
        command = [sys.executable, "-P", "-m", "filterd.inspection", str(fd), settings_text(self._settings)]
        return subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command,
            pass_fds=(fd,),
            env=_ENVIRONMENT | self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )


def start_nursery(
    runtime_dir: Path, settings: NurserySettings, *, environment: Mapping[str, str] | None = None
) -> NurseryProcess:
    """Start a nursery listening in `runtime_dir`, whose socket only this user may connect to; does not wait for it.

    The nursery ends when the calling thread does, so call from the main thread of the process that owns it.
    `environment` adds to the few variables it is given. OSError where directory, socket or process cannot be made.
    """
    empty = runtime_dir / EMPTY_NAME
    empty.mkdir(mode=0o755, exist_ok=True)
    path = runtime_dir / SOCKET_NAME
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(BACKLOG)
        settings = replace(settings, empty=settings.empty or str(empty))
        return NurseryProcess(path, listener, settings, environment or {})
    except OSError:
        listener.close()
        raise
