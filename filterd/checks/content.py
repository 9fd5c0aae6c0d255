"""What the inspector found in the content, as a report."""

from typing import Final

from filterd.checks.contract import View
from filterd.dns.plans import nothing
from filterd.mime.symbols import AMBIGUOUS, ARCHIVES, DOCUMENTS, HEURISTICS, UNSCANNABLE
from filterd.model.dns import Plan
from filterd.model.report import CheckReport, Outcome, Stage

_SYMBOLS: Final = HEURISTICS | AMBIGUOUS | UNSCANNABLE | ARCHIVES | DOCUMENTS


class ContentCheck:
    """Heuristics, ambiguities and unscannable content; asks nothing of the network."""

    name = "content"
    stage = Stage.EOM
    foresees = frozenset[Stage]()
    needs: tuple[str, ...] = ()
    symbols = _SYMBOLS

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:  # noqa: ARG002  # the contract's arguments
        """Nothing to ask."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """The inspector's findings; `unknown` where it died or overran."""
        yield from nothing()
        facts = view.inspection
        if facts is None:
            return CheckReport(self.name, Outcome.UNKNOWN, cause="the content was not inspected")
        known = tuple([found for found in facts.findings if found.symbol in _SYMBOLS])
        strange = [found.symbol for found in facts.findings if found.symbol not in _SYMBOLS]
        cause = f"unknown symbols: {', '.join(strange[:5])}" if strange else ""
        return CheckReport(self.name, Outcome.UNKNOWN if strange else Outcome.OK, known, cause=cause)
