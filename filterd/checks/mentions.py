"""What a message says about where it comes from and leads to, as far as lists are asked about it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from filterd.checks.contract import View
from filterd.dnsbl.questions import may_ask_about
from filterd.dnsbl.received import received_addresses
from filterd.dnsbl.spread import spread
from filterd.dnsbl.zones import Subject
from filterd.domains import normalise, normalise_address, registrable
from filterd.model.inspection import Inspection, PartFacts
from filterd.model.session import TrustClass

# Per message, each bounding what one message makes us send.
MAX_HOSTS: Final = 32  # registrable domains of links; [limits] url_hosts
MAX_URL_ADDRESSES: Final = 8  # addresses that stand as hosts in links: more than one is rare
MAX_RECEIVED: Final = 8  # addresses of the Received chain
MAX_ADDRESSES: Final = 10  # e-mail addresses; the author's and Reply-To come first
MAX_FILES: Final = 10  # attachments and what is unpacked from them

# What no list of malware has: pictures and sounds, of which each newsletter has many.
_HARMLESS: Final = frozenset({"png", "jpeg", "gif", "bmp", "tiff", "mp3", "ogg", "riff"})

Values = list[tuple[Subject, str]]


@dataclass(slots=True)
class Mentions:
    """Subjects and values in the order of asking, and in words what was more than is asked about."""

    wanted: Collection[Subject]
    values: Values = field(default_factory=list)
    capped: list[str] = field(default_factory=list)
    hosts_capped: str = ""

    def envelope(self, view: View) -> None:
        """Sender and HELO, known at MAIL."""
        self.values += [(Subject.SENDER_DOMAIN, view.envelope.sender_domain), (Subject.HELO, view.helo)]

    def received(self, view: View) -> None:
        """The hosts before the client, known at HEADERS."""
        if Subject.RECEIVED not in self.wanted:
            return
        client = view.client.address
        chain = received_addresses(view.values(b"received"))
        if view.trust is TrustClass.RELAY and client in chain:
            chain = chain[chain.index(client) :]  # before it stand our own relays
        found = [address for address in chain if address != client and may_ask_about(address)]
        self._add(Subject.RECEIVED, found, MAX_RECEIVED, "addresses of earlier hosts")

    def content(self, inspection: Inspection, most_hosts: int) -> None:
        """What only the inspector knows."""
        mailboxes = inspection.author.mailboxes
        self.values += [(Subject.FROM_DOMAIN, mailbox.domain) for mailbox in mailboxes]
        if Subject.URL_HOST in self.wanted:
            hosts = distinct_domains(inspection.hosts)
            if len(hosts) > most_hosts:
                self.hosts_capped = f"{len(hosts)} domains in links"
            self.values += [(Subject.URL_HOST, host) for host in spread(hosts, most_hosts)]
        if Subject.URL_ADDRESS in self.wanted:
            self._add(Subject.URL_ADDRESS, distinct_addresses(inspection.hosts), MAX_URL_ADDRESSES, "hosts by address")
        if Subject.ADDRESS_HASH in self.wanted:
            written = [f"{mailbox.local_part}@{mailbox.domain}" for mailbox in mailboxes if mailbox.domain]
            found = list(dict.fromkeys([*written, *inspection.addresses]))
            self._add(Subject.ADDRESS_HASH, found, MAX_ADDRESSES, "e-mail addresses")
        if Subject.ATTACHMENT_HASH in self.wanted:
            self._add(Subject.ATTACHMENT_HASH, distinct_files(inspection.parts), MAX_FILES, "files")

    def _add(self, subject: Subject, found: list[str], most: int, what: str) -> None:
        if len(found) > most:
            self.capped.append(f"{len(found)} {what}")
        self.values += [(subject, value) for value in spread(found, most)]


def distinct_domains(hosts: Iterable[str]) -> list[str]:
    """One host for each registrable domain, in order; addresses and what is no name are left out."""
    found: dict[str, str] = {}
    for host in hosts:
        name = normalise(host)
        if name is not None and "." in name:
            found.setdefault(registrable(name), name)
    return list(found.values())


def distinct_addresses(hosts: Iterable[str]) -> list[str]:
    """The public addresses among hosts of links, in order."""
    # A name's last label is never a number (RFC 3696, section 2), and it has no colon.
    found = [normalise_address(host) for host in hosts if host[-1:].isdigit() or ":" in host]
    return [address for address in dict.fromkeys(found) if may_ask_about(address)]


def distinct_files(parts: Iterable[PartFacts]) -> list[str]:
    """The SHA-256 of everything that is a file, with bytes of its own that could be read."""
    found = [
        part.sha256
        for part in parts
        if part.size and not part.encrypted and part.detected_type not in _HARMLESS and _is_file(part)
    ]
    return list(dict.fromkeys(found))


def _is_file(part: PartFacts) -> bool:
    """Whether it is more than text that is shown: it has a name, no type of text, or lies in an archive."""
    return bool(part.filename) or not part.content_type.startswith("text/")
