"""A private clamd with a signature of its own, so that nothing is downloaded."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Final

from filterd.clamd import ping
from filterd.config.listen import Listen, parse_listen
from filterd.scanners import ScannerError
from tests.support.process import Process, free_port, open_folder, require_program

NAME: Final = "Test.Payload"
STREAM_MAX: Final = 2_000_000  # bytes; its StreamMaxLength, to be reached by a test
PAYLOAD: Final = b"What the tests take for malicious.\r\n" * 4


@dataclass(frozen=True)
class ClamdServer:
    """Where it listens, and its process for faults."""

    address: Listen
    tcp: Listen
    process: Process

    @property
    def configured(self) -> str:
        """As `[clamd] address`."""
        return self.address.libmilter


@contextmanager
def clamd_server() -> Iterator[ClamdServer]:
    """A running clamd on a unix socket, killed at the end."""
    require_program("clamd")
    with open_folder() as folder:
        (folder / "db").mkdir()
        digest = md5(PAYLOAD, usedforsecurity=False).hexdigest()
        (folder / "db" / "test.hdb").write_text(f"{digest}:{len(PAYLOAD)}:{NAME}\n")
        sock = folder / "c.sock"
        port = free_port()
        (folder / "clamd.conf").write_text(
            f"LocalSocket {sock}\nDatabaseDirectory {folder}/db\nForeground yes\nTemporaryDirectory {folder}\n"
            f"TCPSocket {port}\nTCPAddr 127.0.0.1\nStreamMaxLength {STREAM_MAX}\nLogFile {folder}/clamd.log\n"
        )
        server = ClamdServer(parse_listen(f"unix:{sock}"), parse_listen(f"inet:{port}@127.0.0.1"), _start(folder))
        server.process.wait_ready(lambda: _answers(server.address) and _answers(server.tcp))
        try:
            yield server
        finally:
            server.process.kill()


def _start(folder: Path) -> Process:
    return Process(["clamd", "--config-file", str(folder / "clamd.conf")], folder / "out.log")


def _answers(address: Listen) -> bool:
    try:
        ping(address, time.monotonic() + 5)
    except ScannerError:
        return False
    return True
