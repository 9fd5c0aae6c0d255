"""A list: what it may be asked about, and what its answers mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from filterd.dnsbl.keys import Key

MIN_TTL: Final = 30  # seconds that an answer is kept at least, unless the list says otherwise: as all of DNS here
MAX_TTL: Final = 3_600  # seconds at most: who is listed is news, and who is delisted must not wait for a day


class Subject(StrEnum):
    """What a list can be asked about."""

    CLIENT = "client"
    RECEIVED = "received"
    HELO = "helo"
    SENDER_DOMAIN = "sender_domain"
    FROM_DOMAIN = "from_domain"
    DKIM_DOMAIN = "dkim_domain"
    URL_HOST = "url_host"
    URL_ADDRESS = "url_address"
    ADDRESS_HASH = "address_hash"
    ATTACHMENT_HASH = "attachment_hash"


ADDRESSES: Final = frozenset({Subject.CLIENT, Subject.RECEIVED, Subject.URL_ADDRESS})
HASHES: Final = frozenset({Subject.ADDRESS_HASH, Subject.ATTACHMENT_HASH})
NAMES: Final = frozenset(Subject) - ADDRESSES - HASHES

_PLAIN: Final = Key()  # {asked}: no hashing

Codes: TypeAlias = Mapping[str, str]
Bits: TypeAlias = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Zone:
    """One list. `codes` maps declared addresses to symbols, `bits` masks of the last octet; a list has either.

    `zone` may hold a key and is never shown; `refused` are addresses by which the list says that it will not answer.
    `codes_about` and `bits_about` are what answers about one subject mean, where that is not what they mean otherwise:
    what is declared and not in them means nothing for that subject.
    """

    name: str
    zone: str = field(repr=False)
    display: str
    subjects: frozenset[Subject]
    codes: Codes = field(default_factory=dict)
    bits: Bits = ()
    refused: frozenset[str] = frozenset()
    refused_bits: int = 0
    ipv6: bool = False
    level: Literal["registrable", "host"] = "registrable"
    listed: str = ""
    unlisted: str = ""
    key: Key = _PLAIN
    codes_about: Mapping[Subject, Codes] = field(default_factory=dict)
    bits_about: Mapping[Subject, Bits] = field(default_factory=dict)
    min_ttl: int = MIN_TTL
    max_ttl: int = MAX_TTL

    @property
    def symbols(self) -> frozenset[str]:
        """Every symbol its answers can mean."""
        tables = [self.codes, *self.codes_about.values()]
        masks = [self.bits, *self.bits_about.values()]
        return frozenset().union(*[table.values() for table in tables], *[[s for _, s in mask] for mask in masks])

    def speaks_alike(self, one: Subject, other: Subject) -> bool:
        """True where an answer means the same about both subjects, and both are its own."""
        own = (self.codes_about, self.bits_about)
        return {one, other} <= self.subjects and not any(one in table or other in table for table in own)
