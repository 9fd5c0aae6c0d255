"""Who a message says it is from, and what of that is proved."""

from collections.abc import Iterable
from dataclasses import dataclass

from filterd.domains import is_subdomain
from filterd.model.authentication import AuthResult, DmarcResult, DmarcStatus
from filterd.model.identity import Proved
from filterd.ownlists.entries import address_form


@dataclass(frozen=True, slots=True)
class Claims:
    """Addresses the message names as its sender, those of them that are proved, and all proved domains."""

    addresses: tuple[str, ...] = ()
    proved: frozenset[str] = frozenset()
    domains: tuple[str, ...] = ()

    @property
    def claimed_domains(self) -> tuple[str, ...]:
        """The domains of the addresses, and those that are proved."""
        return tuple(dict.fromkeys([*[one.rpartition("@")[2] for one in self.addresses], *self.domains]))


def claims_of(sender: str, authors: Iterable[str], results: Iterable[AuthResult]) -> Claims:
    """From the envelope sender, the addresses of the From field, and the results of SPF, DKIM and DMARC.

    An address is proved by a signature of its domain or of one above it, or by SPF of its very domain; a single
    author's also by DMARC. Of several authors none is proved: one of them would lend his name to the others.
    """
    found = tuple(results)
    proof = Proved.of(found, "")
    envelope = address_form(sender)
    written = tuple(dict.fromkeys(filter(None, map(address_form, authors))))
    proved = set()
    if envelope and (_domain(envelope) in proof.spf or _signed(envelope, proof)):
        proved.add(envelope)
    if len(written) == 1 and _of_author(written[0], proof, found):
        proved.add(written[0])
    addresses = tuple(dict.fromkeys([*([envelope] if envelope else []), *written]))
    return Claims(addresses, frozenset(proved), proof.domains)


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _signed(address: str, proof: Proved) -> bool:
    return any(is_subdomain(_domain(address), signer) for signer in proof.dkim)


def _of_author(address: str, proof: Proved, results: Iterable[AuthResult]) -> bool:
    return _domain(address) in proof.spf or _signed(address, proof) or _aligned(address, results)


def _aligned(address: str, results: Iterable[AuthResult]) -> bool:
    return any(
        isinstance(one, DmarcResult) and one.status is DmarcStatus.PASS and one.domain.lower() == _domain(address)
        for one in results
    )
