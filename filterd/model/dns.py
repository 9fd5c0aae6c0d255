"""DNS as the evaluators see it: questions, answers, and plans that ask for them.

A *plan* is a generator: it yields a tuple of questions that may be asked at the same time, is sent the answers in the
same order, and returns its result. It holds no socket, clock or log, so the same plan runs on the cache alone, on the
live resolver, on a recording and on a fake (decision 001).
"""

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

T = TypeVar("T")


class RRType(StrEnum):
    """The record types filterd asks for."""

    A = "A"
    AAAA = "AAAA"
    CNAME = "CNAME"
    MX = "MX"
    NS = "NS"
    PTR = "PTR"
    SOA = "SOA"
    TXT = "TXT"


class Question(NamedTuple):
    """What to ask: `name` is lower-case ASCII (A-labels) without a trailing dot."""

    name: str
    rtype: RRType


class AnswerStatus(StrEnum):
    """How a question ended. Never confuse the last one with the two before it."""

    NOERROR = "noerror"  # records is not empty
    NODATA = "nodata"  # the name exists, without records of this type
    NXDOMAIN = "nxdomain"  # the name does not exist
    TEMPFAIL = "tempfail"  # nobody knows: timeout, SERVFAIL, REFUSED, budget used up


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one question.

    `records`: addresses and host names as text (names lower-case, no trailing dot); MX exchanges by ascending
    preference; for TXT each record's character-strings joined, one latin-1 character per byte.
    `ttl` is in seconds as cached answers age; `received` is epoch seconds; `cause` says why a TEMPFAIL is one.
    """

    question: Question
    status: AnswerStatus
    records: tuple[str, ...] = ()
    ttl: int = 0
    rcode: int = 0
    authenticated: bool = False
    received: float = 0.0
    cause: str = ""

    @property
    def failed(self) -> bool:
        """True where the answer is unknown, which is neither yes nor no."""
        return self.status is AnswerStatus.TEMPFAIL


Plan: TypeAlias = Generator[tuple[Question, ...], tuple[Answer, ...], T]


class Resolver(Protocol):
    """Where answers come from. Neither method raises: a failure is an Answer with status TEMPFAIL."""

    def peek(self, question: Question) -> Answer | None:
        """The cached answer, or None. Never waits; safe in any thread."""

    async def resolve(self, question: Question) -> Answer:
        """The answer from the cache or the network, within the resolver's own time limit."""
