"""What is counted of a finished message for reports to its author's domain (RFC 9990). Pure."""

from collections.abc import Iterable
from typing import Final

from filterd.dmarc import clean, destinations, is_report_subject
from filterd.dmarc.record import Record, select
from filterd.domains import is_subdomain, normalise, normalise_address
from filterd.model.aggregate import DAY, Evaluated, Sighting, Signature
from filterd.model.authentication import (
    DkimResult,
    DkimStatus,
    DmarcOverride,
    DmarcPolicy,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
)
from filterd.model.dns import AnswerStatus, Question, RRType
from filterd.model.session import TrustClass
from filterd.model.verdict import Action, Verdict
from filterd.pipeline.transaction import Transaction

STRANGERS: Final = frozenset({TrustClass.STRANGER, TrustClass.RELAY})
FINAL: Final = frozenset({Action.ACCEPT, Action.ADD_HEADER, Action.QUARANTINE, Action.REJECT, Action.DISCARD})
JUDGED: Final = frozenset({DmarcStatus.PASS, DmarcStatus.FAIL})
_SEVERITY: Final = (DmarcPolicy.NONE, DmarcPolicy.QUARANTINE, DmarcPolicy.REJECT)
_DONE: Final = {
    Action.ADD_HEADER: DmarcPolicy.QUARANTINE,
    Action.QUARANTINE: DmarcPolicy.QUARANTINE,
    Action.REJECT: DmarcPolicy.REJECT,
    Action.DISCARD: DmarcPolicy.REJECT,
}


def seen(transaction: Transaction, verdict: Verdict) -> Sighting | None:
    """What is counted of a message; None where there is nothing to report, or nobody who asks for reports.

    Not counted are what comes again (deferred, greylisted), mail of our own users and hosts, and reports themselves,
    or two sites would report to each other about their reports for ever.
    """
    if verdict.action not in FINAL or transaction.trust not in STRANGERS:
        return None
    results = [result for report in transaction.reports.values() for result in report.auth_results]
    dmarc = next((one for one in results if isinstance(one, DmarcResult)), None)
    source = normalise_address(transaction.client.address)
    if dmarc is None or dmarc.status not in JUDGED or not source:
        return None
    text = _record(transaction, dmarc.policy_domain)
    if not destinations(text) or _is_report(transaction, dmarc):
        return None
    record = select((text,))
    if record is None:
        return None
    disposition, reasons = disposed(dmarc, record, verdict.action)
    spf = next((one for one in results if isinstance(one, SpfResult) and one.scope is SpfScope.MAILFROM), None)
    evaluated = Evaluated(
        source=source,
        disposition=disposition,
        dkim=dmarc.dkim_aligned,
        spf=dmarc.spf_aligned,
        reasons=reasons,
        header_from=clean(dmarc.domain),
        envelope_from=clean(transaction.envelope.sender_domain),
        envelope_to=_common(one.address for one in transaction.envelope.recipients),
        signatures=_signatures(dmarc, [one for one in results if isinstance(one, DkimResult)]),
        spf_domain="" if spf is None else clean(spf.domain),
        spf_result="" if spf is None else spf.status.value,
    )
    return Sighting(int(transaction.now // DAY), dmarc.policy_domain, text, evaluated)


def disposed(dmarc: DmarcResult, record: Record, action: Action) -> tuple[str, tuple[str, ...]]:
    """What was done for DMARC's sake, and why where that is less than the domain publishes.

    Never more than it asks for: what else filterd found of the message is nobody's business (RFC 9990, "Disclosure of
    Filtering Information").
    """
    if dmarc.status is DmarcStatus.PASS:
        # Section 3.1.1.9: a pass under a policy that would act.
        return ("none" if dmarc.policy is DmarcPolicy.NONE else "pass"), ()
    done = DmarcPolicy.NONE if dmarc.override else _DONE.get(action, DmarcPolicy.NONE)
    applied = min(done, dmarc.policy, key=_SEVERITY.index)
    reasons = []
    if record.testing and _published(dmarc, record) is not dmarc.policy:
        reasons.append("policy_test_mode")
    if applied is not dmarc.policy:
        reasons.append(dmarc.override.value or DmarcOverride.LOCAL_POLICY.value)
    return applied.value, tuple(reasons)


def _published(dmarc: DmarcResult, record: Record) -> DmarcPolicy:
    """The policy before t=y lowered it; of a subdomain sp= or np=, whichever leads to what was applied."""
    if dmarc.policy_domain == dmarc.domain:
        return record.policy
    below = (record.existing_below, record.missing_below)
    return next((one for one in below if record.asked(one) is dmarc.policy), record.policy)


def _record(transaction: Transaction, place: str) -> str:
    """The text of the record that was applied, as it was answered while the message was judged."""
    answer = transaction.lookups.answers.get(Question(f"_dmarc.{place}", RRType.TXT))
    if answer is None or answer.status is not AnswerStatus.NOERROR:
        return ""
    found = [text for text in answer.records if select((text,)) is not None]
    return _printable(found[0]) if len(found) == 1 else ""


def _is_report(transaction: Transaction, dmarc: DmarcResult) -> bool:
    """A report must pass (section 3.5.2), so who forges cannot keep his mail from being reported by its Subject."""
    facts = transaction.inspection
    return dmarc.status is DmarcStatus.PASS and facts is not None and is_report_subject(facts.subject)


def _signatures(dmarc: DmarcResult, found: Iterable[DkimResult]) -> tuple[Signature, ...]:
    """Section 3.1.3: those that pass first, of them those aligned strictly, then by the organization.

    What names no domain or no selector is no signature that anybody could have looked at.
    """

    def order(one: DkimResult) -> tuple[bool, bool, bool]:
        domain = normalise(one.domain) or ""
        organization = dmarc.organizational_domain
        return (
            one.status is not DkimStatus.PASS,
            domain != dmarc.domain,
            not (organization and is_subdomain(domain, organization)),
        )

    signed = [one for one in found if one.status is not DkimStatus.NONE and one.domain and one.selector]
    return tuple(
        [Signature(clean(one.domain), clean(one.selector), one.status.value) for one in sorted(signed, key=order)]
    )


def _common(addresses: Iterable[str]) -> str:
    """The domain of all recipients, empty where there is more than one."""
    domains = {address.rpartition("@")[2].lower() for address in addresses}
    return clean(domains.pop()) if len(domains) == 1 else ""


def _printable(text: str) -> str:
    return "".join([letter if " " <= letter <= "~" else "?" for letter in text])
