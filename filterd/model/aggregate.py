"""What DMARC found of messages, as it is reported to the author's domain: no address of a person, no subject."""

from dataclasses import dataclass
from typing import Protocol

DAY: int = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Signature:
    """One DKIM signature: what it names, and its result in the words of RFC 8601, section 2.7.1."""

    domain: str
    selector: str
    result: str


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What several messages of a day have in common; the words are those of a report (RFC 9990, section 3.1.1).

    `dkim` and `spf` say whether that was aligned and passed, `reasons` why less was done than was asked. `envelope_to`
    is empty where recipients had different domains; `spf_result` is empty where SPF was not evaluated.
    """

    source: str
    disposition: str
    dkim: bool
    spf: bool
    reasons: tuple[str, ...] = ()
    header_from: str = ""
    envelope_from: str = ""
    envelope_to: str = ""
    signatures: tuple[Signature, ...] = ()
    spf_domain: str = ""
    spf_result: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One message: `day` counts from 1970 (UTC), `domain` is where the record stood, `record` its text."""

    day: int
    domain: str
    record: str
    evaluated: Evaluated


class AggregateWriter(Protocol):
    """Counts what was found."""

    def record(self, seen: Sighting) -> None:
        """Queue it; it is counted within some seconds. Never raises, never waits for a disk."""
