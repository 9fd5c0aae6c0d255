"""A front over fakes behind a real libmilter, whose pipeline crashes where the client's names ask for it.

`python -m tests.milter.crashing unix:/path`. The sender `<header+ValueError@crash.test>` makes the header callback
raise a ValueError, `connect+ValueError.crash.test` as a client's or HELO name does so for CONNECT and HELO.
"""

import builtins
import sys
from typing import Any

from filterd.dns.loop import LoopThread
from filterd.milter import session
from filterd.milter.listener import open_listener, serve
from filterd.milter.sessions import Sessions
from filterd.model.inspection import Inspection, InspectionJob
from filterd.pipeline.transaction import Transaction
from filterd.telemetry import configure
from tests.pipeline.fakes import FakeInspectors, Front


def crash(callback: str, name: str) -> None:
    """Raise what a name asks for, if it asks for this callback."""
    wanted, plus, error = name.partition("@")[0].removesuffix(".crash.test").partition("+")
    if plus and wanted == callback:
        raise getattr(builtins, error)("asked for")


class Crashing(Transaction):
    """Raises where it is told to."""

    def __init__(self, parts: Any, peer: Any) -> None:
        """For CONNECT."""
        crash("connect", peer.client.name if not peer.helo else "")
        super().__init__(parts, peer)

    def hello(self, name: str) -> None:
        """For HELO."""
        crash("hello", name)
        super().hello(name)

    def mail(self, sender: str, parameters: tuple[str, ...], macros: Any) -> None:
        """For MAIL."""
        crash("mail", sender)
        super().mail(sender, parameters, macros)

    def rcpt(self, address: str, exact: str, resolved: str = "") -> None:
        """For RCPT."""
        crash("rcpt", self.envelope.sender)
        super().rcpt(address, exact, resolved)

    def header(self, name: bytes, value: bytes) -> None:
        """For every field of the header."""
        crash("header", self.envelope.sender)
        super().header(name, value)

    def end_of_headers(self) -> None:
        """For the end of the header."""
        crash("eoh", self.envelope.sender)
        super().end_of_headers()

    def chunk(self, data: bytes) -> None:
        """For every piece of the body."""
        crash("body", self.envelope.sender)
        super().chunk(data)

    def close(self) -> None:
        """For the end, the abort and the close."""
        crash("close", self.envelope.sender)
        super().close()


class CrashingInspectors(FakeInspectors):
    """Raises at the end of a message."""

    def inspect(self, job: InspectionJob, body_fd: int, deadline: float) -> Inspection:
        """For end of message."""
        crash("eom", job.sender)
        return super().inspect(job, body_fd, deadline)


def main() -> None:
    """Serve until SIGTERM."""
    configure("info", "json")
    vars(session)["Transaction"] = Crashing
    open_listener(sys.argv[1], 0o600)
    loop = LoopThread("lookups")
    loop.start()
    serve(Front(loop, inspectors=CrashingInspectors()).parts(), Sessions())


if __name__ == "__main__":
    main()
