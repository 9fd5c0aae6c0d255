"""rspamd as the peer: the packaged configuration, its milter proxy scanning by itself in two workers, its own Redis.

What differs from the package: it listens on a unix socket, asks the fixture DNS, writes into a private folder, names
its results in an Authentication-Results field (as filterd does, and so that they can be checked), does not greylist
(that would answer 451 to what is to be delivered), and runs no workers that a milter does not need.
"""

import os
import pwd
import re
import shutil
from pathlib import Path
from typing import Final, Self

from tests.bench import measure
from tests.bench.measure import Process
from tests.bench.targets import NameServer, Questions, answers
from tests.support.process import Process as Server
from tests.support.redis import RedisServer

PROGRAM: Final = "rspamd"
CONFIGURATION: Final = Path("/etc/rspamd/rspamd.conf")
WORKERS: Final = 2
COMPILED: Final = re.compile(r"\(rspamd_proxy\).*full hyperscan database")
CACHED: Final = " compiled 0 regular expressions "  # the helper's word where an earlier start had compiled them all
START_SECONDS: Final = 120.0  # the first start compiles its expressions, on a busy machine for half a minute
_DNS: Final = re.compile(r" dns req: (\d+),")


class RspamdTarget:
    """rspamd in a folder of its own; compiled expressions are kept there for the next start."""

    def __init__(self, folder: Path, dns: NameServer) -> None:
        """Write its configuration."""
        self.name = PROGRAM
        self._folder = folder
        self.address = f"unix:{folder}/milter.sock"
        self._redis = RedisServer(folder)
        self._server: Server | None = None
        self._log = folder / "log" / "rspamd.log"
        for name in ("conf/override.d", "db", "run", "log"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name, text in _settings(folder, dns.port).items():
            (folder / "conf" / "override.d" / name).write_text(text)
        folder.chmod(0o755)

    def __enter__(self) -> Self:
        """Serving, every worker with its expressions compiled."""
        self._redis.start()
        self._log.unlink(missing_ok=True)
        (self._folder / "milter.sock").unlink(missing_ok=True)
        argv = [PROGRAM, "-f", "-c", str(CONFIGURATION), *self._user()]
        for name, part in {"DBDIR": "db", "RUNDIR": "run", "LOGDIR": "log", "LOCAL_CONFDIR": "conf"}.items():
            argv.append(f"--var={name}={self._folder / part}")
        self._server = Server(argv, self._folder / "rspamd.out")
        self._server.wait_ready(self._ready, START_SECONDS)
        return self

    def __exit__(self, *problem: object) -> None:
        """Stopped."""
        if self._server is not None:
            self._server.stop()
        self._redis.kill()

    def cpu(self) -> dict[str, float]:
        """Its own, and its Redis's."""
        return measure.cpu(self._pid, _role) | {"redis": measure.alone(self._redis_pid())}

    def memory(self) -> dict[str, list[float]]:
        """By role."""
        return measure.memory(self._pid, _role)

    def questions(self) -> Questions:
        """From its log, which counts per message. It has no cache of answers: what it asks, it asks on the wire."""
        total = float(sum(int(count) for count in _DNS.findall(self._log.read_text(errors="replace"))))
        return Questions(total, total)

    @property
    def _pid(self) -> int:
        return self._server.pid if self._server is not None else 0

    def _redis_pid(self) -> int:
        with self._redis.client() as client:
            return int(client.info("server")["process_id"])

    def _ready(self) -> bool:
        if not self._log.exists() or not answers(self.address):
            return False
        log = self._log.read_text(errors="replace")
        return len(COMPILED.findall(log)) >= WORKERS or CACHED in log

    def _user(self) -> list[str]:
        """Started by root it becomes the package's user, who must be able to write into the folder."""
        if os.geteuid() != 0:
            return []
        entry = pwd.getpwnam("_rspamd")
        for path in [self._folder, *self._folder.rglob("*")]:
            if path.name != "r.sock":
                os.chown(path, entry.pw_uid, entry.pw_gid)
        (self._folder / "r.sock").chmod(0o666)
        return ["-u", "_rspamd", "-g", "_rspamd"]


def installed() -> bool:
    """Whether the package is there."""
    return shutil.which(PROGRAM) is not None and CONFIGURATION.exists()


def _settings(folder: Path, port: int) -> dict[str, str]:
    off = "enabled = false;\n"
    return {
        "options.inc": f'dns {{ nameserver = ["127.0.0.1:{port}"]; timeout = 2s; retransmits = 2; }}\n',
        "redis.conf": f'servers = "{folder}/r.sock";\n',
        "milter_headers.conf": 'use = ["authentication-results"];\n',
        "greylist.conf": off,
        "worker-normal.inc": off,
        "worker-controller.inc": off,
        "worker-proxy.inc": f'bind_socket = "{folder}/milter.sock mode=0666";\ncount = {WORKERS};\n'
        'upstream "local" { default = yes; self_scan = yes; }\n',
    }


def _role(_one: Process) -> str:
    return PROGRAM
