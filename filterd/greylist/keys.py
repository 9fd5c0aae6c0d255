"""Under which keys an attempt is remembered. Pure.

Every key is a hash of fixed length: a hostile name cannot make it grow or mean another, and who reads the store does
not read there who writes to whom.
"""

import re
from dataclasses import dataclass
from typing import Final

from filterd.domains import network
from filterd.reputation.keys import digest, domain_of, person

# What one mail system commonly sends from: its retries come from another host of the same block.
IPV4_PREFIX: Final = 24
IPV6_PREFIX: Final = 64
MAX_TEXT: Final = 320  # characters of an address; RFC 5321, section 4.5.3.1: 64 for the local part, 255 for the domain
_NUMBERS: Final = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody's try to send a message to some recipients.

    `spf_domain` is the sender's domain where SPF passes; `body` a digest of the body, empty before it is there.
    """

    address: str
    sender: str
    recipients: tuple[str, ...]
    spf_domain: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Keys:
    """Under which an attempt for one recipient is remembered: by where it came from, and by its body (or empty)."""

    origins: tuple[str, ...]
    body: str = ""

    @property
    def all(self) -> tuple[str, ...]:
        """Every one of them."""
        return (*self.origins, self.body) if self.body else self.origins


def keys_of(attempt: Attempt) -> list[Keys]:
    """For each recipient, in order, the keys under each of which it may be remembered.

    Where it came from is the client's network and, where SPF passes, the sender's registrable domain: a big sender
    tries again from any of its networks. The body stands for itself, wherever it came from.
    """
    sender = _sender(attempt.sender)
    origins = [f"net {network(attempt.address, IPV4_PREFIX, IPV6_PREFIX)}"]
    if attempt.spf_domain and (domain := domain_of(attempt.spf_domain)):
        origins.append(f"spf {domain}")
    found = []
    for recipient in attempt.recipients:
        ends = f"{sender} {_spelt(recipient)}"
        body = _key(f"body {attempt.body}", ends) if attempt.body else ""
        found.append(Keys(tuple([_key(origin, ends) for origin in origins]), body))
    return found


def _key(origin: str, ends: str) -> str:
    return f"greylist:{digest('greylist', f'{origin} {ends}')}"


def _sender(address: str) -> str:
    """The sender without what changes from message to message: extension and numbers, as lists put them there."""
    local, _, domain = _spelt(address).rpartition("@")
    return f"{_NUMBERS.sub('#', local.partition('+')[0])}@{domain}"


def _spelt(address: str) -> str:
    return person(address) or address.lower()[:MAX_TEXT]
