"""A private S3 store on loopback: moto's server, which keeps everything in memory."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from urllib.request import Request, urlopen

from filterd.quarantine.s3 import S3Place
from tests.support.process import Process, free_port, open_folder

_numbers = count()


class S3Server:
    """One server in `folder`, always on the same port; what it keeps is lost when it is killed."""

    def __init__(self, folder: Path) -> None:
        """Nothing is started yet: `start()` does, again after `kill()` too."""
        self._folder = folder
        self._port = free_port()
        self._process: Process | None = None
        self.endpoint = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it and wait for its first answer."""
        argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        self._process = Process(argv, self._folder / "moto.log")
        self._process.wait_ready(self._answers)

    def _answers(self) -> bool:
        with suppress(OSError), urlopen(self.endpoint, timeout=2) as answer:  # noqa: S310  # loopback
            return bool(answer.status == 200)
        return False

    def make(self, bucket: str) -> S3Place:
        """An empty bucket."""
        with urlopen(Request(f"{self.endpoint}/{bucket}", method="PUT"), timeout=10):  # noqa: S310  # loopback
            return S3Place(f"s3://{bucket}/mail", self.endpoint, "us-east-1", "key", "secret")

    def fresh(self) -> S3Place:
        """An empty bucket of its own."""
        return self.make(f"held{next(_numbers)}")

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process = None


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A running server, killed at the end."""
    with open_folder() as folder:
        server = S3Server(folder)
        try:
            server.start()
            yield server
        finally:
            server.kill()
