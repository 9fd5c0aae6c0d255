"""DMARC (RFC 9989): the author's domain, judged by what SPF and DKIM have found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from filterd.checks.contract import View
from filterd.checks.dkim import hints
from filterd.checks.earlier import saw_spf_fail
from filterd.dmarc import OverridePolicy, evaluate, list_id, list_owners, override, walk_questions
from filterd.dns.plans import warm
from filterd.domains import normalise
from filterd.mime.address import read_author
from filterd.model.authentication import (
    ArcResult,
    DkimResult,
    DmarcOverride,
    DmarcPolicy,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfStatus,
)
from filterd.model.dns import Plan, Question
from filterd.model.identity import Proved
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.reputation import standing_note

MAX_FROM: Final = 998  # bytes of a From field read before the inspector; one line of RFC 5322, section 2.1.1
MAX_FORESEEN: Final = 16  # lookups started on a guess: the author's whole walk and the names of a few signers below it
_MAX_EVIDENCE: Final = 200  # characters

_FAILED: Final = {
    DmarcPolicy.NONE: "DMARC_FAIL_NONE",
    DmarcPolicy.QUARANTINE: "DMARC_QUARANTINE",
    DmarcPolicy.REJECT: "DMARC_REJECT",
}
SPF_UPGRADED: Final = "DMARC_SPF_UPGRADED"
_SPARED: Final = {
    DmarcOverride.TRUSTED_FORWARDER: "DMARC_TRUSTED_FORWARDER",
    DmarcOverride.MAILING_LIST: "DMARC_MAILING_LIST",
}
KNOWN_LIST: Final = "DMARC_KNOWN_LIST"
_BY_STATUS: Final = {status: f"DMARC_{status.name}" for status in DmarcStatus if status is not DmarcStatus.FAIL}
_NOT_DONE: Final = {Outcome.UNKNOWN, Outcome.CRASHED}


class DmarcCheck:
    """Whether the author's domain vouches for the message, and what it asks for where it does not."""

    name = "dmarc"
    stage = Stage.EOM
    foresees = frozenset({Stage.MAIL, Stage.HEADERS})
    needs = ("spf", "dkim", "arc")
    symbols = frozenset([SPF_UPGRADED, KNOWN_LIST, *_FAILED.values(), *_SPARED.values(), *_BY_STATUS.values()])

    def __init__(
        self,
        policy: OverridePolicy | None = None,
        *,
        spf_upgrade: bool = False,
        known: Callable[[str, float], bool] | None = None,
    ) -> None:
        """`policy` names whom the operator believes; `spf_upgrade` wants earlier hops asked where SPF alone passes.

        `known` says whether a domain has a good standing by now (epoch seconds); None: lists must be named.
        """
        self._policy = policy or OverridePolicy()
        self._spf_upgrade = spf_upgrade
        self._known = known

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:
        """Every name that the walks may come to: at MAIL of the sender's domain, at HEADERS of author and signers."""
        if stage is Stage.MAIL:
            domain = normalise(view.envelope.sender_domain)
            return None if domain is None else warm(walk_questions(domain))
        if stage is not Stage.HEADERS:
            return None
        author = _author_domain(view.values(b"from"))
        return None if author is None else warm(_foreseen(author, view.values(b"dkim-signature")))

    def run(self, view: View) -> Plan[CheckReport]:
        """Evaluate with the reports of SPF and DKIM."""
        if view.inspection is None:
            return CheckReport(self.name, Outcome.UNKNOWN, cause="the content was not inspected")
        results = [result for name in self.needs for result in view.reports[name].auth_results]
        spf = [result for result in results if isinstance(result, SpfResult)]
        dkim = [result for result in results if isinstance(result, DkimResult)]
        result = yield from evaluate(view.inspection.author, spf, dkim)
        upgraded = ""
        if self._spf_upgrade and result.spf_aligned and not result.dkim_aligned:
            upgraded = saw_spf_fail(view, result.organizational_domain or result.domain)
            if upgraded:
                spf = [one for one in spf if one.status is not SpfStatus.PASS]
                result = yield from evaluate(view.inspection.author, spf, dkim)
        result = _doubted(result, view.reports)
        if result.status is not DmarcStatus.FAIL:
            return _report(result, _BY_STATUS[result.status], upgraded)
        notes: dict[str, str] = {}
        failed = self._failed(result, view, Proved.of([*spf, *dkim], view.client.address), notes)
        return replace(_report(*failed, upgraded), read=tuple(notes.items()))

    def _failed(
        self, result: DmarcResult, view: View, proved: Proved, notes: dict[str, str]
    ) -> tuple[DmarcResult, str]:
        """A failure with what spares it, where there is something, and its symbol."""
        arc = next((one for one in view.reports["arc"].auth_results if isinstance(one, ArcResult)), None)
        identifier = list_id(view.values(b"list-id"))
        spared = override(result, proved, arc, identifier, self._policy)
        if spared.override:
            return spared, _SPARED[spared.override]
        if self._known is not None and result.policy is not DmarcPolicy.NONE:
            for owner in list_owners(identifier, proved.domains):
                known = self._known(owner, view.now)
                notes[standing_note(owner)] = str(known)
                if known:
                    comment = f"{identifier} by {owner}, which has a good standing"
                    return replace(result, override=DmarcOverride.MAILING_LIST, override_comment=comment), KNOWN_LIST
        return result, _FAILED[result.policy]


def _doubted(result: DmarcResult, reports: Mapping[str, CheckReport]) -> DmarcResult:
    """A failure is none where SPF or DKIM could not be checked at all: what they would have said might be a pass."""
    lost = [name for name in ("spf", "dkim") if reports[name].outcome in _NOT_DONE and not reports[name].auth_results]
    if result.status is not DmarcStatus.FAIL or not lost:
        return result
    return DmarcResult(DmarcStatus.TEMPERROR, result.domain, cause=f"{' and '.join(lost)} could not be checked")


def _report(result: DmarcResult, symbol: str, upgraded: str) -> CheckReport:
    unknown = result.status is DmarcStatus.TEMPERROR
    findings = [Finding(symbol, _evidence(result.domain, result.cause, result.override_comment))]
    if upgraded:
        findings.append(Finding(SPF_UPGRADED, _evidence(f"SPF failed for {upgraded} at an earlier hop")))
    return CheckReport(
        DmarcCheck.name,
        Outcome.UNKNOWN if unknown else Outcome.OK,
        tuple(findings),
        (result,),
        result.cause if unknown else "",
    )


def _evidence(*texts: str) -> tuple[str, ...]:
    return tuple([text[:_MAX_EVIDENCE] for text in texts if text])


def _author_domain(values: Sequence[bytes]) -> str | None:
    """The author's domain where the header has one short From field with one reading; None otherwise."""
    if len(values) != 1 or len(values[0]) > MAX_FROM:
        return None
    author = read_author(tuple(values))
    return author.mailboxes[0].domain if author.mailboxes and not author.ambiguous else None


def _foreseen(author: str, signatures: Sequence[bytes]) -> list[Question]:
    """The walk of the author's domain, and those of signers that end in the same two labels."""
    questions = dict.fromkeys(walk_questions(author))
    for domain, _ in hints(signatures):
        if domain.rsplit(".", 2)[-2:] == author.rsplit(".", 2)[-2:]:
            questions.update(dict.fromkeys(walk_questions(domain)))
    return list(questions)[:MAX_FORESEEN]
