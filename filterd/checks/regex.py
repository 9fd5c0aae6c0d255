"""The regex rules that matched, as a report.

They bring symbols of their own (`REGEX_...`), which weigh what their files say: this check names each symbol once with
the places behind it, as the one for YARA does.
"""

from typing import Final

from filterd.checks.contract import View
from filterd.checks.yara import findings_of
from filterd.dns.plans import nothing
from filterd.mime.symbols import UNSCANNABLE_CRASH, UNSCANNABLE_HTML, clip
from filterd.model.dns import Plan
from filterd.model.inspection import REGEX_PREFIX
from filterd.model.report import CheckReport, Outcome, Stage

# Stages that bring what is searched; where one of them failed a rule may have seen nothing.
_STAGES: Final = frozenset({"mime", "parts", "text", "urls", "regex"})


class RegexCheck:
    """Names the hits; asks nothing of the network. Its symbols are those of the rule files, known only to them."""

    name = "regex"
    stage = Stage.EOM
    foresees = frozenset[Stage]()
    needs: tuple[str, ...] = ()
    symbols: frozenset[str] = frozenset()

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:  # noqa: ARG002  # the contract's arguments
        """Nothing to ask."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """A finding for each symbol that was hit; `unknown` where texts could not be read or the search failed."""
        yield from nothing()
        facts = view.inspection
        if facts is None:
            return CheckReport(self.name, Outcome.UNKNOWN, cause="the content was not inspected")
        cause = ""
        for found in facts.findings:
            if found.symbol == UNSCANNABLE_CRASH and found.evidence and found.evidence[0] not in _STAGES:
                continue
            if found.symbol in {UNSCANNABLE_CRASH, UNSCANNABLE_HTML}:
                cause = clip(f"not everything was searched: {found.symbol} {' '.join(found.evidence)}".rstrip())
        return CheckReport(
            self.name, Outcome.UNKNOWN if cause else Outcome.OK, findings_of(facts.hits, REGEX_PREFIX), cause=cause
        )
