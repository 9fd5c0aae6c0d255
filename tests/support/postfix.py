"""A private Postfix: own configuration, queue and ports on loopback; no service of the system is touched.

Two listeners: `port` passes the milter; `release_port` does not, and is made of the very lines that deploy/postfix
ships. Mail for local.test goes on to a sink.
"""

import grp
import json
import os
import pwd
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from tests.support.process import Process, free_port, refuse, require_program, wait_until
from tests.support.smtp import SmtpClient

SHIPPED: Final = Path(__file__).resolve().parents[2] / "deploy" / "postfix" / "master.cf"  # what operators append
SHIPPED_LISTENER: Final = "127.0.0.1:10026 inet "  # as it stands there
MASTER = "/usr/lib/postfix/sbin/master"
QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")
LONG_AGO = (1, 1)  # a main.cf changed within the last seconds makes every Postfix process sleep

# name, type, private, unprivileged, wakeup, processes, program
SERVICES = """
pickup unix n - 60 1 pickup
cleanup unix n - - 0 cleanup
qmgr unix n - 300 1 qmgr
rewrite unix - - - - trivial-rewrite
bounce unix - - - 0 bounce
defer unix - - - 0 bounce
trace unix - - - 0 bounce
verify unix - - - 1 verify
flush unix n - 1000? 0 flush
proxymap unix - - - - proxymap
smtp unix - - - - smtp
relay unix - - - - smtp
showq unix n - - - showq
error unix - - - - error
retry unix - - - - error
discard unix - - - - discard
anvil unix - - - 1 anvil
tlsmgr unix - - 1000? 1 tlsmgr
postlog unix-dgram n - - 1 postlogd
"""


def master_cf(port: int, release_port: int) -> str:
    """Services as Debian has them, none in a chroot, and the two listeners."""
    lines = [
        f"127.0.0.1:{port} inet n - n - 100 smtpd",
        release_stanza(release_port),
    ]
    for service in SERVICES.strip().splitlines():
        name, kind, private, unprivileged, wakeup, processes, program = service.split()
        lines.append(f"{name} {kind} {private} {unprivileged} n {wakeup} {processes} {program}")
    return "\n".join(lines) + "\n"


def release_stanza(port: int) -> str:
    """The listener for released mail as it is shipped, on another port."""
    text = SHIPPED.read_text()
    assert text.count(SHIPPED_LISTENER) == 1, f"expected one {SHIPPED_LISTENER!r} in {SHIPPED}"
    return text.replace(SHIPPED_LISTENER, f"127.0.0.1:{port} inet ").rstrip("\n")


class Postfix:
    """One instance in `folder`; `with Postfix(folder, milter="unix:/path", sink_port=N) as postfix`."""

    def __init__(
        self, folder: Path, *, sink_port: int, milter: str = "", settings: Mapping[str, str] | None = None
    ) -> None:
        """Write the configuration; `milter` in Postfix' own spelling (inet:HOST:PORT), `settings` override main.cf."""
        require_program("postconf", "setpriv")
        if os.geteuid() != 0:
            refuse("Postfix' master can only be started by root")
        self.folder = folder
        self.config = folder / "etc"
        self.port, self.release_port = free_port(), free_port()
        self._settings = self._defaults(sink_port, milter) | dict(settings or {})
        self._process: Process | None = None

    def _defaults(self, sink_port: int, milter: str) -> dict[str, str]:
        folder = self.folder
        return {
            "compatibility_level": "3.7",
            "queue_directory": f"{folder}/queue",
            "data_directory": f"{folder}/data",
            "maillog_file": f"{folder}/log/mail.log",
            "maillog_file_prefixes": f"{folder}/log",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "all",
            "myhostname": "mx.filterd.test",
            "mydestination": "",
            "mynetworks": "",
            "local_recipient_maps": "",
            "relay_domains": "local.test",
            "relay_transport": f"smtp:[127.0.0.1]:{sink_port}",
            "default_transport": "error:5.7.1 nothing leaves the test",
            "smtp_connection_cache_on_demand": "no",
            "smtp_line_length_limit": "0",
            "message_drop_headers": "",
            "local_header_rewrite_clients": "",
            "smtpd_peername_lookup": "no",
            "smtpd_authorized_xclient_hosts": "127.0.0.1",
            "smtpd_relay_restrictions": "reject_unauth_destination",
            "smtpd_forbid_bare_newline": "normalize",
            "smtpd_error_sleep_time": "0",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_milters": milter,
            "milter_default_action": "tempfail",
            "milter_connect_timeout": "10s",
            "milter_command_timeout": "30s",
            "milter_content_timeout": "120s",
            "message_size_limit": "51200000",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "1s",
            "queue_run_delay": "1s",
        }

    def __enter__(self) -> Self:
        """Start it and wait for the banner."""
        self._make_folders()
        self._write()
        self._start()
        return self

    def restart(self) -> None:
        """Have every process read the configuration anew.

        A reload would end few of them, and now and then leave postlogd waiting at its own socket and all others for it.
        """
        if self._process is not None:
            self._process.stop()
        self._start()

    def _start(self) -> None:
        self._process = Process([MASTER, "-c", str(self.config), "-d"], self.folder / "log" / "master.log")
        self._process.wait_ready(lambda: _greets(self.port) and _greets(self.release_port))

    def __exit__(self, *_: object) -> None:
        """Stop it; master ends all its processes."""
        if self._process is not None:
            self._process.stop()

    def _make_folders(self) -> None:
        """What `postfix check` would make, in the tenth of the time."""
        postfix, postdrop = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
        for name in ("etc", "log"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "data").mkdir()
        os.chown(self.folder / "data", postfix, -1)
        rights = dict.fromkeys(QUEUES, (0o700, postfix, 0))
        rights |= {"maildrop": (0o1730, postfix, postdrop), "public": (0o2710, postfix, postdrop), "pid": (0o755, 0, 0)}
        for name, (mode, uid, gid) in rights.items():
            path = self.folder / "queue" / name
            path.mkdir(parents=True)
            os.chown(path, uid, gid)
            path.chmod(mode)

    def _write(self) -> None:
        main = "".join(f"{key} = {value}\n" for key, value in self._settings.items())
        for name, text in (("main.cf", main), ("master.cf", master_cf(self.port, self.release_port))):
            path = self.config / name
            path.write_text(text)
            os.utime(path, LONG_AGO)

    def tool(self, program: str, *arguments: str) -> str:
        """Run postqueue, postsuper, postcat, postconf on this instance and give back what it printed."""
        command = [program, "-c", str(self.config), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def queue(self) -> list[dict[str, object]]:
        """The queue's messages as `postqueue -j` tells them: queue_name, queue_id, sender, recipients."""
        return [json.loads(line) for line in self.tool("postqueue", "-j").splitlines()]

    def wait_empty(self, within: float = 20.0) -> None:
        """Wait until every message has left the queue."""
        wait_until(lambda: not self.queue(), "queue empty", within)

    @property
    def log(self) -> str:
        """The mail log so far."""
        path = self.folder / "log" / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""


def _greets(port: int) -> bool:
    try:
        with SmtpClient(port) as client:
            return client.banner.code == 220
    except OSError:
        return False
