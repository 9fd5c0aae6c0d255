"""From the author and the results of SPF and DKIM to a DMARC result (RFC 9989, sections 4.10 and 5.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from filterd.dmarc.record import Record
from filterd.dmarc.walk import Walk, complete_walks
from filterd.domains import is_subdomain, normalise
from filterd.model.authentication import (
    DkimResult,
    DkimStatus,
    DmarcPolicy,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.dns import Answer, AnswerStatus, Plan, Question, RRType
from filterd.model.inspection import Author

MAX_IDENTIFIERS: Final = 16  # domains whose alignment is examined: SPF and the signatures that are evaluated


class _Aligned(IntEnum):
    NO = 0
    UNKNOWN = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class _Identifier:
    """A domain that SPF or DKIM speaks for; `sure` is False where that could not be checked just now."""

    domain: str
    spf: bool
    sure: bool


def evaluate(author: Author, spf: Sequence[SpfResult], dkim: Sequence[DkimResult]) -> Plan[DmarcResult]:
    """The message's result. Never raises: what is wrong is in the result's status and cause."""
    # Section 5.3.1: without precisely one author domain there is nothing to validate.
    domains = {mailbox.domain for mailbox in author.mailboxes}
    if author.ambiguous or len(domains) != 1 or "" in domains:
        domain = domains.pop() if len(domains) == 1 else ""
        return DmarcResult(DmarcStatus.PERMERROR, domain, cause=author.ambiguous or "no single author domain")
    domain = domains.pop()
    identifiers = _identifiers(spf, dkim)
    walks = {one.domain: Walk(one.domain) for one in identifiers if _related(one.domain, domain)}
    walk = walks.setdefault(domain, Walk(domain))
    known: dict[Question, Answer] = {}
    yield from complete_walks(walks.values(), known)
    found = _discover(walk)
    if isinstance(found, DmarcResult):
        return found
    record, policy_domain = found
    # What shares only its last label is walked where that label itself may be the organization.
    late = {one.domain: Walk(one.domain) for one in identifiers if one.domain not in walks and _below(one.domain, walk)}
    yield from complete_walks(late.values(), known)
    walks |= late
    policy = yield from _policy(record, policy_domain, domain)
    return _judge(walk, walks, identifiers, record, (policy_domain, policy))


def _identifiers(spf: Iterable[SpfResult], dkim: Iterable[DkimResult]) -> list[_Identifier]:
    """What may authenticate the message (section 4.4): SPF of MAIL FROM, and signatures over the whole body."""
    found: dict[_Identifier, None] = {}
    for result in spf:
        if result.scope is SpfScope.MAILFROM and result.status in {SpfStatus.PASS, SpfStatus.TEMPERROR}:
            _add(found, result.domain, spf=True, sure=result.status is SpfStatus.PASS)
    for signature in dkim:
        if signature.covers_body and signature.status in {DkimStatus.PASS, DkimStatus.TEMPERROR}:
            _add(found, signature.domain, spf=False, sure=signature.status is DkimStatus.PASS)
    return list(found)[:MAX_IDENTIFIERS]


def _add(found: dict[_Identifier, None], domain: str, *, spf: bool, sure: bool) -> None:
    name = normalise(domain)
    if name is not None:
        found[_Identifier(name, spf, sure)] = None


def _related(one: str, other: str) -> bool:
    """Whether two names end in the same two labels, or are the same."""
    return one == other or ("." in one and one.rsplit(".", 2)[-2:] == other.rsplit(".", 2)[-2:])


def _below(domain: str, walk: Walk) -> bool:
    return any(is_subdomain(domain, organization) for organization in walk.organizations)


def _discover(walk: Walk) -> tuple[Record, str] | DmarcResult:
    """The record to apply and where it stands (section 4.10.1), or the result where none can be applied."""
    domain = walk.domain
    record, place = walk.found.get(domain), domain
    if record is None:
        if walk.failed:
            return DmarcResult(DmarcStatus.TEMPERROR, domain, cause="policy lookup failed")
        # The organizational domain's record, or else that of the public suffix domain above it, where the walk ended.
        (organization,) = walk.organizations
        place = organization if organization in walk.found else next(reversed(walk.found), "")
        record = walk.found.get(place)
    if record is None:
        return DmarcResult(DmarcStatus.NONE, domain, cause="no policy record")
    if not record.usable:
        return DmarcResult(DmarcStatus.NONE, domain, cause="no usable policy in the record")
    return record, place


def _policy(record: Record, place: str, domain: str) -> Plan[DmarcPolicy | None]:
    """What the record asks for (section 4.10.1), None where that hangs on a lookup that failed."""
    if place == domain:
        return record.asked(record.policy)
    existing, missing = record.asked(record.existing_below), record.asked(record.missing_below)
    if existing is missing:
        return existing
    # Section 3.2.13: only NXDOMAIN means that the domain does not exist.
    (answer,) = yield (Question(domain, RRType.TXT),)
    if answer.failed:
        return None
    return missing if answer.status is AnswerStatus.NXDOMAIN else existing


def _judge(
    walk: Walk,
    walks: dict[str, Walk],
    identifiers: Sequence[_Identifier],
    record: Record,
    policy: tuple[str, DmarcPolicy | None],
) -> DmarcResult:
    """Section 5.3.5: a pass needs one identifier that is aligned; nothing is said where that could not be found out."""
    place, asked = policy
    outcomes = [(one, _alignment(one, walk, walks.get(one.domain), record)) for one in identifiers]
    aligned = [one for one, outcome in outcomes if one.sure and outcome is _Aligned.YES]
    if not aligned:
        if any(outcome is not _Aligned.NO for _, outcome in outcomes):
            return DmarcResult(DmarcStatus.TEMPERROR, walk.domain, cause="SPF, DKIM or alignment could not be checked")
        if asked is None:
            return DmarcResult(DmarcStatus.TEMPERROR, walk.domain, cause="existence of the author domain is unknown")
    passed = any(one.sure for one in identifiers)
    reason = "no aligned identifier" if passed else "neither SPF nor DKIM passed"
    organizations = walk.organizations
    return DmarcResult(
        status=DmarcStatus.PASS if aligned else DmarcStatus.FAIL,
        domain=walk.domain,
        policy_domain=place,
        organizational_domain=next(iter(organizations)) if len(organizations) == 1 else "",
        policy=record.asked(record.existing_below) if asked is None else asked,
        spf_aligned=any(one.spf for one in aligned),
        dkim_aligned=any(not one.spf for one in aligned),
        cause="" if aligned else reason,
    )


def _alignment(one: _Identifier, author: Walk, walk: Walk | None, record: Record) -> _Aligned:
    """Section 4.10.2; the mode is the applied record's."""
    if one.domain == author.domain:
        return _Aligned.YES
    if walk is None or (record.strict_spf if one.spf else record.strict_dkim):
        return _Aligned.NO
    ours, theirs = author.organizations, walk.organizations
    if not ours & theirs:
        return _Aligned.NO
    return _Aligned.YES if len(ours) == len(theirs) == 1 else _Aligned.UNKNOWN
