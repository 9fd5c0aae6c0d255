"""The raw milter client, checked against libmilter itself."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.miltertalk import NR_HEADERS, REPLY, Mail, MilterGoneError, Offer, Session
from tests.support.process import Process, free_port, open_folder

MILTER = """
import sys
import Milter

class Echo(Milter.Base):
    @Milter.noreply
    def header(self, name, value):
        self.seen = [*getattr(self, "seen", []), (name, value)]
        return Milter.CONTINUE
    def envfrom(self, sender, *parameters):
        self.seen = []
        return Milter.CONTINUE
    def envrcpt(self, recipient, *parameters):
        if "bad" in recipient:
            self.setreply("550", "5.1.1", "no such user")
            return Milter.REJECT
        return Milter.CONTINUE
    def body(self, chunk):
        return Milter.CONTINUE
    def eom(self):
        self.addheader("X-Seen", repr(self.seen), 0)
        self.chgheader("X-Old", 2, "")
        self.delrcpt("<user@local.test>")
        return Milter.CONTINUE

Milter.factory = Echo
Milter.set_flags(Milter.ADDHDRS | Milter.CHGHDRS | Milter.DELRCPT)
Milter.runmilter("echo", sys.argv[1], 30)
"""


@pytest.fixture(params=["unix", "inet"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """A small libmilter program and where it listens."""
    with open_folder() as folder:
        where = f"unix:{folder}/m.sock" if request.param == "unix" else f"inet:{free_port()}@127.0.0.1"
        process = Process([sys.executable, "-c", MILTER, where], Path(folder) / "log")

        def answers() -> bool:
            try:
                Session(where, Offer()).quit()
            except (OSError, MilterGoneError):
                return False
            return True

        process.wait_ready(answers)
        yield where
        process.kill()


def test_a_message_and_its_edits(address: str) -> None:
    """Headers arrive as sent, edits come back decoded, and messages of one session are apart."""
    with Session(address, Offer()) as session:
        assert session.steps & NR_HEADERS
        session.connect()
        session.helo()
        for subject in (b" one", b" two"):
            answer = session.message(Mail(fields=[(b"Subject", subject)], body=b"x" * 70_000))
            assert answer.added == [(0, b"X-Seen", repr([("Subject", subject.strip().decode())]).encode())]
            assert answer.changed == [(2, b"X-Old", b"")]
            assert answer.removed == [b"<user@local.test>"]
            assert not answer.refuses
        session.quit()


def test_a_refused_recipient(address: str) -> None:
    """A reply code is read with its text, and a message without recipients ends there."""
    with Session(address, Offer()) as session:
        session.connect(address="2001:db8::1")
        session.helo()
        answer = session.message(Mail(recipients=["<bad@local.test>"]))
        assert (answer.code, answer.text) == (REPLY, "550 5.1.1 no such user")
