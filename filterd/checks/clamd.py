"""What clamd said, as a report. It is asked beside the inspector, not here: a scan takes longer than lookups may."""

from typing import Final

from filterd.checks.contract import View
from filterd.dns.plans import nothing
from filterd.model.dns import Plan
from filterd.model.report import CheckReport, Finding, Outcome, Stage

VIRUS: Final = "CLAMD_VIRUS"


class ClamdCheck:
    """Names the signature; `unknown` where clamd has not scanned the message."""

    name = "clamd"
    stage = Stage.EOM
    foresees = frozenset[Stage]()
    needs: tuple[str, ...] = ()
    symbols = frozenset([VIRUS])

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:  # noqa: ARG002  # the contract's arguments
        """Nothing to ask."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """Report the answer."""
        yield from nothing()
        answer = view.scanned
        if answer is None:
            return CheckReport(self.name, Outcome.SKIPPED, cause="clamd is not asked")
        if answer.cause:
            return CheckReport(self.name, Outcome.UNKNOWN, cause=answer.cause)
        return CheckReport(self.name, Outcome.OK, (Finding(VIRUS, (answer.virus,)),) if answer.virus else ())
