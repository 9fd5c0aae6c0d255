"""Senders on the operator's list, by what they have proved: a signature, their SPF record, their address."""

from collections.abc import Collection
from typing import Final

from filterd.checks.contract import View
from filterd.dns.plans import nothing
from filterd.model.dns import Plan
from filterd.model.identity import Identities, Identity, Proved
from filterd.model.report import CheckReport, Finding, Outcome, Stage

ALLOWED: Final = "ALLOWED_SENDER"
_NOT_DONE: Final = frozenset({Outcome.UNKNOWN, Outcome.CRASHED})


class AllowCheck:
    """Says that the sender is on the list; what that is worth stands in scores.toml."""

    name = "allow"
    stage = Stage.EOM
    foresees = frozenset[Stage]()
    needs = ("spf", "dkim")
    symbols = frozenset([ALLOWED])

    def __init__(self, entries: Collection[Identity] = ()) -> None:
        """Take the entries of `[trust] allow`."""
        self._entries = Identities(entries)

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:  # noqa: ARG002  # the contract's arguments
        """Nothing: it asks nothing."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """Compare what SPF and DKIM have proved with the entries."""
        yield from nothing()
        if not self._entries:
            return CheckReport(self.name, Outcome.SKIPPED, cause="nobody is on the list")
        results = [result for name in self.needs for result in view.reports[name].auth_results]
        entry = self._entries.match(Proved.of(results, view.client.address))
        if entry is not None:
            return CheckReport(self.name, Outcome.OK, (Finding(ALLOWED, (str(entry),)),))
        lost = [name for name in self.needs if view.reports[name].outcome in _NOT_DONE]
        if lost:
            return CheckReport(self.name, Outcome.UNKNOWN, cause=f"{' and '.join(lost)} could not be checked")
        return CheckReport(self.name, Outcome.OK)
