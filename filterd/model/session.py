"""Who speaks to the MTA, for whom, and how far we trust that side."""

from dataclasses import dataclass
from enum import StrEnum


class TrustClass(StrEnum):
    """How the client reached us; what may be skipped and what `unknown` means hang on it."""

    AUTHENTICATED = "authenticated"  # SMTP AUTH, as the MTA's macro says
    LOCAL = "local"  # an address inside [trust] networks
    RELAY = "relay"  # came through [trust] relays; the client is the host before them
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class Client:
    """The SMTP client that is judged: the peer, or behind a trusted relay the host that gave it the message.

    `address` is a normalised IP address (IPv4-mapped IPv6 as IPv4, no scope), empty where there is none (unix socket,
    unknown). `name` is the reverse name the MTA verified, empty where it has none.
    """

    address: str = ""
    port: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT TO: `exact` is the MTA's own spelling with brackets, which removing the recipient needs.

    `resolved` is the mailbox that the MTA takes an odd spelling for, where it says so and it matters.
    """

    address: str
    exact: str
    resolved: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """MAIL FROM (empty: the null sender) and the recipients so far; addresses without brackets."""

    sender: str = ""
    recipients: tuple[Recipient, ...] = ()
    parameters: tuple[str, ...] = ()

    @property
    def sender_domain(self) -> str:
        """The part behind the last @ in lower case, empty for the null sender."""
        return self.sender.rpartition("@")[2].lower() if "@" in self.sender else ""
