"""The addresses that a Received chain names (RFC 5321, section 4.4), read with bounded, linear code.

Whoever wrote a line vouches for it, and nobody else: what stands here can speak against a message, never for it.
"""

import re
from collections.abc import Sequence
from typing import Final

from filterd.dnsbl.spread import spread
from filterd.domains import normalise_address

MAX_FIELDS: Final = 30  # Received fields read; a message that passed more hosts has run in a circle
MAX_FIELD: Final = 1_000  # bytes of one field looked at: who gave the message stands at its beginning
MAX_SEEN: Final = 3  # things in one field that look like addresses, the last ones: real fields have one or two
_BY: Final = re.compile(rb"[\s)]by\s")
# Postfix, Sendmail, Exim: (name [address]); qmail and others: (name address) or (address). A HELO text that looks like
# an address is marked by Exim, and elsewhere stands before the comment, so the last one is the host's own.
_ADDRESS: Final = re.compile(rb"(?<!helo=)(?<!helo )[\[( ](?:ipv6:)?([0-9a-f:.]{3,45})[\])]")


def received_addresses(values: Sequence[bytes]) -> list[str]:
    """The addresses of the hosts that gave the message on, newest first, each once."""
    found: dict[str, None] = {}
    for value in spread(values, MAX_FIELDS):
        address = _address(value[:MAX_FIELD].lower())
        if address:
            found[address] = None
    return list(found)


def _address(value: bytes) -> str:
    """Who gave the message to the host that wrote this field, in small letters; empty where it does not say."""
    by = _BY.search(value)
    seen = _ADDRESS.findall(value, 0, by.start() + 1 if by else len(value))
    return next(filter(None, [normalise_address(text.decode("ascii")) for text in seen[: -MAX_SEEN - 1 : -1]]), "")
