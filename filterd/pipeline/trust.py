"""How far the peer is trusted, decided from its address and what the MTA says of it. Pure."""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, TypeAlias

from filterd.model.session import TrustClass

_CACHE: Final = 4_096  # addresses
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class TrustPolicy:
    """Networks by class, and the checks each class is spared."""

    networks: tuple[Network, ...] = ()
    relays: tuple[Network, ...] = ()
    skip: Mapping[TrustClass, frozenset[str]] | None = None

    @classmethod
    def of(
        cls,
        networks: Sequence[str],
        relays: Sequence[str],
        skip: Mapping[TrustClass, Sequence[str]],
    ) -> "TrustPolicy":
        """Make one from configuration texts; ValueError for what is no network."""
        return cls(
            tuple(ipaddress.ip_network(text, strict=False) for text in networks),
            tuple(ipaddress.ip_network(text, strict=False) for text in relays),
            {trust: frozenset(names) for trust, names in skip.items()},
        )

    def classify(self, address: str, *, authenticated: bool) -> TrustClass:
        """The peer's class; no address (a unix socket, the MTA itself) is local."""
        return TrustClass.AUTHENTICATED if authenticated else self._classes(address)

    @cached_property
    def _classes(self) -> Callable[[str], TrustClass]:
        """Of addresses seen lately: a connection asks for its own several times, and a network is slow to hash."""
        return lru_cache(maxsize=_CACHE)(self._class_of)

    def _class_of(self, address: str) -> TrustClass:
        if not address or _inside(address, self.networks):
            return TrustClass.LOCAL
        return TrustClass.RELAY if self.is_relay(address) else TrustClass.STRANGER

    def is_ours(self, address: str) -> bool:
        """Whether the address is no stranger's: of our networks, of a relay of ours, or none at all."""
        return self.classify(address, authenticated=False) is not TrustClass.STRANGER

    def is_relay(self, address: str) -> bool:
        """Whether the address belongs to a relay whose Received lines are believed."""
        return _inside(address, self.relays)

    def skipped(self, trust: TrustClass) -> frozenset[str]:
        """Names of the checks that this class is spared."""
        return (self.skip or {}).get(trust, frozenset())


@lru_cache(maxsize=_CACHE)
def _inside(address: str, networks: tuple[Network, ...]) -> bool:
    if not networks:
        return False
    parsed = ipaddress.ip_address(address)
    return any(parsed in network for network in networks if network.version == parsed.version)
