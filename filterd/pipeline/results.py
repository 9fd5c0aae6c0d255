"""The one result of a check that has several, and what DMARC's came to. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from filterd.model.authentication import (
    AuthResult,
    DkimResult,
    DkimStatus,
    DmarcOverride,
    DmarcPolicy,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
)
from filterd.model.verdict import Action


def result_of(results: Sequence[AuthResult]) -> str:
    """A check's result as one word: SPF's of the envelope sender, DKIM's best; empty where there is none to act on."""
    if any(isinstance(one, DkimResult) and one.status is DkimStatus.PASS for one in results):
        return str(DkimStatus.PASS)
    for result in results:
        if isinstance(result, SpfResult) and result.scope is not SpfScope.MAILFROM:
            continue
        if isinstance(result, DmarcResult) and result.override:
            continue
        return str(result.status)
    return ""


@dataclass(frozen=True, slots=True)
class Disposition:
    """What was done about a DMARC result: none, quarantine or reject, and why that is not what the domain asks for."""

    applied: DmarcPolicy = DmarcPolicy.NONE
    override: DmarcOverride = DmarcOverride.NONE
    comment: str = ""


_APPLIED = {Action.QUARANTINE: DmarcPolicy.QUARANTINE, Action.REJECT: DmarcPolicy.REJECT}


def disposition(result: DmarcResult, action: Action) -> Disposition:
    """How a message with this result and this action is to be reported to the author's domain (RFC 9990)."""
    if result.status is not DmarcStatus.FAIL or result.policy is DmarcPolicy.NONE:
        return Disposition()
    if result.override:
        return Disposition(DmarcPolicy.NONE, result.override, result.override_comment)
    applied = _APPLIED.get(action, DmarcPolicy.NONE)
    if applied is result.policy:
        return Disposition(applied)
    return Disposition(applied, DmarcOverride.LOCAL_POLICY, f"action {action}")
