"""The answer: one action, one reason, one reply, and the edits that go with it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from filterd.model.report import Finding

MAX_REPLY_TEXT = 480  # bytes; RFC 5321, section 4.5.3.1.5 allows 512 for the whole line


class Action(StrEnum):
    """What becomes of a message, mildest first: the order is part of the interface (`scan --fail-on`)."""

    ACCEPT = "accept"
    ADD_HEADER = "add_header"
    GREYLIST = "greylist"
    DEFER = "defer"
    QUARANTINE = "quarantine"
    REJECT = "reject"
    DISCARD = "discard"

    @property
    def rank(self) -> int:
        """The place in the order, 0 for accept."""
        return _RANKS[self]


_RANKS = {action: rank for rank, action in enumerate(Action)}


@dataclass(frozen=True, slots=True)
class SmtpReply:
    """A refusal: code, enhanced code (RFC 3463) and one line of printable ASCII. Contradictions raise ValueError."""

    code: int
    enhanced: str
    text: str

    def __post_init__(self) -> None:
        """Refuse what an MTA would pass on wrongly: classes that differ, several lines, unprintable text."""
        if self.code // 100 not in {4, 5} or self.enhanced[:2] != f"{self.code // 100}.":
            raise ValueError(f"reply {self.code} does not agree with {self.enhanced}")
        if not self.text.isascii() or not self.text.isprintable() or len(self.text) > MAX_REPLY_TEXT:
            raise ValueError("a reply is one line of printable ASCII of at most 480 characters")


@dataclass(frozen=True, slots=True)
class ScoredSymbol:
    """A finding with the weight it counted; `capped` is what the group's cap took away.

    `replaced` names the composite that counts in its place, empty where there is none.
    """

    finding: Finding
    check: str
    weight: float
    capped: float = 0.0
    replaced: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`code` is the machine reason, `text` the same for a person; `reply` is None where the client is told 250.

    `observed` is the action that observe-only mode kept from happening, None otherwise. `policy` names whose recipients
    it is for, empty where the site's own decisions apply.
    """

    action: Action
    code: str
    text: str
    score: float = 0.0
    symbols: tuple[ScoredSymbol, ...] = ()
    reply: SmtpReply | None = None
    observed: Action | None = None
    policy: str = ""


@dataclass(frozen=True, slots=True)
class InsertHeader:
    """Put a field at `index` (0: topmost, above the MTA's own Received); the value comes without a leading blank."""

    index: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class DeleteHeader:
    """Remove the `occurrence`-th field of that name, 1-based as milters count; apply in the order given."""

    name: str
    occurrence: int


@dataclass(frozen=True, slots=True)
class DeleteRecipient:
    """Remove the recipient spelt exactly so."""

    exact: str


Edit: TypeAlias = InsertHeader | DeleteHeader | DeleteRecipient
