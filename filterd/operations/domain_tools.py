"""What the parts of a domain's posture are found out with."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dns.resolver

from filterd.operations.domain_dns import NameServers
from filterd.operations.domain_fetch import PolicyFetcher
from filterd.operations.domain_own import Own
from filterd.operations.domain_remedies import remedy_of
from filterd.operations.domain_values import Findings, Level, Part


@dataclass(frozen=True, slots=True)
class Tools:
    """`trusted`: the name servers' word that they have validated is believed. `earlier` are the parts before this one.

    `fetch` is None where no policy is to be fetched; `left` says how many seconds the part has.
    """

    servers: NameServers
    resolver: dns.resolver.Resolver
    own: Own
    fetch: PolicyFetcher | None
    trusted: bool
    left: Callable[[], float]
    earlier: Mapping[str, Part]

    def asking(self) -> dict[str, Any]:
        """The arguments by which every function of checkdmarc asks our name servers."""
        return {"resolver": self.resolver, "nameservers": [self.servers], "retries": 0}


def remark(found: Findings, part: str, texts: Iterable[object], level: Level = Level.WARNING) -> None:
    """Take over what checkdmarc says of a part."""
    for text in texts:
        words = " ".join(str(text).split())
        found.add(level, words, remedy_of(part, words))
