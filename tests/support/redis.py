"""A private redis-server on a unix socket, and over TLS where wanted, with the faults that a real one has."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.process import Process, free_port, open_folder, require_program
from tests.support.tls import Pair


def tls_options(port: int, pair: Pair, authority: Path, *, asks: bool = False) -> list[str]:
    """How a server is told to speak TLS on this port; `asks`: clients must show a certificate."""
    options = ["--tls-port", str(port), "--tls-cert-file", str(pair.certificate), "--tls-key-file", str(pair.key)]
    return [*options, "--tls-ca-cert-file", str(authority), "--tls-auth-clients", "yes" if asks else "no"]


class RedisServer:
    """One server in `folder`: no persistence, `maxmemory` as Redis writes sizes, writes refused when it is full."""

    def __init__(self, folder: Path, maxmemory: str = "16mb") -> None:
        """Nothing is started yet: `start()` does, again after `kill()` too."""
        self.socket = folder / "r.sock"
        self._folder = folder
        self._maxmemory = maxmemory
        self._more: list[str] = []
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """How clients name it."""
        return f"unix://{self.socket}"

    def listen_tls(self, pair: Pair, authority: Path, *, asks: bool = False, port: int = 0) -> int:
        """Also speak TLS from the next start on; the port, of 127.0.0.1."""
        port = port or free_port()
        self._more = ["--bind", "127.0.0.1", *tls_options(port, pair, authority, asks=asks)]
        return port

    def listen_plainly(self, port: int) -> None:
        """Also speak on a port without TLS from the next start on, and no longer with it."""
        self._more = ["--bind", "127.0.0.1", "--port", str(port)]

    def start(self) -> None:
        """Start it and wait for its first answer."""
        require_program("redis-server")
        argv = ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        argv += ["--save", "", "--appendonly", "no", "--dir", str(self._folder)]
        argv += ["--maxmemory", self._maxmemory, "--maxmemory-policy", "noeviction"]
        argv += self._more
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
