"""Entries: what they name, and reading that from what a person writes."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from ipaddress import IPv6Network, ip_network
from typing import Final

from filterd.domains import normalise

MAX_REASON: Final = 200  # characters; a line that people read
MAX_OWNER: Final = 100  # characters; a name or an address
MAX_NAME: Final = 320  # characters; RFC 3696, section 3: the longest address
_MAPPED_BITS: Final = 96  # RFC 4291, section 2.5.5.2
EXPECTED: Final = {
    "ip": "a network such as 192.0.2.0/24, or one address",
    "domain": "a domain such as example.org, or .example.org for it and all below",
    "sender": "an address such as anna@example.org",
    "recipient": "an address such as anna@example.org, or a domain such as example.org or .example.org",
}


class Which(StrEnum):
    """Of which list an entry is."""

    ALLOW = "allow"
    BLOCK = "block"


class Kind(StrEnum):
    """What an entry names."""

    IP = "ip"  # the client's network
    DOMAIN = "domain"  # of the sender
    SENDER = "sender"  # one address
    RECIPIENT = "recipient"  # one address, or a domain


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; `name` is in the form that is compared. `expires` is the last day (UTC) it counts; None: for ever.

    `owner` answers for it, `by` has added it, `added` is when (epoch seconds).
    """

    which: Which
    kind: Kind
    name: str
    reason: str = ""
    owner: str = ""
    expires: date | None = None
    added: float = 0.0
    by: str = ""

    def __str__(self) -> str:
        """As the operator writes it."""
        return f"{self.kind}:{self.name}"

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells entries apart."""
        return self.which, self.kind, self.name

    def counts(self, now: float) -> bool:
        """Whether it has not expired."""
        return self.expires is None or self.expires >= datetime.fromtimestamp(now, UTC).date()


def parse_name(text: str) -> tuple[Kind, str]:
    """Read `kind:name`. ValueError says what was expected."""
    word, colon, rest = text.strip().partition(":")
    if not colon or word.lower() not in EXPECTED:
        raise ValueError(f"expected ip:, domain:, sender: or recipient: and a name, got {_shown(text)}")
    kind, rest = Kind(word.lower()), rest.strip()
    name = "" if len(rest) > MAX_NAME else _normal(kind, rest)
    if not name:
        raise ValueError(f"expected {EXPECTED[kind]} behind {kind}:, got {_shown(rest)}")
    return kind, name


def _normal(kind: Kind, text: str) -> str:
    if kind is Kind.IP:
        return _network(text)
    if kind is Kind.DOMAIN:
        return _domain(text)
    if kind is Kind.RECIPIENT and "@" not in text:
        return _domain(text)
    return address_form(text)


def address_form(text: str) -> str:
    """An address as it is compared, all lower case and its domain in A-labels; empty where it is none.

    RFC 5321, section 2.4 leaves the case of a local part to its host. No host that matters tells Anna from anna, and
    who is blocked would change the case.
    """
    local, _, domain = text.rpartition("@")
    name = normalise(domain) if local and local.isprintable() else None
    return f"{local.lower()}@{name}" if name else ""


def _domain(text: str) -> str:
    name = normalise(text.removeprefix("."))
    if not name or "." not in name:  # a top-level domain is a third of all mail
        return ""
    return f".{name}" if text.startswith(".") else name


def _network(text: str) -> str:
    try:
        network = ip_network(text, strict=False)
        if isinstance(network, IPv6Network) and network.prefixlen >= _MAPPED_BITS:
            mapped = network.network_address.ipv4_mapped
            # A client that came over IPv6 with an IPv4 address is judged by the latter.
            network = network if mapped is None else ip_network((mapped, network.prefixlen - _MAPPED_BITS))
    except ValueError:
        return ""
    return str(network) if network.prefixlen else ""  # everybody is no entry


def _shown(text: str) -> str:
    most = 60
    return repr(text if len(text) <= most else text[:most] + "...")
