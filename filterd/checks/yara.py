"""The YARA rules that matched, as a report.

Rules bring symbols of their own (`YARA_...`), with weight, action and stage in their metadata: this check names each
symbol once with the rules and parts behind it, and the scoring, which is given the same hits, weighs that one finding.
A rule cannot speak in the name of a check: a hit under any other symbol is not passed on.
"""

from typing import Final

from filterd.checks.contract import View
from filterd.dns.plans import nothing
from filterd.mime.symbols import UNSCANNABLE, UNSCANNABLE_CRASH, UNSCANNABLE_HTML, clip
from filterd.model.dns import Plan
from filterd.model.inspection import RULE_PREFIX, RULE_PREFIXES, Inspection, RuleHit
from filterd.model.report import CheckReport, Finding, Outcome, Stage
from filterd.score.stages import WHY, RuleStage, stage_of

MAX_EVIDENCE: Final = 5  # places named for one symbol; the rest is counted
# A page that was not parsed was scanned all the same.
_UNSCANNED: Final = UNSCANNABLE - {UNSCANNABLE_HTML}
_SCANNING: Final = frozenset({"mime", "header", "parts", "unpack", "yara"})  # stages that bring bytes before the rules


class YaraCheck:
    """Names the hits; asks nothing of the network. Its symbols are those of the loaded rules, known only to them."""

    name = "yara"
    stage = Stage.EOM
    foresees = frozenset[Stage]()
    needs: tuple[str, ...] = ()
    symbols: frozenset[str] = frozenset()

    def foresee(self, view: View, stage: Stage) -> Plan[None] | None:  # noqa: ARG002  # the contract's arguments
        """Nothing to ask."""
        return None

    def run(self, view: View) -> Plan[CheckReport]:
        """A finding for each symbol that was hit; `unknown` where the rules have not seen everything."""
        yield from nothing()
        facts = view.inspection
        if facts is None:
            return CheckReport(self.name, Outcome.UNKNOWN, cause="the content was not inspected")
        if not facts.rule_set:
            return CheckReport(self.name, Outcome.SKIPPED, cause="no rules are loaded")
        cause = _unseen(facts)
        found = findings_of(facts.hits, RULE_PREFIX)
        return CheckReport(self.name, Outcome.UNKNOWN if cause else Outcome.OK, found, cause=cause)


def findings_of(hits: tuple[RuleHit, ...], prefix: str) -> tuple[Finding, ...]:
    """One finding for each symbol that begins so, in order of appearance; of rules in test nothing is said."""
    places: dict[str, dict[str, None]] = {}
    for hit in hits:
        if hit.symbol.startswith(prefix) and stage_of(hit.meta) is not RuleStage.TEST:
            why = f" ({hit.meta[WHY]})" if WHY in hit.meta else ""
            places.setdefault(hit.symbol, {})[clip(f"{hit.rule} in {hit.part}{why}")] = None
    return tuple([Finding(symbol, _shown(tuple(found))) for symbol, found in places.items()])


def _shown(places: tuple[str, ...]) -> tuple[str, ...]:
    """The first places, and how many more there are."""
    more = len(places) - MAX_EVIDENCE
    return (*places[:MAX_EVIDENCE], f"and {more} more") if more > 0 else places


def _unseen(facts: Inspection) -> str:
    """What the rules have not been shown, or gave up on, in words; empty where they have seen everything."""
    strange = sorted({hit.symbol for hit in facts.hits if not hit.symbol.startswith(RULE_PREFIXES)})
    if strange:
        return clip(f"hits under other names than {RULE_PREFIX}...: {', '.join(strange[:MAX_EVIDENCE])}")
    for found in facts.findings:
        if found.symbol == UNSCANNABLE_CRASH and found.evidence and found.evidence[0] not in _SCANNING:
            continue  # of a stage that only reads what was scanned
        if found.symbol in _UNSCANNED:
            return clip(f"not everything was scanned: {found.symbol} {' '.join(found.evidence)}".rstrip())
    return ""
