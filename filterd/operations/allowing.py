"""Letting in what a released message's sender sends from now on: an entry as narrow as what that message has proved.

Whoever sends mail writes any name into its From field, so that a name alone makes no entry: it takes a signature of the
author's domain, SPF of it, or DMARC. A service that sends for many and signs with its own name has proved that name
only, and an entry of it would let in all its customers. Where nothing is proved the client's address is left, which a
person has to ask for.
"""

import hashlib
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from filterd.domains import is_subdomain, network, registrable
from filterd.model.custody import Evidence
from filterd.model.identity import Proved
from filterd.model.session import TrustClass
from filterd.operations.ownlists import ListError, Who, added, entry_of
from filterd.ownlists import Book, Claims, Document, Entry, Which, claims_of
from filterd.ownlists.entries import address_form
from filterd.quarantine import Actor, EvidenceError, Quarantine
from filterd.quarantine.changes import ADDRESS

MAX_REFUSED: Final = 20  # messages that are named where no entry can be made
_CUSTOMER: Final = 32, 64  # bits of the networks that one customer has: IPv4, IPv6
_OURS: Final = frozenset({TrustClass.LOCAL, TrustClass.RELAY, TrustClass.AUTHENTICATED})

Change = Callable[[Callable[[Document], Document]], Document]


@dataclass(frozen=True, slots=True)
class Allowance:
    """The entry that one held message leads to; `proof` says in words what it rests on.

    `known` is the entry that does so already, and for as long, None where there is none.
    """

    id: str
    entry: Entry
    proof: str
    claims: Claims
    client: str
    known: Entry | None = None

    def __str__(self) -> str:
        """In words, hostile."""
        found = self.known or self.entry
        until = "for ever" if found.expires is None else f"until {found.expires}"
        return f"{found} {until} ({'on the allow list already' if self.known else self.proof})"


@dataclass(frozen=True, slots=True)
class How:
    """What the reviewer said of it: the last day in the words of `filterd list`, and whether the client is meant."""

    expires: str = ""
    client: bool = False


@dataclass(frozen=True, slots=True)
class Allower:
    """Makes entries for messages of one quarantine. `change` and `document` are those of the shared lists.

    In `freemail` anybody gets an address: there the entry is for the one address.
    """

    quarantine: Quarantine
    document: Document
    change: Change
    freemail: Container[str]
    who: Who

    def planned(self, ids: Sequence[str], how: How) -> list[Allowance]:
        """What would be allowed, in the order of the ids. ListError names every message that no entry can be made of.

        CustodyError, OSError.
        """
        found, problems = [], []
        for identifier in ids:
            try:
                found.append(self._planned(identifier, how))
            except ListError as error:
                problems.append(f"{identifier}: {error}")
            except (KeyError, EvidenceError) as error:
                problems.append(f"{identifier}: its evidence cannot be read: {error}")
        if problems:
            more = [f"and {len(problems) - MAX_REFUSED} more"] if len(problems) > MAX_REFUSED else []
            raise ListError("\n".join([*problems[:MAX_REFUSED], *more]))
        return found

    def _planned(self, identifier: str, how: How) -> Allowance:
        evidence = self.quarantine.evidence(identifier)
        claims = _claims(evidence)
        text, proof = _client(evidence) if how.client else _author(evidence, claims, self.freemail)
        entry = entry_of(Which.ALLOW, text, f"released {identifier}", "", how.expires, self.who)
        made = Allowance(identifier, entry, proof, claims, evidence.client.address, _as_good(self.document, entry))
        blocking = _in_the_way(self.document, made, self.who.now)
        if blocking is not None:
            raise ListError(
                f"{entry} would count for nothing, {blocking} is on the block list ({blocking.reason}):"
                f" filterd list block remove {blocking}"
            )
        return made

    def put(self, allowances: Sequence[Allowance]) -> None:
        """Put them on the list, and into the audit of each message. ListError; ChangeError; CustodyError, KeyError."""
        if any(one.known is None for one in allowances):
            self.change(lambda document: _with(document, [one.entry for one in allowances], self.who))
        for one in allowances:
            # The audit outlives what is purged by address; `filterd list history` has the entry in full.
            said = ADDRESS.sub(lambda found: f"address sha256 {address_hash(found[0])}", str(one))
            self.quarantine.note(Actor(self.who.name, self.who.origin), "allow", one.id, said)


