"""A private redis-server on a unix socket, with the faults that a real one has."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.process import Process, open_folder, require_program


class RedisServer:
    """One server in `folder`: no persistence, `maxmemory` as Redis writes sizes, writes refused when it is full."""

    def __init__(self, folder: Path, maxmemory: str = "16mb") -> None:
        """Nothing is started yet: `start()` does, again after `kill()` too."""
        self.socket = folder / "r.sock"
        self._folder = folder
        self._maxmemory = maxmemory
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """How clients name it."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it and wait for its first answer."""
        require_program("redis-server")
        argv = ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        argv += ["--save", "", "--appendonly", "no", "--dir", str(self._folder)]
        argv += ["--maxmemory", self._maxmemory, "--maxmemory-policy", "noeviction"]
        self._process = Process(argv, self._folder / "redis.log")
        self._process.wait_ready(self._answers)

    def _answers(self) -> bool:
        with suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def client(self) -> redis.Redis:
        """A plain client of the test's own."""
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def freeze(self) -> None:
        """SIGSTOP: it accepts connections (the kernel does) and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL; the socket file stays behind."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError("the server is not running")
        self._process.signal(number)


@contextmanager
def redis_server(maxmemory: str = "16mb") -> Iterator[RedisServer]:
    """A running server, killed at the end."""
    with open_folder() as folder:
        server = RedisServer(folder, maxmemory)
        server.start()
        try:
            yield server
        finally:
            server.kill()
