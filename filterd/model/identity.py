"""Whom an operator names in a list: a signing domain, an envelope domain, a network.

Each stands for something that was proved. A bare From field is none: anybody writes what he likes there.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from filterd.model.authentication import AuthResult, DkimResult, DkimStatus, SpfResult, SpfScope, SpfStatus

Network: TypeAlias = IPv4Network | IPv6Network
EXAMPLES: Final = '"dkim:example.org", "spf:.example.org" (and all below it), "ip:192.0.2.0/24"'
DOMAIN: Final = re.compile(  # of two labels at least, in A-labels and lower case
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)+"
)


class IdentityKind(StrEnum):
    """How an identity was proved."""

    DKIM = "dkim"
    SPF = "spf"
    IP = "ip"


@dataclass(frozen=True, slots=True)
class Identity:
    """One entry: `name` is a domain in A-labels and lower case; a dot in front means all below it too."""

    kind: IdentityKind
    name: str
    network: Network | None = None

    def __str__(self) -> str:
        """As the operator writes it."""
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> "Identity":
        """Read an entry. ValueError says what was expected."""
        word, colon, rest = text.partition(":")
        try:
            kind = IdentityKind(word.strip().lower())
        except ValueError:
            kind = None
        if not colon or kind is None:
            raise ValueError(f"expected entries such as {EXAMPLES}, got {text!r}")
        rest = rest.strip().lower()
        if kind is IdentityKind.IP:
            try:
                return cls(kind, rest, ip_network(rest))
            except ValueError as problem:
                raise ValueError(f"expected a network behind ip:, got {text!r}: {problem}") from None
        domain = rest.removesuffix(".")
        if DOMAIN.fullmatch(domain.removeprefix(".")) is None:
            raise ValueError(f"expected a domain name (xn--... for others than ASCII) behind {kind}:, got {text!r}")
        return cls(kind, domain)


@dataclass(frozen=True, slots=True)
class Proved:
    """What a message has proved: domains whose signature counts, domains whose SPF passed, the client's address."""

    dkim: tuple[str, ...] = ()
    spf: tuple[str, ...] = ()
    address: str = ""

    @classmethod
    def of(cls, results: Iterable[AuthResult], address: str) -> "Proved":
        """From results: signatures over the whole body with keys in earnest, and SPF of MAIL FROM."""
        dkim: dict[str, None] = {}
        spf: dict[str, None] = {}
        for result in results:
            if isinstance(result, DkimResult):
                # RFC 6376, section 3.6.1, t=y: treated as unsigned as far as favours go.
                if result.status is DkimStatus.PASS and result.covers_body and not result.testing:
                    dkim[result.domain.lower()] = None
            elif (
                isinstance(result, SpfResult) and result.status is SpfStatus.PASS and result.scope is SpfScope.MAILFROM
            ):
                spf[result.domain.lower()] = None
        return cls(tuple(dkim), tuple(spf), address)

    @property
    def domains(self) -> tuple[str, ...]:
        """All domains, each once."""
        return tuple(dict.fromkeys([*self.dkim, *self.spf]))


class Identities:
    """A list of entries, asked whether a message is of one of them. Empty ones are false."""

    def __init__(self, entries: Collection[Identity] = ()) -> None:
        """Index the entries."""
        self._names = {(entry.kind, entry.name): entry for entry in entries if entry.network is None}
        self._networks = [(entry.network, entry) for entry in entries if entry.network is not None]

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "Identities":
        """Read entries; ValueError for the first that is none."""
        return cls([Identity.parse(text) for text in texts])

    def __bool__(self) -> bool:
        """Whether there is any entry."""
        return bool(self._names or self._networks)

    def match(self, proved: Proved) -> Identity | None:
        """The entry that the message has proved to be of, None where there is none."""
        for kind, domains in ((IdentityKind.DKIM, proved.dkim), (IdentityKind.SPF, proved.spf)):
            for domain in domains:
                for name in spellings(domain):
                    if (found := self._names.get((kind, name))) is not None:
                        return found
        if self._networks and proved.address:
            address = ip_address(proved.address)
            return next((entry for network, entry in self._networks if address in network), None)
        return None


def spellings(domain: str) -> list[str]:
    """How entries that mean this domain may be written: as it is, or with a dot in front it or any name above it."""
    labels = domain.split(".")
    return [domain, *["." + ".".join(labels[at:]) for at in range(len(labels))]]
