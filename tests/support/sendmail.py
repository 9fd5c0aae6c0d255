"""A private Sendmail: unpacked, never installed; own configuration, queue and ports, in a network of its own.

Debian's package cannot be installed beside Postfix, so that `deploy/setup.sh test` unpacks it into .venv/sendmail.
Sendmail has no XCLIENT: a client is posed by its address. In the network namespace of the server every IPv4 address is
this host's, and there is no way out of it.
"""

import ctypes
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from tests.support.process import Process, ServerError, refuse, require_program, wait_until
from tests.support.sink import Sink
from tests.support.smtp import Pose, SmtpClient

ROOT: Final = Path(__file__).resolve().parent.parent.parent
UNPACKED: Final = ROOT / ".venv" / "sendmail"
SHIPPED: Final = ROOT / "deploy" / "sendmail" / "filterd.m4"  # what operators put into their sendmail.mc
SOCKET: Final = "/run/filterd/milter.sock"  # as it stands there
PORT: Final = 25
RELEASE_PORT: Final = 10026  # as it stands in the shipped lines
HOST: Final = "smx.test"
CLONE_NEWNET: Final = 0x40000000  # linux/sched.h

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def run_folder() -> Iterator[Path]:
    """A fresh folder in /run: Sendmail refuses a milter's socket below a folder that the world can write to."""
    if os.geteuid() != 0:
        refuse("Sendmail can only be started by root")
    folder = Path(tempfile.mkdtemp(prefix="fd-", dir="/run"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Network:
    """A network and host name of its own: loopback alone, on which every IPv4 address is local."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made yet."""
        require_program("unshare", "nsenter", "ip")
        self._folder = folder
        self._holder: Process | None = None

    def __enter__(self) -> Self:
        """Make it; a process that only sleeps holds it."""
        here = "ip link set lo up && ip route add local 0.0.0.0/0 dev lo"
        log = self._folder / "network.log"
        argv = ["unshare", "--net", "--uts", "sh", "-c", f"hostname {HOST} && {here} && echo up && exec sleep inf"]
        self._holder = Process(argv, log)
        try:
            self._holder.wait_ready(lambda: "up" in log.read_text())
        except ServerError as error:
            refuse(f"no network namespace: {error}")
        return self

    def __exit__(self, *_: object) -> None:
        """Give it up; it goes when its last process has gone."""
        if self._holder is not None:
            self._holder.kill()

    def argv(self, *command: str) -> list[str]:
        """That command inside of it."""
        assert self._holder is not None
        return ["nsenter", "-t", str(self._holder.pid), "-n", "-u", *command]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Sockets that this thread makes here belong to that network, for as long as they live."""
        assert self._holder is not None
        other = Path(f"/proc/{self._holder.pid}/ns/net")
        with Path("/proc/thread-self/ns/net").open() as here, other.open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(here.fileno())

    def sink(self) -> Sink:
        """A mailbox that listens there."""
        with self.inside():
            return Sink()

    def client(self, port: int, pose: Pose) -> SmtpClient:
        """A client that has that address; its name is what Sendmail's resolver says, which knows none."""
        with self.inside():
            return SmtpClient(port, helo=pose.helo, source=pose.address)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def shipped(milter: Path, changes: Sequence[tuple[str, str]] = ()) -> str:
    """The shipped lines, the milter's socket replaced by the test's; every text that is changed must stand there."""
    text = SHIPPED.read_text()
    for old, new in ((SOCKET, str(milter)), *changes):
        assert old in text, f"{old} does not stand in {SHIPPED}"
        text = text.replace(old, new)
    return text


def mc(folder: Path, sink_port: int, lines: str) -> str:
    """A sendmail.mc that relays for local.test to a sink, with `lines` where an operator puts them."""
    return f"""divert(-1)
define(`_CF_DIR_', `{UNPACKED}/usr/share/sendmail/cf/')
include(_CF_DIR_`m4/cf.m4')
divert(0)dnl
OSTYPE(`linux')undefine(`PROCMAIL_MAILER_PATH')dnl
define(`MAIL_SETTINGS_DIR', `{folder}/etc/')define(`confSERVICE_SWITCH_FILE', `{folder}/etc/switch')dnl
define(`QUEUE_DIR', `{folder}/queue')define(`confPID_FILE', `{folder}/sendmail.pid')define(`ALIAS_FILE', `')dnl
define(`STATUS_FILE', `')define(`HELP_FILE', `')dnl
define(`confDOMAIN_NAME', `{HOST}')define(`confDONT_PROBE_INTERFACES', `true')dnl
define(`confTO_IDENT', `0')define(`confMIN_QUEUE_AGE', `0')dnl
define(`confQUEUE_LA', `999')define(`confREFUSE_LA', `999')dnl
define(`confDELIVERY_MODE', `background')define(`confLOG_LEVEL', `0')dnl
FEATURE(`no_default_msa')FEATURE(`accept_unresolvable_domains')FEATURE(`nocanonify')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr=127.0.0.1, Port={PORT}')dnl
RELAY_DOMAIN(`local.test')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')define(`RELAY_MAILER_ARGS', `TCP $h {sink_port}')dnl
{lines}MAILER(`smtp')dnl
"""


class Sendmail:
    """One instance in `folder` (below /run) and `network`: `with Sendmail(...) as sendmail`."""

    port: Final = PORT
    release_port: Final = RELEASE_PORT

    def __init__(
        self,
        folder: Path,
        network: Network,
        *,
        sink_port: int,
        milter: Path,
        changes: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Nothing is started yet; `changes` are made in the shipped lines."""
        self.binary = UNPACKED / "usr/libexec/sendmail/sendmail"
        if not self.binary.exists():
            refuse("Sendmail is not unpacked (make test-setup)")
        require_program("m4")
        self.folder = folder
        self._network = network
        self._mc = mc(folder, sink_port, shipped(milter, changes))
        self._process: Process | None = None

    def __enter__(self) -> Self:
        """Write the configuration, make sendmail.cf of it, start, wait for both banners."""
        etc, queue = self.folder / "etc", self.folder / "queue"
        etc.mkdir(parents=True)
        queue.mkdir(mode=0o700)
        (etc / "switch").write_text("hosts files\naliases files\npasswd files\n")
        for name in ("local-host-names", "trusted-users"):
            (etc / name).write_text("")
        (etc / "sendmail.mc").write_text(self._mc)
        made = subprocess.run(["m4", str(etc / "sendmail.mc")], check=True, capture_output=True, text=True)
        assert not made.stderr, made.stderr
        self.cf.write_text(made.stdout)
        argv = [str(self.binary), "-C", str(self.cf), "-bD", "-q1s", "-X", str(self.folder / "trace")]
        self._process = Process(self._network.argv(*argv), self.folder / "log")
        self._process.wait_ready(lambda: self._greets(PORT) and self._greets(RELEASE_PORT))
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it and its children."""
        if self._process is not None:
            self._process.kill()

    @property
    def cf(self) -> Path:
        """What m4 made."""
        return self.folder / "etc" / "sendmail.cf"

    def queue(self) -> list[str]:
        """The names of the messages that wait."""
        return sorted(path.name for path in (self.folder / "queue").iterdir() if re.match(r"[qh]f", path.name))

    def wait_empty(self, within: float = 20.0) -> None:
        """Wait until every message has left the queue."""
        wait_until(lambda: not self.queue(), "queue empty", within)

    @property
    def trace(self) -> str:
        """Every SMTP dialogue so far."""
        return (self.folder / "trace").read_text(errors="replace")

    def _greets(self, port: int) -> bool:
        try:
            with self._network.inside(), socket.create_connection(("127.0.0.1", port), 5) as probe:
                return probe.recv(100).startswith(b"220")
        except OSError:
            return False
