"""Exceptions in callbacks behind a real libmilter: the MTA is answered, in step, and the next message is judged."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.miltertalk import (
    ACCEPT,
    CONTINUE,
    REPLY,
    TEMPFAIL,
    Answer,
    Mail,
    MilterGoneError,
    Offer,
    Session,
)
from tests.support.process import Process, open_folder

pytestmark = pytest.mark.integration

STALLED = 10.0  # seconds; what stalls does so for minutes
ERRORS = ["ValueError", "MemoryError", "RecursionError", "KeyboardInterrupt", "SystemExit"]
OLD = Offer(2, 0x3F, 0x7F)
FIELDS = ((b"Subject", b" x"), (b"From", b" anna@sender.test"))


class Crashing:
    """The program with its log."""

    def __init__(self, folder: Path) -> None:
        """Start it."""
        self.address = f"unix:{folder}/milter.sock"
        self.process = Process([sys.executable, "-m", "tests.milter.crashing", self.address], folder / "log")
        self.process.wait_ready(self._answers)

    def _answers(self) -> bool:
        with suppress(OSError, MilterGoneError), self.session():
            return True
        return False

    def session(self, offer: Offer | None = None) -> Session:
        """A new session, its client greeted."""
        session = Session(self.address, offer or Offer(), timeout=STALLED)
        session.connect("mail.sender.test", "198.51.100.7")
        session.helo("mail.sender.test")
        return session

    def events(self) -> list[dict[str, Any]]:
        """Its log; a line that is no JSON fails here."""
        return [json.loads(line) for line in self.process.log.read_text().splitlines()]


@pytest.fixture(scope="module")
def crashing() -> Iterator[Crashing]:
    """One for all."""
    with open_folder() as folder:
        program = Crashing(folder)
        yield program
        program.process.kill()


def _mail(sender: str) -> Mail:
    return Mail(sender=f"<{sender}>", fields=FIELDS, body=b"Hello\r\n" * 20_000)


@pytest.mark.parametrize("offer", [Offer(), OLD], ids=["no-reply", "replies"])
@pytest.mark.parametrize("callback", ["mail", "rcpt", "header", "eoh", "body", "eom", "close"])
@pytest.mark.threat("MTA-04")
def test_a_crash_defers_its_message_and_nothing_else(crashing: Crashing, callback: str, offer: Offer) -> None:
    """All in one session: after each message that crashed comes one that is accepted."""
    with crashing.session(offer) as session:
        for error in ERRORS:
            answer = session.message(_mail(f"{callback}+{error}@crash.test"))
            assert answer.code == TEMPFAIL, (error, answer)
            assert session.message(_mail("anna@sender.test")).code == ACCEPT, error
        session.quit()
    crashed = [event for event in crashing.events() if event["event"] == "callback_crashed"]
    assert crashed[-1]["exception"].rstrip().endswith("SystemExit: asked for")


@pytest.mark.parametrize("offer", [Offer(), OLD], ids=["no-reply", "replies"])
@pytest.mark.threat("MTA-04")
def test_a_crash_before_mail_costs_nothing(crashing: Crashing, offer: Offer) -> None:
    """CONNECT and HELO that crash only start their lookups later: the message is judged."""
    for error in ERRORS:
        with Session(crashing.address, offer, timeout=STALLED) as session:
            session.connect(f"connect+{error}.crash.test", "198.51.100.7")
            session.helo(f"hello+{error}.crash.test")
            session.helo("mail.sender.test")
            assert session.message(_mail("anna@sender.test")).code == ACCEPT


@pytest.mark.threat("MTA-15")
def test_a_helo_that_is_no_utf8_is_deferred_and_the_session_goes_on(crashing: Crashing) -> None:
    """Our code never sees it: the client is told so at once, and a readable name is taken."""
    with crashing.session() as session:
        assert _code(session.helo("caf\udce9")) in {TEMPFAIL, REPLY}
        assert _code(session.helo("mail.sender.test")) == CONTINUE
        assert session.message(_mail("anna@sender.test")).code == ACCEPT


@pytest.mark.threat("OPS-09")
def test_what_pymilter_reports_is_a_line_of_json(crashing: Crashing) -> None:
    """Its own exceptions go through the log, not raw to standard error."""
    with crashing.session() as session:
        session.helo("caf\udce9")
    assert [event["callback"] for event in crashing.events() if event["event"] == "callback_crashed"][-1] == "pymilter"


def _code(answer: Answer | None) -> bytes:
    assert answer is not None
    return answer.code
