"""Adding up what the checks reported."""

import math
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from filterd.config.rules import MAX_WEIGHT
from filterd.model.inspection import REGEX_PREFIX, RULE_PREFIXES, RuleHit
from filterd.model.report import CheckReport, Finding
from filterd.model.verdict import Action, ScoredSymbol
from filterd.score.rules import ScoreRules, SymbolRule
from filterd.score.stages import SILENT, RuleStage, stage_of

YARA: Final = "yara"  # the check a rule hit is counted under where no report names its symbol
REGEX: Final = "regex"  # the same for rules that are regular expressions
COMPOSITE: Final = "composite"  # what composites are counted under
_UNKNOWN: Final = SymbolRule(0.0)  # a symbol that has no row shows up and weighs nothing
_ACTIONS: Final = {str(action): action for action in Action}


@dataclass(frozen=True, slots=True)
class Score:
    """The sum in points, every symbol with what it counted, and the severest floor with the symbol that set it."""

    total: float
    symbols: tuple[ScoredSymbol, ...] = ()
    floor: Action | None = None
    floor_symbol: str = ""


def score(reports: Sequence[CheckReport], rules: ScoreRules, hits: Sequence[RuleHit] = ()) -> Score:
    """Add up the findings of all reports, the rules that matched and the composites that hold, in their order.

    A hit under a symbol that is no rule's own is nobody's finding and does not count; one in test is no part of it.
    """
    hits = [hit for hit in hits if hit.symbol.startswith(RULE_PREFIXES) and stage_of(hit.meta) is not RuleStage.TEST]
    speakers = _speakers(hits[::-1]) if hits else {}
    found: dict[str, tuple[str, Finding]] = {}
    for check, one in _findings(reports, hits):
        found.setdefault(one.symbol, (check, one))
    replaced = _add_composites(found, rules, {name for name, hit in speakers.items() if not _counts(hit)})
    symbols: list[ScoredSymbol] = []
    running: dict[tuple[str, bool], float] = {}
    floor: Action | None = None
    floor_symbol = ""
    total = 0.0
    for name, (check, one) in found.items():
        rule = rules.symbols.get(name, _UNKNOWN)
        if name in speakers and not rule.off:
            rule = _of_hit(speakers[name], rules.symbols.get(name))
        if name in replaced:
            symbols.append(ScoredSymbol(one, check, 0.0, replaced=replaced[name]))
        else:
            weight = _within(rule, rules, running)
            symbols.append(ScoredSymbol(one, check, weight, rule.weight - weight))
            total += weight
        if rule.floor is not None and (floor is None or rule.floor.rank > floor.rank):
            floor, floor_symbol = rule.floor, name
    # Weights are decimal fractions: without rounding, ten times 0.1 would stay under a threshold of 1.
    return Score(round(total, 6), tuple(symbols), None if floor is Action.ACCEPT else floor, floor_symbol)


def _add_composites(
    found: dict[str, tuple[str, Finding]], rules: ScoreRules, silent: AbstractSet[str]
) -> Mapping[str, str]:
    """Put in the composites that hold; the symbols whose weights they replace, with the composite.

    What does not count itself (`silent` rules, symbols that are off) makes no composite count.
    """
    if not rules.composites.ordered:
        return {}
    present = {name for name in found if name not in silent and not rules.symbols.get(name, _UNKNOWN).off}
    replaced: dict[str, str] = {}
    for one in rules.composites.found(present):
        name = one.composite.name
        found[name] = COMPOSITE, Finding(name, one.members)
        for member in one.composite.replaces:
            replaced.setdefault(member, name)
    return replaced


def _speakers(hits: Sequence[RuleHit]) -> dict[str, RuleHit]:
    """Who speaks for a symbol of several rules: the last that is enforced, else the last that counts, else the last."""
    enforced = [hit for hit in hits if stage_of(hit.meta) is RuleStage.ENFORCE]
    return {hit.symbol: hit for hit in [*hits, *filter(_counts, hits), *enforced]}


def _findings(reports: Sequence[CheckReport], hits: Sequence[RuleHit]) -> Iterator[tuple[str, Finding]]:
    for report in reports:
        for finding in report.findings:
            yield report.check, finding
    for hit in hits:  # those that a report has named already are skipped as seen
        check = REGEX if hit.symbol.startswith(REGEX_PREFIX) else YARA
        yield check, Finding(hit.symbol, (hit.rule, hit.part))


def _within(rule: SymbolRule, rules: ScoreRules, running: dict[tuple[str, bool], float]) -> float:
    """The weight, cut to what its group still lets count on that side."""
    group = rules.groups.get(rule.group) if rule.group else None
    if group is None or not rule.weight:
        return rule.weight
    side = (rule.group, rule.weight > 0)
    before = running.get(side, 0.0)
    after = before + rule.weight
    after = min(after, group.cap) if rule.weight > 0 else max(after, group.floor)
    running[side] = after
    return round(after - before, 6)


def _of_hit(hit: RuleHit, row: SymbolRule | None) -> SymbolRule:
    """What a rule's author declared (meta `score`, `group`, `action`), overridden by its row in scores.toml."""
    if not _counts(hit):
        return SymbolRule(0.0, hit.rule)
    enforced = stage_of(hit.meta) is RuleStage.ENFORCE
    declared = _ACTIONS.get(str(hit.meta.get("action", ""))) if enforced else None
    if row is None:
        return SymbolRule(_number(hit.meta.get("score")), hit.rule, str(hit.meta.get("group", "")), declared)
    # A row that says nothing of a floor leaves the author's: raising a weight must not lift a hold by accident.
    return SymbolRule(row.weight, row.description, row.group, row.floor if row.floor is not None else declared)


def _counts(hit: RuleHit) -> bool:
    return stage_of(hit.meta) not in SILENT


def _number(value: object) -> float:
    try:
        number = float(value) if isinstance(value, str | int) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        return 0.0
    return max(-MAX_WEIGHT, min(number, MAX_WEIGHT)) if math.isfinite(number) else 0.0
