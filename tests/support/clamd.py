"""A private clamd with a signature of its own, so that nothing is downloaded."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Final

from filterd.clamd import ClamdError, instream
from filterd.config.listen import Listen, ListenKind, parse_listen
from filterd.model.message import RawMessage
from filterd.pipeline.body import Body
from tests.support.process import Process, open_folder, require_program

NAME: Final = "Test.Payload"
STREAM_MAX: Final = 2_000_000  # bytes; its StreamMaxLength, to be reached by a test
PAYLOAD: Final = b"What the tests take for malicious.\r\n" * 4


@dataclass(frozen=True)
class ClamdServer:
    """Where it listens, and its process for faults."""

    address: Listen
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
        (folder / "clamd.conf").write_text(
            f"LocalSocket {sock}\nDatabaseDirectory {folder}/db\nForeground yes\nTemporaryDirectory {folder}\n"
            f"StreamMaxLength {STREAM_MAX}\nLogFile {folder}/clamd.log\n"
        )
        server = ClamdServer(parse_listen(f"unix:{sock}"), _start(folder))
        server.process.wait_ready(lambda: _answers(server.address))
        try:
            yield server
        finally:
            server.process.kill()


def _start(folder: Path) -> Process:
    return Process(["clamd", "--config-file", str(folder / "clamd.conf")], folder / "out.log")


def _answers(address: Listen) -> bool:
    if address.kind is ListenKind.UNIX and not Path(address.path).is_socket():
        return False
    body = Body()
    try:
        instream(address, RawMessage((), body.fd, 0), time.monotonic() + 5)
    except ClamdError:
        return False
    finally:
        body.close()
    return True
