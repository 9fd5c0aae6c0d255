"""A Redis with a replica, watched by three Sentinels that make the one the master when the other is gone."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.support.process import Process, free_port, open_folder, require_program, wait_until

NAME: Final = "filterd"
DOWN_AFTER: Final = 500  # milliseconds of silence after which a Sentinel calls the master gone


class Watched:
    """Both servers and their Sentinels. All run when it is given; what dies stays dead."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Start everything and wait until the Sentinels know of each other and of the replica."""
        self._stack = stack
        self._servers: dict[int, Process] = {}
        first, second = free_port(), free_port()
        self._server(folder, first)
        self._server(folder, second, "--replicaof", "127.0.0.1", str(first))
        self.ports = [free_port() for _ in range(3)]
        for port in self.ports:
            self._sentinel(folder, port, first)
        self._ask = redis.Redis(port=self.ports[0], socket_timeout=2, retry=Retry(NoBackoff(), 0))
        stack.callback(self._ask.close)
        wait_until(self._ready, "Sentinels that know of each other")

    @property
    def url(self) -> str:
        """How filterd names it."""
        return f"redis+sentinel://{','.join([f'127.0.0.1:{port}' for port in self.ports])}/{NAME}"

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
        return redis.Redis(port=self.master, socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def _server(self, folder: Path, port: int, *more: str) -> None:
        place = folder / f"redis-{port}"
        place.mkdir()
        argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        argv += ["--dir", str(place), "--repl-diskless-sync-delay", "0", *more]
        server = self._servers[port] = Process(argv, place / "log")
        self._stack.callback(self._kill, port)
        server.wait_ready(lambda: _answers(port))

    def _kill(self, port: int) -> None:
        server = self._servers.pop(port, None)
        if server is not None:
            server.kill()

    def _sentinel(self, folder: Path, port: int, master: int) -> None:
        place = folder / f"sentinel-{port}"
        place.mkdir()
        settings = place / "sentinel.conf"
        settings.write_text(
            f'port {port}\nbind 127.0.0.1\ndir "{place}"\nsentinel monitor {NAME} 127.0.0.1 {master} 2\n'
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER}\nsentinel failover-timeout {NAME} 5000\n"
        )
        server = Process(["redis-server", str(settings), "--sentinel"], place / "log")
        self._stack.callback(server.kill)
        server.wait_ready(lambda: _answers(port))

    def _state(self) -> dict[str, Any]:
        found: Any = self._ask.sentinel_master(NAME)
        return dict(found)

    def _ready(self) -> bool:
        state = self._state()
        return bool(state["num-other-sentinels"] == len(self.ports) - 1 and state["num-slaves"] == 1)


def _answers(port: int) -> bool:
    with suppress(redis.RedisError), redis.Redis(port=port, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
        return bool(client.ping())
    return False


@contextmanager
def watched_redis() -> Iterator[Watched]:
    """All running, killed at the end."""
    require_program("redis-server")
    with open_folder() as folder, ExitStack() as stack:
        yield Watched(folder, stack)
