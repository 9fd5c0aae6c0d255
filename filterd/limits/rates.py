"""Rates as the limiter wants them, and whom a request counts for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from filterd.config.rates import Rate as RateConfig
from filterd.config.rates import RateBy
from filterd.domains import network
from filterd.model.session import TrustClass
from filterd.reputation.keys import person
from filterd.store.buckets import SECOND, Bucket

MAX_SUBJECT: Final = 320  # characters; RFC 5321, section 4.5.3.1: 64 for the local part, 255 for the domain
NULL_SENDER: Final = "<>"


@dataclass(frozen=True, slots=True)
class Request:
    """One recipient of a message, and what is known of who sends it.

    `user` has authenticated; `proved` says that SPF passes for the sender's domain.
    """

    client: str
    sender: str
    recipient: str
    trust: TrustClass
    user: str = ""
    proved: bool = False


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate limit; `interval` in microseconds from one token to the next, `capacity` in tokens."""

    name: str
    by: RateBy
    interval: int
    capacity: int
    dry_run: bool
    classes: frozenset[TrustClass]
    ipv4_prefix: int = 24
    ipv6_prefix: int = 64

    @classmethod
    def of(cls, name: str, config: RateConfig) -> "Rate":
        """From the configuration."""
        return cls(
            name,
            config.by,
            max(1, round(config.per * SECOND / config.limit)),
            config.burst or config.limit,
            config.dry_run,
            config.classes,
            config.ipv4_prefix,
            config.ipv6_prefix,
        )

    def subject(self, request: Request) -> str:
        """Whom the request counts for; empty where this rate is not for it."""
        if request.trust not in self.classes:
            return ""
        match self.by:
            case RateBy.CLIENT:
                return "" if request.trust is TrustClass.RELAY else self.network_of(request.client)
            case RateBy.USER:
                return request.user.lower()[:MAX_SUBJECT]
            case RateBy.SENDER:
                return self._sender(request)
            case RateBy.RECIPIENT:
                return _mailbox(request.recipient)

    def bucket(self, subject: str) -> Bucket:
        """What this subject draws from."""
        return Bucket(f"{self.name}:{subject}", self.interval, self.capacity, not self.dry_run)

    def network_of(self, address: str) -> str:
        """The network that stands for a client."""
        return network(address, self.ipv4_prefix, self.ipv6_prefix)

    def _sender(self, request: Request) -> str:
        """Anybody can write a sender he is not: unproved ones use up nothing of the real one's."""
        name = _spelt(request.sender) if request.sender else NULL_SENDER
        if request.user or (request.proved and request.sender):
            return name
        return f"{name} from {self.network_of(request.client) or 'here'}"


def rates_of(config: Mapping[str, RateConfig]) -> tuple[Rate, ...]:
    """All rates of a configuration."""
    return tuple([Rate.of(name, rate) for name, rate in config.items()])


def _spelt(address: str) -> str:
    return person(address) or address.lower()[:MAX_SUBJECT]


def _mailbox(address: str) -> str:
    """A recipient without an extension: user+shop is user's mailbox."""
    local, at, domain = _spelt(address).rpartition("@")
    return f"{local.partition('+')[0] or local}{at}{domain}" if at else _spelt(address)
