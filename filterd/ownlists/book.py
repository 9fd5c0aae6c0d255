"""All entries, and which of them counts for a client, a sender, a recipient.

The narrower entry counts: a longer prefix before a shorter, an address before its domain, a domain before those above
it. Of an allow and a block entry with the same name the block entry does.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final, TypeAlias

from filterd.model.identity import spellings
from filterd.ownlists.claims import Claims
from filterd.ownlists.entries import Entry, Kind, Which, address_form

_ADDRESS: Final = 1_000  # how narrow an address is: narrower than any domain, which has 127 labels at most
_parsed: Final = lru_cache(maxsize=1_024)(ip_address)  # every recipient of a message is asked about with its client

Candidate: TypeAlias = tuple[int, bool, Entry]  # how narrow, whether it blocks


@dataclass(frozen=True, slots=True)
class Found:
    """The entries that count for one message; None where there is none. `recipients` are of those that have one."""

    client: Entry | None = None
    sender: Entry | None = None
    recipients: tuple[Entry | None, ...] = ()

    @property
    def blocks(self) -> bool:
        """Whether client or sender is blocked."""
        return any(one is not None and one.which is Which.BLOCK for one in (self.client, self.sender))


class Book:
    """Entries by what they name. Immutable; expired ones stay in `entries` and count for nothing."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Index the entries."""
        self.entries = tuple(entries)
        self._names: dict[tuple[Kind, str], list[Entry]] = {}
        self._networks: dict[tuple[int, int], dict[int, list[Entry]]] = {}
        for entry in self.entries:
            if entry.kind is Kind.IP:
                network = ip_network(entry.name)
                same = self._networks.setdefault((network.version, network.prefixlen), {})
                same.setdefault(int(network.network_address) >> _below(network.version, network.prefixlen), []).append(
                    entry
                )
            else:
                self._names.setdefault((entry.kind, entry.name), []).append(entry)

    def __bool__(self) -> bool:
        """Whether there is any entry."""
        return bool(self.entries)

    @property
    def needs_proof(self) -> bool:
        """Whether any entry hangs on what SPF, DKIM and DMARC say."""
        return any(entry.which is Which.ALLOW and entry.kind in {Kind.DOMAIN, Kind.SENDER} for entry in self.entries)

    def client(self, address: str, now: float) -> Entry | None:
        """The entry that counts for a client's (normalised) address; an empty one has none."""
        if not address or not self._networks:
            return None
        parsed = _parsed(address)
        found: list[Candidate] = []
        for (version, length), networks in self._networks.items():
            if version == parsed.version:
                entries = networks.get(int(parsed) >> _below(version, length), ())
                found += [_candidate(length, entry) for entry in entries if entry.counts(now)]
        return _narrowest(found)

    def sender(self, claims: Claims, now: float) -> Entry | None:
        """The entry that counts for who has sent it: allow entries by what is proved, block entries by any claim."""
        found = [
            _candidate(_ADDRESS, entry)
            for address in claims.addresses
            for entry in self._live(Kind.SENDER, address, now)
            if entry.which is Which.BLOCK or address in claims.proved
        ]
        found += [
            _candidate(narrow, entry)
            for domain in claims.claimed_domains
            for narrow, entry in self._domains(Kind.DOMAIN, domain, now)
            if entry.which is Which.BLOCK or domain in claims.domains
        ]
        return _narrowest(found)

    def recipient(self, address: str, now: float) -> Entry | None:
        """The entry that counts for a recipient."""
        name = address_form(address)
        if not name:
            return None
        found = [_candidate(_ADDRESS, entry) for entry in self._live(Kind.RECIPIENT, name, now)]
        domain = name.rpartition("@")[2]
        found += [_candidate(narrow, entry) for narrow, entry in self._domains(Kind.RECIPIENT, domain, now)]
        return _narrowest(found)

    def find(self, client: str, claims: Claims, recipients: Iterable[str], now: float) -> Found:
        """All three."""
        if not self.entries:
            return Found()
        return Found(
            self.client(client, now),
            self.sender(claims, now),
            tuple([self.recipient(address, now) for address in recipients]),
        )

    def _live(self, kind: Kind, name: str, now: float) -> list[Entry]:
        return [entry for entry in self._names.get((kind, name), ()) if entry.counts(now)]

    def _domains(self, kind: Kind, domain: str, now: float) -> Iterator[tuple[int, Entry]]:
        if not domain:
            return
        for name in spellings(domain):
            narrow = 2 * name.count(".") + (0 if name.startswith(".") else 3)
            for entry in self._live(kind, name, now):
                yield narrow, entry


def _below(version: int, length: int) -> int:
    """Bits of an address behind a prefix."""
    return (32 if version == 4 else 128) - length  # noqa: PLR2004  # the versions of the Internet Protocol


def _candidate(narrow: int, entry: Entry) -> Candidate:
    return narrow, entry.which is Which.BLOCK, entry


def _narrowest(found: list[Candidate]) -> Entry | None:
    return max(found, key=lambda one: one[:2])[2] if found else None
