"""Which domain answers for a message: the one that has proved to be behind it. Pure.

A name that was not proved is nobody's: it neither earns nor loses anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeGuard

from filterd.model.authentication import (
    AuthResult,
    DkimResult,
    DkimStatus,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.inspection import Author
from filterd.reputation.keys import domain_of, person


@dataclass(frozen=True, slots=True)
class Responsible:
    """`domain` is a registrable one.

    `vouched`: it has authorised this client (SPF); else only its signature came along, which others can send again.
    `aligned`: it is the author's own.
    """

    domain: str
    vouched: bool
    aligned: bool


def responsible(results: Iterable[AuthResult], author: Author, sender: str) -> Responsible | None:
    """The author's domain where DMARC passes; else that of a signature, else that of the envelope sender."""
    dmarc = spf = ""
    failed = False
    signers = []
    for result in results:
        if isinstance(result, DmarcResult):
            if result.status is DmarcStatus.PASS:
                dmarc = domain_of(result.domain)
            failed = result.status is not DmarcStatus.NONE
        elif isinstance(result, DkimResult):
            # RFC 6376, section 3.6.1: mail under a key with t=y is not to be treated as other signed mail.
            if result.status is DkimStatus.PASS and result.covers_body and not result.testing:
                signers.append(domain_of(result.domain))
        elif _passes(result):
            # RFC 7208, section 2.4: the null sender's result is that of the HELO name, which anybody chooses.
            spf = domain_of(result.domain) if sender else ""
    if dmarc:
        return Responsible(dmarc, spf == dmarc, aligned=True)
    own = _author_domain(author)
    domain = own if own and (own in signers or own == spf) else next(filter(None, signers), spf)
    if not domain:
        return None
    # Where there is a policy and it did not pass, nothing speaks for the author, however much the names look alike.
    return Responsible(domain, spf == domain, aligned=domain == own and not failed)


def proved(results: Iterable[AuthResult], sender: str) -> bool:
    """Whether the envelope sender's domain has authorised the client."""
    return bool(sender) and any(map(_passes, results))


def correspondent(author: Author, sender: str, answers: Responsible | None) -> str:
    """The address of who wrote, where it is the envelope's too and its domain answers for both; empty otherwise."""
    if answers is None or not answers.aligned or len(author.mailboxes) != 1 or author.ambiguous:
        return ""
    mailbox = author.mailboxes[0]
    written = person(f"{mailbox.local_part}@{mailbox.domain}")
    return written if written == person(sender) else ""


def _passes(result: AuthResult) -> TypeGuard[SpfResult]:
    return isinstance(result, SpfResult) and result.status is SpfStatus.PASS and result.scope is SpfScope.MAILFROM


def _author_domain(author: Author) -> str:
    if len(author.mailboxes) != 1 or author.ambiguous:
        return ""
    return domain_of(author.mailboxes[0].domain)
