"""Answers as values in the shared store: what is written, and what is believed of what is read.

Everything that can write there is trusted no further than a packet is: a value that `encoded` would not have written is
no answer, and its times are bounded by this process's own clamps.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from filterd.dns.cache import STALE, lifetime
from filterd.dns.codec import MAX_RECORDS, NXDOMAIN
from filterd.dns.names import MAX_NAME
from filterd.model.dns import Answer, AnswerStatus, Question, RRType

PREFIX: Final = "dns1"  # the number is the format's: fronts of two versions never read each other's values
MAX_VALUE: Final = 4_096  # bytes; nearly all answers need 100, and a batch of them must fit into a front's memory
# Seconds that an answer with a longer life is shared. Most names of mail are never asked for again, and what piles up
# in Redis takes the place of what else it keeps: 270 bytes each, twice as long as this at most.
MAX_SHARED: Final = 1_800
MAX_SKEW: Final = 60.0  # seconds that another host's clock may be ahead; beyond that its times mean nothing here
MAX_TTL: Final = 0x7FFF_FFFF  # RFC 2181, section 8

# A name as `codec` writes it: lower case, escapes for what text cannot hold, "." for the root.
_PART: Final = r"(?:[!-\-/-@\[\]-~]|\\(?:[0-9]{3}|[.\\]))+"
_NAME: Final = re.compile(rf"\.|{_PART}(?:\.{_PART})*")
_MAX_TEXT: Final = 4 * MAX_NAME  # characters of a name in which every byte is an escape


@dataclass(frozen=True, slots=True)
class Shared:
    """An answer from the store, and for how many seconds more it is fresh; 0 or less: stale, and for how long."""

    answer: Answer
    left: float


class _Value(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """The status of an answer, when it was received (epoch seconds), and the rest of it."""

    status: AnswerStatus
    received: float
    ttl: Annotated[int, Meta(ge=0, le=MAX_TTL)]
    authenticated: bool
    records: Annotated[tuple[str, ...], Meta(max_length=MAX_RECORDS)]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Value).decode


def key(question: Question) -> str:
    """Under what an answer is kept; empty where none is."""
    name, rtype = question
    if len(name) > MAX_NAME or rtype not in _CHECKS:
        return ""
    return f"{PREFIX}:{rtype}:{name.lower()}"


def encoded(answer: Answer) -> tuple[bytes, int] | None:
    """The value and the seconds it is kept, or None where it is not to be shared.

    A failure is not: it says something about this host's way to a zone, and others may have a better one. An answer
    stays for as long again as it is shared: it is what a front that has just started falls back on when nobody answers.
    """
    if answer.failed or answer.cause:
        return None
    value = _encode(_Value(answer.status, answer.received, answer.ttl, answer.authenticated, answer.records))
    return (value, 2 * min(lifetime(answer), MAX_SHARED)) if len(value) <= MAX_VALUE else None


def decoded(question: Question, value: bytes, now: float) -> Shared | None:
    """The answer to `question` that a value holds, `now` in epoch seconds; None where it holds none. Never raises."""
    if len(value) > MAX_VALUE:
        return None
    try:
        found = _decode(value)
        _CHECKS[question.rtype](found.records)
    except (msgspec.DecodeError, ValueError, OSError, KeyError):
        return None
    known = found.status is AnswerStatus.NOERROR
    if found.status is AnswerStatus.TEMPFAIL or known is not bool(found.records) or not math.isfinite(found.received):
        return None
    rcode = NXDOMAIN if found.status is AnswerStatus.NXDOMAIN else 0
    answer = Answer(question, found.status, found.records, found.ttl, rcode, found.authenticated, found.received)
    keep = lifetime(answer)
    age = now - found.received
    if not -MAX_SKEW <= age < keep + min(keep, STALE):
        return None
    return Shared(answer, min(keep - age, keep))


def _addresses(family: int) -> Callable[[tuple[str, ...]], None]:
    def check(records: tuple[str, ...]) -> None:
        for text in records:
            if inet_ntop(family, inet_pton(family, text)) != text:
                raise ValueError("not as the codec writes it")

    return check


def _texts(records: tuple[str, ...]) -> None:
    for text in records:
        text.encode("latin-1")


def _names(records: tuple[str, ...]) -> None:
    for text in records:
        if len(text) > _MAX_TEXT or _NAME.fullmatch(text) is None:
            raise ValueError("no name")


_CHECKS: Final = {
    RRType.A: _addresses(AF_INET),
    RRType.AAAA: _addresses(AF_INET6),
    RRType.CNAME: _names,
    RRType.MX: _names,
    RRType.NS: _names,
    RRType.PTR: _names,
    RRType.TXT: _texts,
}
