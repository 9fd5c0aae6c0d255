"""SPF (RFC 7208) of the HELO name and of MAIL FROM: two identities, two results."""

from dataclasses import replace
from typing import Final

from filterd.checks.contract import View
from filterd.dns.plans import side_by_side
from filterd.model.authentication import SpfResult, SpfScope, SpfStatus
from filterd.model.dns import Plan
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.spf import check_host

MAX_EVIDENCE: Final = 200  # characters of one evidence string
HELO_FAIL: Final = "SPF_HELO_FAIL"
_BY_STATUS: Final = {status: f"SPF_{status.name}" for status in SpfStatus}


class SpfCheck:
    """Whether the client may send for the sender's domain, and use the name it gave at HELO."""

    name = "spf"
    stage = Stage.MAIL
    foresees = frozenset[Stage]()
    needs: tuple[str, ...] = ()
    symbols = frozenset([HELO_FAIL, *_BY_STATUS.values()])

    def __init__(self, *, explain: bool = False) -> None:
        """`explain` has the domain's explanation of a failure looked up, as evidence."""
        self._explain = explain

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:  # noqa: ARG002  # the contract's arguments
        """Nothing: an MTA passes HELO on together with MAIL, and then the check itself begins."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """Evaluate both identities side by side."""
        address, helo, sender = view.client.address, view.helo, view.envelope.sender
        if not address:
            return CheckReport(self.name, Outcome.SKIPPED, cause="no client address")
        # RFC 7208, section 2.3 and 4.3: the HELO identity has the local part postmaster.
        plans = [check_host(address, helo, f"postmaster@{helo}", helo, scope=SpfScope.HELO, now=view.now)]
        if sender:
            domain = view.envelope.sender_domain
            plans.append(
                check_host(address, domain, sender, helo, scope=SpfScope.MAILFROM, now=view.now, explain=self._explain)
            )
        hello, *rest = yield from side_by_side(plans)
        # RFC 7208, section 2.4: the null sender stands for that same identity, which then has one result in two scopes.
        mail_from = rest[0] if rest else replace(hello, scope=SpfScope.MAILFROM)
        findings = [_finding(_BY_STATUS[mail_from.status], mail_from)]
        if sender and hello.status is SpfStatus.FAIL:
            findings.append(_finding(HELO_FAIL, hello))
        failed = [one for one in (mail_from, hello) if one.status is SpfStatus.TEMPERROR]
        return CheckReport(
            self.name,
            Outcome.UNKNOWN if failed else Outcome.OK,
            tuple(findings),
            (hello, mail_from),
            "; ".join(dict.fromkeys(one.cause for one in failed)),
        )


def _finding(symbol: str, result: SpfResult) -> Finding:
    evidence = (f"{result.scope} {result.domain}", result.cause, result.explanation)
    return Finding(symbol, tuple([text[:MAX_EVIDENCE] for text in evidence if text]))
