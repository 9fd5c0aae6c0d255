"""Greylisting at the end of a message: what is neither clean nor held and nobody answers for is to come again once."""

import hashlib
import os
from dataclasses import replace
from typing import Final

from filterd.greylist import EXCUSED, Attempt, counted, excuse, spf_domain
from filterd.model.session import TrustClass
from filterd.model.verdict import Action, Verdict
from filterd.pipeline.reasons import Reason
from filterd.pipeline.shares import Share
from filterd.pipeline.transaction import Transaction

NOTE: Final = "greylist"  # in the state: how the message stood
_CHUNK: Final = 256 * 1024  # bytes that are hashed at a time


def come_again(transaction: Transaction, decided: tuple[Share, ...]) -> tuple[Share, ...]:
    """The shares, with greylisting for those whose score asks for it and that would be delivered otherwise.

    Nothing that is deferred already is greylisted too, and nobody but a stranger is.
    """
    wanted = transaction.parts.greylisting
    facts = transaction.inspection
    if wanted is None or facts is None or transaction.trust is not TrustClass.STRANGER:
        return decided
    due = [share for share in decided if _due(share.verdict, wanted.least)]
    if not due or any(share.verdict.action is Action.DEFER for share in decided):
        return decided
    why = excuse(transaction.reports, facts.author, transaction.envelope.sender)
    if why:
        wanted.count.greylisted(EXCUSED)
        return decided
    recipients = tuple([one.address for share in due for one in share.recipients])
    attempt = Attempt(
        transaction.client.address,
        transaction.envelope.sender,
        recipients,
        spf_domain(transaction.reports),
        _body(transaction),
    )
    found = wanted.greylist.ask(attempt, transaction.now)
    counted(found, wanted.count)
    transaction.state[NOTE] = found.text
    if not found.waits:
        return decided
    return tuple([_asked_again(transaction, share, found.text) if share in due else share for share in decided])


def _due(verdict: Verdict, least: float) -> bool:
    would = verdict.observed or verdict.action
    return would.rank < Action.GREYLIST.rank and verdict.score >= least and verdict.code != Reason.UNFILTERED


def _asked_again(transaction: Transaction, share: Share, why: str) -> Share:
    parts, verdict = transaction.parts, share.verdict
    policy = None if parts.policies is None else parts.policies.of(share.recipients[0].address)
    observe = (parts.policy if policy is None else policy.decision).observe
    text = f"{verdict.text}; greylisted: {why}"
    if observe:
        return replace(share, verdict=replace(verdict, code=Reason.GREYLISTED, text=text, observed=Action.GREYLIST))
    reply = parts.replies.reply(Action.GREYLIST, Reason.GREYLISTED, transaction.id)
    asked = replace(verdict, action=Action.GREYLIST, code=Reason.GREYLISTED, text=text, reply=reply)
    return replace(share, verdict=asked)


def _body(transaction: Transaction) -> str:
    """A digest of the body alone: the header of a retry has other Received fields. Reads it in place, in pieces."""
    body = transaction.body
    if body is None:
        return ""
    digest = hashlib.sha256()
    for start in range(0, body.size, _CHUNK):
        digest.update(os.pread(body.fd, min(_CHUNK, body.size - start), start))
    return digest.hexdigest()
