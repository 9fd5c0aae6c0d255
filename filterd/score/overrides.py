"""What an operator wants otherwise than the rules have it: [rules.scores] and [rules.groups] of filterd.toml."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from types import MappingProxyType

from filterd.config.rules import GroupOverride, SymbolOverride
from filterd.model.verdict import Action
from filterd.score.definitions import Known
from filterd.score.rules import GroupRule, ScoreRules, SymbolRule

Problem = Callable[[str, str], str]  # a line of words about one key of a table


def with_groups(
    rules: ScoreRules, overrides: Mapping[str, GroupOverride], problem: Problem
) -> tuple[ScoreRules, list[str]]:
    """The rules with these groups, and what is wrong: a group that is new needs a cap."""
    groups, problems = dict(rules.groups), []
    for name, override in overrides.items():
        before = groups.get(name)
        if before is None and override.cap is None:
            problems.append(problem(name, f"unknown group{_near(name, groups)}; a new one needs a cap"))
            continue
        group = before or GroupRule(override.cap or 0.0)
        cap = group.cap if override.cap is None else override.cap
        floor = group.floor if override.floor is None else override.floor
        groups[name] = replace(group, cap=cap, floor=floor)
    return replace(rules, groups=MappingProxyType(groups)), problems


def with_scores(
    rules: ScoreRules, overrides: Mapping[str, SymbolOverride], known: Known, problem: Problem
) -> tuple[ScoreRules, list[str]]:
    """The rules with these weights, groups and floors, and what is wrong: symbols that nothing reports."""
    symbols = dict(rules.symbols)
    problems = list(_problems(rules, overrides, known, problem))
    if not problems:
        symbols |= {name: _changed(symbols.get(name), override) for name, override in overrides.items()}
    return replace(rules, symbols=MappingProxyType(symbols)), problems


def _problems(
    rules: ScoreRules, overrides: Mapping[str, SymbolOverride], known: Known, problem: Problem
) -> Iterator[str]:
    for name, override in overrides.items():
        if not known.has(name, rules.symbols):
            yield problem(name, f"unknown symbol{_near(name, rules.symbols)}")
        elif name not in rules.symbols and override.weight is None and not override.off:
            yield problem(name, "has no row in scores.toml: expected a weight")
        if override.group and override.group not in rules.groups:
            yield problem(name, f"group: expected one of {', '.join(rules.groups)}, got {override.group!r}")


def _changed(row: SymbolRule | None, override: SymbolOverride) -> SymbolRule:
    """A row as the operator wants it; a symbol that is off asks for nothing, whatever its rule's author did."""
    row = row or SymbolRule(0.0)
    if override.off:
        return replace(row, weight=0.0, floor=Action.ACCEPT, off=True)
    return replace(
        row,
        weight=row.weight if override.weight is None else override.weight,
        group=row.group if override.group is None else override.group,
        floor=row.floor if override.floor is None else override.floor,
    )


def _near(name: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
