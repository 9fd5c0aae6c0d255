"""pymilter's context, without libmilter behind it."""

import socket
from collections.abc import Mapping
from typing import Any

import milter

from filterd.milter.session import Session
from filterd.milter.sessions import Sessions
from filterd.pipeline.parts import Parts

MODERN = (0x1FF, 0x1FFFFF)  # what Postfix and Sendmail offer: actions, steps
STRANGER = ("198.51.100.7", 4711)
OLD = (0x3F, 0x7F)  # a version 2 MTA: no no-reply flags, no SKIP, no leading space


class FakeContext:
    """Macros in, edits and replies out."""

    def __init__(self, macros: Mapping[str, str] | None = None) -> None:
        """Take the macros that are there all the time."""
        self.macros = dict(macros or {})
        self.undecodable: set[str] = set()
        self.wanted: dict[int, str] = {}
        self.edits: list[tuple[Any, ...]] = []
        self.reply: tuple[str, str, str] | None = None

    def getsymval(self, name: str) -> str | None:
        """As pymilter: a macro that is no UTF-8 is an exception."""
        if name in self.undecodable:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
        return self.macros.get(name)

    def setsymlist(self, stage: int, names: str) -> None:
        """Take what is asked for."""
        self.wanted[stage] = names

    def addheader(self, name: str, value: str, index: int) -> None:
        """Insert."""
        self.edits.append(("add", index, name, value))

    def chgheader(self, name: str, occurrence: int, value: str) -> None:
        """Change."""
        self.edits.append(("change", occurrence, name, value))

    def delrcpt(self, recipient: str) -> None:
        """Remove."""
        self.edits.append(("remove", recipient))

    def quarantine(self, reason: str) -> None:
        """Hold."""
        self.edits.append(("hold", reason))

    def setreply(self, code: str, enhanced: str, text: str) -> None:
        """As pymilter hands it to libmilter, which formats: a lone per cent sign is an error there."""
        if text.replace("%%", "").count("%"):
            raise ValueError("unescaped %")
        self.reply = (code, enhanced, text)


def opened(
    parts: Parts,
    context: FakeContext | None = None,
    *,
    offer: tuple[int, int] = MODERN,
    sessions: Sessions | None = None,
) -> Session:
    """A session that has negotiated."""
    session = Session(context or FakeContext(), parts, sessions or Sessions())
    offered = [*offer, 0, 0]
    assert session.negotiate(offered) == milter.CONTINUE
    return session


def greet(session: Session) -> None:
    """CONNECT and HELO of a stranger."""
    session.connect("mail.sender.test", socket.AF_INET, STRANGER)
    session.hello("mail.sender.test")


def send(session: Session, sender: bytes = b"<anna@sender.test>", *fields: tuple[str, bytes]) -> int:
    """A message up to its end."""
    session.envelope_from(sender)
    session.envelope_recipient(b"<user@local.test>")
    for name, value in fields or (("Subject", b" x"),):
        session.header(name, value)
    session.end_of_headers()
    session.body(b"Hello\r\n")
    return session.end_of_message()
