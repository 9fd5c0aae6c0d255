"""ARC (RFC 8617): whether the chain of those who handled the message holds, and what trusted ones of them say."""

from collections.abc import Collection
from typing import Final

from filterd.arc import MAX_KEYS, MAX_SETS, Unverified, evaluate, vouched
from filterd.checks.contract import View
from filterd.dkim import key_question, signature_hints
from filterd.dns.plans import warm
from filterd.model.authentication import ArcResult, ArcStatus
from filterd.model.dns import Plan
from filterd.model.report import CheckReport, Finding, Outcome, Stage

TRUSTED: Final = "ARC_TRUSTED"
_MAX_EVIDENCE: Final = 200  # characters
_BY_STATUS: Final = {status: f"ARC_{status.name}" for status in ArcStatus}


class ArcCheck:
    """Asks for all keys at once; those that the header names are in the cache by then."""

    name = "arc"
    stage = Stage.EOM
    foresees = frozenset({Stage.HEADERS})
    needs: tuple[str, ...] = ()
    symbols = frozenset([TRUSTED, *_BY_STATUS.values()])

    def __init__(self, sealers: Collection[str] = ()) -> None:
        """`sealers` are the domains whose seals count, in A-labels and lower case."""
        self._sealers = frozenset(sealers)

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:
        """The keys that the seals name, and the topmost message signature, which is the newest one nearly always."""
        if stage is not Stage.HEADERS:
            return None
        seals = view.values(b"arc-seal")
        if not 0 < len(seals) <= MAX_SETS:
            return None
        named = [*view.values(b"arc-message-signature")[:1], *seals[:MAX_KEYS]]
        pairs = dict.fromkeys([pair for pair in map(signature_hints, named) if pair is not None])
        questions = [question for question in [key_question(*pair) for pair in pairs] if question is not None]
        return warm(questions[:MAX_KEYS]) if questions else None

    def run(self, view: View) -> Plan[CheckReport]:
        """Verify the chain that the inspector has prepared."""
        if view.inspection is None:
            return CheckReport(self.name, Outcome.UNKNOWN, cause="the content was not inspected")
        facts = view.inspection.arc
        if facts is None:
            return CheckReport(self.name, Outcome.UNKNOWN, cause="the chain could not be read")
        found = yield from evaluate(facts, view.client.address)
        if isinstance(found, Unverified):
            return CheckReport(self.name, Outcome.UNKNOWN, cause=found.cause)
        result = vouched(found, facts, self._sealers)
        return CheckReport(self.name, Outcome.OK, tuple(_findings(result)), (result,))


def _findings(result: ArcResult) -> list[Finding]:
    chain = f"{result.instance}: {' '.join(result.sealers)}" if result.sealers else ""
    findings = [Finding(_BY_STATUS[result.status], _evidence(result.cause, chain))]
    if result.trusted:
        said = [
            f"{voucher.sealer}: " + " ".join([f"{one.method}={one.result}" for one in voucher.results])
            for voucher in result.vouchers
        ]
        findings.append(Finding(TRUSTED, _evidence(*(said or [result.domain]))))
    return findings


def _evidence(*texts: str) -> tuple[str, ...]:
    return tuple([text[:_MAX_EVIDENCE] for text in texts if text])
