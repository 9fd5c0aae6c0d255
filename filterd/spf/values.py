"""What one evaluation is about: the client and the identities, and the macro values made from them."""

import ipaddress
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from filterd.domains import normalise
from filterd.model.dns import RRType

MAX_IDENTITY: Final = 320  # characters of sender and HELO: RFC 5321, section 4.5.3.1; macros cost time by length
_CACHE: Final = 4096  # addresses
_ASKABLE: Final = re.compile(r"(?:[\x20-\x2d\x2f-\x7e]{1,63}\.)*[\x20-\x2d\x2f-\x7e]{1,63}")
_IPV4: Final = 4
_IPV6: Final = 6


def is_askable(name: str) -> bool:
    """Whether DNS can be asked for it: ASCII, 253 octets, labels of 1 to 63. `name` is what expanding a macro gave."""
    return len(name) <= 253 and _ASKABLE.fullmatch(name) is not None  # noqa: PLR2004  # RFC 1035, section 2.3.4


@lru_cache(maxsize=_CACHE)
def address_value(text: str) -> int | None:
    """An address record's value as a number; None for what is none."""
    try:
        return int(ipaddress.ip_address(text))
    except ValueError:
        return None


def _a_labels(domain: str) -> str:
    """RFC 8616, section 4: macros hold A-labels; what has none stays as it is, and makes no name that DNS knows."""
    return domain if domain.isascii() else normalise(domain) or domain


@dataclass(frozen=True)
class Values:
    """The arguments of check_host (RFC 7208, section 4.1), read once. `number` is the address, of `version` 4 or 6."""

    address: str
    version: int
    number: int
    local_part: str
    sender_domain: str
    helo: str
    receiver: str
    now: float

    @classmethod
    def of(cls, address: str, sender: str, domain: str, helo: str, receiver: str, now: float) -> "Values":
        """Read a normalised address and a sender; section 4.3: a missing local part is postmaster."""
        local_part, _, sender_domain = sender[-MAX_IDENTITY:].rpartition("@")
        return cls(
            address=address,
            version=_IPV6 if ":" in address else _IPV4,
            number=address_value(address) or 0,  # 0.0.0.0 and :: are, and what is no address does not get here
            local_part=local_part or "postmaster",
            sender_domain=_a_labels(sender_domain) or domain,
            helo=_a_labels(helo[-MAX_IDENTITY:]),
            receiver=receiver,
            now=now,
        )

    @property
    def plain(self) -> bool:
        """Whether the sender's local part is ASCII."""
        return self.local_part.isascii()

    @property
    def rtype(self) -> RRType:
        """The record type that holds addresses of the client's family."""
        return RRType.A if self.version == _IPV4 else RRType.AAAA

    @cached_property
    def _fixed(self) -> dict[str, str]:
        # Section 7.2. %{i} of an IPv6 address is its 32 nibbles with dots, capitals as in the test suite (names lose
        # them); %{c} is the form people read.
        nibbles = self.address if self.version == _IPV4 else ".".join(f"{self.number:032X}")
        return {
            "s": f"{self.local_part}@{self.sender_domain}",
            "l": self.local_part,
            "o": self.sender_domain,
            "i": nibbles,
            "v": "in-addr" if self.version == _IPV4 else "ip6",
            "h": self.helo,
            "c": self.address,
            "r": self.receiver or "unknown",
            "t": str(int(self.now)),
        }

    def macros(self, domain: str, validated: str) -> dict[str, str]:
        """The values by macro letter while `domain` is evaluated; `validated` is the name for %{p}."""
        return {**self._fixed, "d": domain, "p": validated}
