"""What the ledger knows of a held message: enough to list, filter and find it."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from filterd.model.custody import Evidence
from filterd.model.ids import public_id
from filterd.model.message import RawMessage

MAX_TEXT: Final = 1_000  # characters per column: what a listing needs; evidence and blob hold all
MAX_SYMBOLS: Final = 200  # names kept to be looked for
MAX_SUBJECT_SCAN: Final = 100  # header fields looked at for a Subject that no inspector has read


class State(StrEnum):
    """What has become of a held message."""

    HELD = "held"
    RELEASING = "releasing"  # given to the MTA, or to be given again: what it said is not known or was "later"
    DELIVERED = "delivered"  # the MTA has said 250
    FAILED = "failed"  # the MTA has refused it for good; the message is still here
    DELETED = "deleted"
    EXPIRED = "expired"


WAITING: Final = (State.HELD, State.FAILED)  # for somebody to decide
ENDED: Final = (State.DELIVERED, State.DELETED, State.EXPIRED)  # files go after a while; until then `restore` undoes it


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where: an account with its terminal or client, or a part of the daemon.

    Both come from outside, and are made texts that any ledger takes.
    """

    name: str
    origin: str = ""

    def __post_init__(self) -> None:
        """Undecodable bytes are shown as escapes: an account's name must not keep its deeds out of the audit."""
        object.__setattr__(self, "name", storable(self.name))
        object.__setattr__(self, "origin", storable(self.origin))


@dataclass(frozen=True, slots=True)
class Entry:
    """One held message. Texts are hostile, cut at MAX_TEXT, and without lone surrogates.

    `digest` is common to retries of one message (same bytes, sender and recipients); `copies` is how many entries of
    this state share it. Times are epoch seconds.
    """

    id: str
    received: float
    state: State
    digest: str
    sender: str
    recipients: tuple[str, ...]
    client: str
    helo: str
    subject: str
    header_from: str
    code: str
    text: str
    score: float
    size: int
    sha256: str
    queue_id: str
    symbols: tuple[str, ...] = ()
    changed: float = 0.0  # when it came into its state
    attempts: int = 0  # of a release
    due: float = 0.0  # when the next is
    outcome: str = ""  # what the MTA said last
    targets: tuple[str, ...] = ()  # to whom it is released
    files: bool = True  # whether message and evidence are still there
    kept: bool = False  # under legal hold: neither expiry nor deletion touches it
    copies: int = 1

    @property
    def public_id(self) -> str:
        """The part of the id that the sender was told."""
        return public_id(self.id)


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries to list; None asks nothing. Texts are looked for anywhere in the field, case ignored (ASCII)."""

    state: State | None = State.HELD
    states: tuple[State, ...] = ()  # where it is one of several; `state` is not looked at then
    sender: str | None = None
    recipient: str | None = None
    subject: str | None = None
    code: str | None = None
    symbol: str | None = None
    since: float | None = None
    until: float | None = None
    min_score: float | None = None


def storable(text: str, most: int = MAX_TEXT) -> str:
    """The text as any database's column takes it, at most `most` characters.

    NUL and lone surrogates are shown as backslash escapes: PostgreSQL has no NUL in texts.
    """
    text = text[:most].replace("\0", "\\x00")[:most]
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()[:most]
    return text


def entry_of(evidence: Evidence, message: RawMessage) -> Entry:
    """The ledger's view of this evidence."""
    recipients = evidence.held_for or tuple([recipient.address for recipient in evidence.envelope.recipients])
    sender = evidence.envelope.sender
    inspection = evidence.inspection
    mailboxes = inspection.author.mailboxes if inspection else ()
    return Entry(
        id=evidence.id,
        received=evidence.received,
        state=State.HELD,
        digest=retry_digest(evidence.sha256, sender, recipients),
        sender=storable(sender),
        recipients=tuple([storable(recipient) for recipient in recipients]),
        client=storable(evidence.client.address),
        helo=storable(evidence.helo),
        subject=storable(inspection.subject if inspection else _raw_subject(message)),
        header_from=storable(f"{mailboxes[0].local_part}@{mailboxes[0].domain}" if mailboxes else ""),
        code=evidence.verdict.code,
        text=storable(evidence.verdict.text),
        score=evidence.verdict.score,
        size=evidence.size,
        sha256=evidence.sha256,
        queue_id=storable(evidence.queue_id),
        symbols=tuple([scored.finding.symbol for scored in evidence.verdict.symbols[:MAX_SYMBOLS]]),
        changed=evidence.received,
    )


def retry_digest(sha256: str, sender: str, recipients: tuple[str, ...]) -> str:
    """What a retry of the same message has in common with the first attempt."""
    texts = [sha256, sender, *sorted(set(recipients))]
    framed = b"".join(
        [b"%d:%b" % (len(data), data) for data in (text.encode("utf-8", "surrogatepass") for text in texts)]
    )
    return hashlib.sha256(framed).hexdigest()


def _raw_subject(message: RawMessage) -> str:
    """The undecoded Subject of a message that no inspector has read."""
    for name, value in message.fields[:MAX_SUBJECT_SCAN]:
        if name.strip().lower() == b"subject":
            return value[: MAX_TEXT * 2].decode("utf-8", "replace").strip()
    return ""
