"""What a list's answer means."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from filterd.dnsbl.zones import Subject, Zone
from filterd.model.dns import Answer, AnswerStatus

LIST_NETWORK: Final = "127."  # RFC 5782, section 2.1: answers are in 127.0.0.0/8
ERROR_NETWORK: Final = "127.255.255."  # Spamhaus and others: typing error, open resolver, too many queries
MASK_NETWORK: Final = "127.0.0."  # where lists of bits keep theirs
LOOPBACK: Final = "127.0.0.1"  # what rewriting resolvers and parked domains love to answer


class ListStatus(StrEnum):
    """The four values of an answer, and the want of one."""

    HIT = "hit"
    MISS = "miss"
    ERROR = "error"  # an address nobody declared
    REFUSED = "refused"  # the list says that it will not answer us
    FAILED = "failed"  # no answer: timeout, SERVFAIL


@dataclass(frozen=True, slots=True)
class Listing:
    """`symbols` and the addresses they were read from on a hit; `cause` where there is no usable answer."""

    status: ListStatus
    symbols: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    cause: str = ""

    @property
    def usable(self) -> bool:
        """True where the list said yes or no."""
        return self.status in {ListStatus.HIT, ListStatus.MISS}


_MISS: Final = Listing(ListStatus.MISS)


def interpret(zone: Zone, answer: Answer, subject: Subject | None = None) -> Listing:
    """Read the answer to a question about this list; `subject` is what was asked about.

    What means nothing for the subject (a dial-up address in a Received chain) is a miss.
    """
    if answer.status is not AnswerStatus.NOERROR:
        # RFC 5782 2.1: no such name means not listed. NODATA is a list with another record type there: no address.
        return Listing(ListStatus.FAILED, cause=answer.cause or "no answer") if answer.failed else _MISS
    if refusals := [record for record in answer.records if _refuses(zone, record)]:
        return Listing(ListStatus.REFUSED, codes=tuple(refusals[:4]), cause=f"answered {refusals[0]}")
    declared = [record for record in answer.records if _symbols(zone, record, None)]
    if not declared:
        return Listing(ListStatus.ERROR, cause=f"answered {answer.records[-1]}, which it does not declare")
    symbols: dict[str, None] = {}  # an ordered set
    codes: list[str] = []
    for record in declared:
        found = _symbols(zone, record, subject)
        if found:
            symbols.update(dict.fromkeys(found))
            codes.append(record)
    return Listing(ListStatus.HIT, tuple(symbols), tuple(codes)) if symbols else _MISS


def _refuses(zone: Zone, record: str) -> bool:
    if record.startswith(ERROR_NETWORK) or not record.startswith(LIST_NETWORK) or record in zone.refused:
        return True
    if zone.bits:
        return not record.startswith(MASK_NETWORK) or bool(_last(record) & zone.refused_bits)
    return record == LOOPBACK and record not in zone.codes


def _symbols(zone: Zone, record: str, subject: Subject | None) -> tuple[str, ...]:
    """What an address means for a subject; None asks what it means at all."""
    if zone.bits:
        octet = _last(record)
        bits = zone.bits if subject is None else zone.bits_about.get(subject, zone.bits)
        return tuple(symbol for bit, symbol in bits if octet & bit)
    codes = zone.codes if subject is None else zone.codes_about.get(subject, zone.codes)
    symbol = codes.get(record)
    return (symbol,) if symbol else ()


def _last(record: str) -> int:
    tail = record.rpartition(".")[2]
    return int(tail) if tail.isascii() and tail.isdigit() else 0
