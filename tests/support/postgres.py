"""A private PostgreSQL on a unix socket, with the faults that a real one has."""

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg

from tests.support.process import Process, open_folder, refuse

OWNER = "filterd"
_numbers = count()


def _programs() -> Path:
    """The folder of the newest server that Debian has installed, or a skip."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        refuse("not installed: postgresql (make test-setup)")
    return found[-1].parent


class PostgresServer:
    """One server in `folder`; commits are on disk, as in a site's own."""

    def __init__(self, folder: Path) -> None:
        """Make its empty cluster; `start()` starts it, again after `kill()` too."""
        self._programs = _programs()
        self._folder = folder
        self._process: Process | None = None
        self._as: list[str] = []
        for name in ("data", "sock"):
            (folder / name).mkdir(mode=0o700)
        if os.geteuid() == 0:  # it refuses to run as root
            user = pwd.getpwnam("postgres")
            for name in ("data", "sock"):
                os.chown(folder / name, user.pw_uid, user.pw_gid)
            self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        argv = [*self._as, str(self._programs / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", OWNER]
        subprocess.run([*argv, "-E", "UTF8", "--no-locale", "-N"], cwd=folder, check=True, capture_output=True)

    def url(self, database: str, role: str = OWNER) -> str:
        """How clients name it."""
        return f"postgresql://{role}@/{database}?host={self._folder / 'sock'}"

    def start(self) -> None:
        """Start it and wait for its first answer."""
        argv = [*self._as, "setpriv", "--pdeathsig", "INT", str(self._programs / "postgres")]
        argv += ["-D", str(self._folder / "data"), "-k", str(self._folder / "sock")]
        argv += ["-c", "listen_addresses=", "-c", "shared_buffers=16MB", "-c", "max_connections=40"]
        self._process = Process(argv, self._folder / "postgres.log")
        self._process.wait_ready(self._answers)

    def _answers(self) -> bool:
        with suppress(psycopg.Error), psycopg.connect(self.url("postgres"), connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
        return False

    def fresh(self) -> str:
        """An empty database of its own; its name."""
        name = f"t{next(_numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
        return name

    def kill(self) -> None:
        """SIGKILL for all of it; each of its processes leads a session of its own."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.kill()
            self._process = None

    def freeze(self, *, thaw: bool = False) -> None:
        """SIGSTOP for all of its processes: connections stay and nothing answers; or SIGCONT."""
        self._signal(signal.SIGCONT if thaw else signal.SIGSTOP)

    def sessions(self) -> list[int]:
        """The processes that serve clients: one that is killed makes the server end all others, and recover."""
        with suppress(psycopg.Error), psycopg.connect(self.url("postgres"), connect_timeout=2) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            return [pid for (pid,) in connection.execute(query)]
        return []

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            raise RuntimeError("the server is not running")
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(one, number)

    def stop(self) -> None:
        """An orderly end that waits for no client."""
        if self._process is not None:
            self._process.signal(signal.SIGINT)
            self._process.wait()
            self._process = None


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running server, killed at the end."""
    with open_folder() as folder:
        server = PostgresServer(folder)
        server.start()
        try:
            yield server
        finally:
            server.kill()
