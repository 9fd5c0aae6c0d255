"""What a scanner of another make said. It is asked beside the inspector: a scan takes longer than lookups may."""

from typing import ClassVar

from filterd.checks.contract import View
from filterd.dns.plans import nothing
from filterd.model.dns import Plan
from filterd.model.report import CheckReport, Finding, Outcome, Stage


class ScannerCheck:
    """Names what a scanner of another make has found; `unknown` where it has not scanned the message."""

    name: ClassVar[str]
    symbol: ClassVar[str]
    stage = Stage.EOM
    foresees = frozenset[Stage]()
    needs: tuple[str, ...] = ()

    @property
    def symbols(self) -> frozenset[str]:
        """The one there is."""
        return frozenset([self.symbol])

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:  # noqa: ARG002  # the contract's arguments
        """Nothing to ask."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """Report the answer."""
        yield from nothing()
        answer = view.scanned.get(self.name)
        if answer is None:
            return CheckReport(self.name, Outcome.SKIPPED, cause=f"{self.name} is not asked")
        if answer.cause:
            return CheckReport(self.name, Outcome.UNKNOWN, cause=answer.cause)
        return CheckReport(self.name, Outcome.OK, (Finding(self.symbol, (answer.virus,)),) if answer.virus else ())
