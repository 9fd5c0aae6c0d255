"""What is kept of a message: the evidence of a held one, the journal row of every one."""

from dataclasses import dataclass, field
from typing import Protocol

from filterd.model.dns import Answer
from filterd.model.inspection import Inspection
from filterd.model.message import RawMessage
from filterd.model.report import CheckReport
from filterd.model.session import Client, Envelope
from filterd.model.verdict import Verdict

EVIDENCE_VERSION = 1


class CustodyError(Exception):
    """The message could not be stored safely: nothing was kept, the client must be told to try again."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a verdict was made from, so that it can be explained and replayed offline.

    Times are epoch seconds. `sha256` is over the raw bytes (header block and body) and names the stored blob. `relay`
    brought the message, where that was one of ours and `client` and `helo` are those of the host behind it.
    """

    id: str
    received: float
    sha256: str
    size: int
    client: Client
    helo: str
    envelope: Envelope
    trust: str
    macros: dict[str, str]
    answers: tuple[Answer, ...]
    inspection: Inspection | None
    reports: tuple[CheckReport, ...]
    verdict: Verdict
    config_id: str
    rule_set: str
    model_id: str = ""
    state: dict[str, str] = field(default_factory=dict)  # what was read from shared state, by key
    held_for: tuple[str, ...] = ()  # addresses of the recipients this copy is for
    queue_id: str = ""
    relay: Client | None = None
    relay_helo: str = ""
    version: int = EVIDENCE_VERSION


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One message's fate without its body. `symbols` are name=weight pairs; `header_from` is an address.

    Of a message that was shared out by policies there is one for each; `policy` as `Verdict.policy`. `note` is what
    there is to say beside the reason: how long it had waited that was greylisted. `place` says who keeps a held one:
    empty where we do, `mta` where the MTA has it in its hold queue.
    """

    id: str
    received: float
    action: str
    code: str
    score: float
    client: str
    helo: str
    sender: str
    recipients: tuple[str, ...]
    header_from: str
    subject: str
    message_id: str
    queue_id: str
    size: int
    sha256: str
    symbols: tuple[str, ...]
    ms: float
    observed: str = ""
    policy: str = ""
    note: str = ""
    place: str = ""


class Custodian(Protocol):
    """Keeps held messages."""

    def hold(self, evidence: Evidence, message: RawMessage) -> str:
        """Store both durably (fsync, then commit) and give back the entry's id. CustodyError: nothing was kept."""


class JournalWriter(Protocol):
    """Keeps a row of every verdict."""

    def record(self, row: JournalRow) -> None:
        """Queue the row; it is written within a bounded time. Never raises, never waits for a disk."""
