"""Judge messages from files as if they had come by SMTP: same transaction, same checks, same decision, nothing kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filterd.domains import normalise_address
from filterd.mime.header import split
from filterd.model.session import Client
from filterd.model.verdict import Verdict
from filterd.pipeline.finish import finish
from filterd.pipeline.parts import Parts
from filterd.pipeline.shares import Share, severest
from filterd.pipeline.transaction import Peer, Transaction

MAX_FILE = 1 << 30  # bytes; far above any MTA's message_size_limit
_CHUNK = 1 << 20  # bytes handed to the transaction at once


@dataclass(frozen=True, slots=True)
class Session:
    """The SMTP session a scanned message is taken to have come by; empty values are unknown."""

    client_ip: str = ""
    client_name: str = ""
    helo: str = ""
    mail_from: str = ""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scanned:
    """One message's outcome; `transaction` is closed but can still be read.

    `shares` say what becomes of it for whom: several where recipients have different policies.
    """

    file: str
    verdict: Verdict
    transaction: Transaction
    shares: tuple[Share, ...]

    @property
    def worst(self) -> Verdict:
        """The severest verdict for any recipient."""
        return severest(self.shares)


def scan(parts: Parts, name: str, raw: bytes, session: Session) -> Scanned:
    """Judge one message, given whole as bytes; lines that end with LF alone are taken as sent with CRLF."""
    if raw.count(b"\n") != raw.count(b"\r\n"):  # files on disk; an MTA would make CRLF of them too
        raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    address = normalise_address(session.client_ip) if session.client_ip else ""
    transaction = Transaction(parts, Peer(Client(address, 0, session.client_name)))
    try:
        if session.helo:
            transaction.hello(session.helo)
        transaction.mail(session.mail_from, (), {})
        for recipient in session.recipients:
            transaction.rcpt(recipient, f"<{recipient}>")
        fields, offset = split(raw)
        for field_name, value in fields:
            transaction.header(field_name, value)
        transaction.end_of_headers()
        for start in range(offset, len(raw), _CHUNK):
            transaction.chunk(raw[start : start + _CHUNK])
        decision = finish(transaction)
        return Scanned(name, decision.verdict, transaction, decision.shares)
    finally:
        transaction.close()


def messages_in(paths: Sequence[Path]) -> Iterator[Path]:
    """The files named, and those below the folders named, in order of their names."""
    for path in paths:
        if path.is_dir():
            yield from sorted(entry for entry in path.rglob("*") if entry.is_file())
        else:
            yield path
