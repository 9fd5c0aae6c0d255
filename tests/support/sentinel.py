"""A Redis with a replica, watched by three Sentinels that make the one the master when the other is gone.

All in the clear, or all over TLS with passwords: then nothing is to be had from either without both.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.process import Process, free_port, open_folder, require_program, wait_until
from tests.support.redis import tls_options
from tests.support.tls import Authority

NAME: Final = "filterd"
DOWN_AFTER: Final = 500  # milliseconds of silence after which a Sentinel calls the master gone
PASSWORD: Final = "of the servers"
SENTINEL_PASSWORD: Final = "of the sentinels"


class Watched:
    """Both servers and their Sentinels. All run when it is given; what dies stays dead."""

    def __init__(self, folder: Path, stack: ExitStack, *, secure: bool = False) -> None:
        """Start everything and wait until the Sentinels know of each other and of the replica."""
        self._stack = stack
        self._servers: dict[int, Process] = {}
        self.authority = Authority(folder)
        self._pair = self.authority.certify("127.0.0.1") if secure else None
        first, second = free_port(), free_port()
        self._server(folder, first)
        self._server(folder, second, "--replicaof", "127.0.0.1", str(first))
        self.ports = [free_port() for _ in range(3)]
        for port in self.ports:
            self._sentinel(folder, port, first)
        self._ask = self._client(self.ports[0], SENTINEL_PASSWORD)
        stack.callback(self._ask.close)
        wait_until(self._ready, "Sentinels that know of each other")

    @property
    def url(self) -> str:
        """How filterd names it."""
        scheme = "rediss+sentinel" if self._pair else "redis+sentinel"
        return f"{scheme}://{','.join([f'127.0.0.1:{port}' for port in self.ports])}/{NAME}"

    @property
    def master(self) -> int:
        """The port of whom the Sentinels call the master."""
        return int(self._state()["port"])

    def fail_over(self) -> int:
        """Kill the master, wait until the Sentinels have made the other one; its port."""
        before = self.master
        self._servers.pop(before).kill()
        wait_until(lambda: self.master != before, "another master")
        return self.master

    def client(self) -> redis.Redis:
        """A plain client of the master there is now."""
        return self._client(self.master, PASSWORD)

    def _client(self, port: int, password: str) -> redis.Redis:
        more: dict[str, Any] = (
            {"password": password, "ssl": True, "ssl_ca_certs": str(self.authority.file)} if self._pair else {}
        )
        return redis.Redis(host="127.0.0.1", port=port, socket_timeout=2, retry=Retry(NoBackoff(), 0), **more)

    def _listening(self, port: int) -> list[str]:
        """How a server or a Sentinel is told where to listen, and how to speak with the others."""
        if self._pair is None:
            return ["--port", str(port)]
        return ["--port", "0", *tls_options(port, self._pair, self.authority.file), "--tls-replication", "yes"]

    def _server(self, folder: Path, port: int, *more: str) -> None:
        place = folder / f"redis-{port}"
        place.mkdir()
        argv = ["redis-server", *self._listening(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        if self._pair is not None:
            argv += ["--requirepass", PASSWORD, "--masterauth", PASSWORD]
        argv += ["--dir", str(place), "--repl-diskless-sync-delay", "0", *more]
        server = self._servers[port] = Process(argv, place / "log")
        self._stack.callback(self._kill, port)
        server.wait_ready(lambda: self._answers(port, PASSWORD))

    def _kill(self, port: int) -> None:
        server = self._servers.pop(port, None)
        if server is not None:
            server.kill()

    def _sentinel(self, folder: Path, port: int, master: int) -> None:
        place = folder / f"sentinel-{port}"
        place.mkdir()
        settings = place / "sentinel.conf"
        lines = [
            "bind 127.0.0.1",
            f'dir "{place}"',
            f"sentinel monitor {NAME} 127.0.0.1 {master} 2",
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER}",
            f"sentinel failover-timeout {NAME} 5000",
        ]
        if self._pair is not None:
            lines += [f'sentinel auth-pass {NAME} "{PASSWORD}"', f'requirepass "{SENTINEL_PASSWORD}"']
            lines += [f'sentinel sentinel-pass "{SENTINEL_PASSWORD}"']
        listening = self._listening(port)
        pairs = zip(listening[::2], listening[1::2], strict=True)
        lines += [f'{name.removeprefix("--")} "{value}"' for name, value in pairs]
        settings.write_text("\n".join([*lines, ""]))
        server = Process(["redis-server", str(settings), "--sentinel"], place / "log")
        self._stack.callback(server.kill)
        server.wait_ready(lambda: self._answers(port, SENTINEL_PASSWORD))

    def _answers(self, port: int, password: str) -> bool:
        with suppress(redis.RedisError), self._client(port, password) as client:
            return bool(client.ping())
        return False

    def _state(self) -> dict[str, Any]:
        found: Any = self._ask.sentinel_master(NAME)
        return dict(found)

    def _ready(self) -> bool:
        state = self._state()
        return bool(state["num-other-sentinels"] == len(self.ports) - 1 and state["num-slaves"] == 1)


@contextmanager
def watched_redis(*, secure: bool = False) -> Iterator[Watched]:
    """All running, killed at the end; `secure`: over TLS, with PASSWORD and SENTINEL_PASSWORD."""
    require_program("redis-server")
    with open_folder() as folder, ExitStack() as stack:
        yield Watched(folder, stack, secure=secure)
