"""Whom a domain wants reports sent to, and whether they want them (RFC 9990, sections 3.5 and 4)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from filterd.dmarc.record import MAX_RECORD, is_record, tags_of
from filterd.dmarc.walk import Walk, complete_walks
from filterd.domains import normalise
from filterd.model.dns import Answer, Plan, Question, RRType

MAX_DESTINATIONS: Final = 5  # of one record; a domain that names more is one that floods somebody
MAX_ADDRESS: Final = 254  # characters; RFC 5321, section 4.5.3.1.3, less the brackets
MAX_LOCAL: Final = 64  # characters before the @; section 4.5.3.1.1
MAX_NAME: Final = 253  # octets of a name
_CACHE: Final = 2_048  # records: a front asks of every message whether anybody wants reports
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE: Final = re.compile(r"!([0-9]{1,12})([kmgt]?)\Z", re.IGNORECASE)
# RFC 5321, section 4.1.2: a dot-string. Quoted local parts and UTF-8 are no addresses that reports go to.
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


@dataclass(frozen=True, slots=True)
class Destination:
    """An address, and how large a report may be for it in bytes; 0: as large as we send any."""

    address: str
    most: int = 0

    @property
    def host(self) -> str:
        """The destination host of section 4, step 1."""
        return self.address.rpartition("@")[2]


class Consent(StrEnum):
    """Whether somebody outside the domain has said that he takes its reports."""

    OWN = "own"  # it is the domain's own organization
    GIVEN = "given"
    REFUSED = "refused"  # certainly not: nothing is sent
    UNKNOWN = "unknown"  # a lookup failed: it may be asked again


@lru_cache(maxsize=_CACHE)
def destinations(record: str) -> tuple[Destination, ...]:
    """The addresses of rua=, in their order, each once; URIs of other schemes and what is no address are left out."""
    if len(record) > MAX_RECORD:
        return ()
    found: dict[str, Destination] = {}
    for piece in tags_of(record).get("rua", "").split(","):
        one = _destination(piece.strip(" \t"))
        if one is not None:
            found.setdefault(one.address, one)
    return tuple(found.values())[:MAX_DESTINATIONS]


def _destination(uri: str) -> Destination | None:
    scheme, colon, rest = uri.partition(":")
    if not colon or scheme.lower() != "mailto":
        return None
    # RFC 7489, section 6.2: a size may follow, which RFC 9989 has taken out; who still gives one means it.
    size = _SIZE.search(rest)
    if size is not None:
        rest = rest[: size.start()]
    # RFC 6068, section 2: header fields may follow; they are not for reports. Of several addresses the first counts.
    local, at, domain = unquote(rest.partition("?")[0].partition(",")[0], errors="replace").rpartition("@")
    host = normalise(domain)
    if not at or host is None or len(local) > MAX_LOCAL or _LOCAL.fullmatch(local) is None:
        return None
    address = f"{local}@{host}"
    if len(address) > MAX_ADDRESS:
        return None
    return Destination(address, int(size[1]) * _UNITS[size[2].lower()] if size else 0)


def consent(domain: str, wanted: Destination) -> Plan[tuple[Consent, Destination]]:
    """Whether reports on `domain`, where the record stood, may go there, and where to: the taker may name another.

    Who is of the same organization needs no consent (section 4). UNKNOWN where a lookup failed that could change it.
    """
    ours, theirs = Walk(domain), Walk(wanted.host)
    known: dict[Question, Answer] = {}
    yield from complete_walks((ours, theirs), known)
    both = ours.organizations & theirs.organizations
    if both and len(ours.organizations) == len(theirs.organizations) == 1:
        return Consent.OWN, wanted
    # Section 4, steps 2 to 4. The record's name is an A-label already.
    name = f"{domain}._report._dmarc.{wanted.host}"
    if len(name) > MAX_NAME:
        return (Consent.UNKNOWN if both else Consent.REFUSED), wanted
    (answer,) = yield (Question(name, RRType.TXT),)
    if answer.failed:
        return Consent.UNKNOWN, wanted  # step 5
    taken = _taken(answer.records, wanted)
    if taken is not None:
        return Consent.GIVEN, taken
    return (Consent.UNKNOWN if both else Consent.REFUSED), wanted


def _taken(records: Sequence[str], wanted: Destination) -> Destination | None:
    """Steps 6 to 9: whether any record says so, and which address instead. None: nowhere."""
    valid = [text for text in records if len(text) <= MAX_RECORD and is_record(text)]
    if not valid:
        return None
    override = next((text for text in valid if "rua" in tags_of(text)), None)
    if override is None:
        return wanted
    # Step 9: the same host, or neither of the two gets anything. What is no address replaces none.
    instead = destinations(override)
    if not instead:
        return wanted
    return instead[0] if instead[0].host == wanted.host else None