def address_hash(address: str) -> str:
    """As the audit has addresses."""
    return hashlib.sha256(address.lower().encode("utf-8", "surrogatepass")).hexdigest()


def _with(document: Document, entries: Iterable[Entry], who: Who) -> Document:
    """With those of the entries that are not there for as long; the same document where all are."""
    wanted = {entry.key: entry for entry in reversed(list(entries)) if _as_good(document, entry) is None}
    return added(document, wanted.values(), who) if wanted else document


def _as_good(document: Document, entry: Entry) -> Entry | None:
    """An entry of the same name that lasts as long: another person's reason and owner are not written over."""
    for one in document.entries:
        if one.key == entry.key and (
            one.expires is None or (entry.expires is not None and one.expires >= entry.expires)
        ):
            return one
    return None


def _in_the_way(document: Document, made: Allowance, now: float) -> Entry | None:
    """The block entry that would count all the same for the like of this message."""
    found = Book([*document.entries, made.entry]).find(made.client, made.claims, (), now)
    return next((one for one in (found.client, found.sender) if one is not None and one.which is Which.BLOCK), None)


def _claims(evidence: Evidence) -> Claims:
    results = [result for report in evidence.reports for result in report.auth_results]
    return claims_of(evidence.envelope.sender, _authors(evidence), results)


def _authors(evidence: Evidence) -> list[str]:
    """Those of the From field; the envelope's sender where nobody could read one."""
    mailboxes = evidence.inspection.author.mailboxes if evidence.inspection else ()
    return [f"{one.local_part}@{one.domain}" for one in mailboxes] or [evidence.envelope.sender]


def _author(evidence: Evidence, claims: Claims, freemail: Container[str]) -> tuple[str, str]:
    """The entry for who has written it, and what proves him.

    It is his domain, or another name of the same owner that is proved. Where anybody gets an address of his domain, or
    whoever signed lends it to others, it is the address alone.
    """
    author = next(filter(None, map(address_form, _authors(evidence))), "")
    if author not in claims.proved:
        raise ListError(_unproved(author, claims))
    proof = Proved.of([result for report in evidence.reports for result in report.auth_results], "")
    domain = author.rpartition("@")[2]
    said = {name: f"SPF of {name}" for name in proof.spf} | {name: f"DKIM of {name}" for name in proof.dkim}
    # A name under which others register theirs (a public suffix) has no owner in common with them.
    same = [name for name in said if registrable(name) == registrable(domain)]
    named = domain if domain in said else next(iter(same), "")
    if named and domain not in freemail:
        return f"domain:{named}", said[named]
    above = [name for name in said if is_subdomain(domain, name)]
    return f"sender:{author}", said.get(named or next(iter(above), ""), "DMARC")


def _unproved(author: str, claims: Claims) -> str:
    others = ", ".join(claims.domains)
    also = f" {others} has proved itself, but not that the author is of it." if others else ""
    return (
        f"nothing proves that {author or 'anybody'} has written it: neither DKIM nor SPF nor DMARC.{also}"
        " An entry would let in whoever writes that name; release it without --allow,"
        " or bind it to the client's address with --allow-client"
    )


def _client(evidence: Evidence) -> tuple[str, str]:
    """The entry for the client's address; of an IPv6 one for the network that one customer has."""
    found = network(evidence.client.address, *_CUSTOMER)
    if not found or evidence.trust in _OURS:
        known = f"{evidence.client.address} is ours ({evidence.trust})" if found else "no address of a client is known"
        raise ListError(f"{known}: an entry would let in all that comes that way")
    return f"ip:{found}", "whatever it sends"
