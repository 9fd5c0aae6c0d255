"""Composites as operators write them: composites.toml, and [rules.composites] of filterd.toml.

    [composites.NAME]
    expression = "A & (B | C)"
    weight = 2.0
    description = "what it means, in words"

What is wrong is said with file, line, key and the place in the expression, everything at once.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from filterd.config.fields import Section
from filterd.config.rules import CompositeEntry, SymbolName
from filterd.config.toml import name_of, read_model, read_text, suggest, where
from filterd.model.inspection import RULE_PREFIXES
from filterd.score.composites import Composite, CycleError, arrange
from filterd.score.expressions import Expression, ExpressionError, parse
from filterd.score.rules import ScoreRules, SymbolRule


class _File(Section):
    composites: dict[SymbolName, CompositeEntry]


@dataclass(frozen=True, slots=True)
class Source:
    """A file with composites; `table` is where in it they stand."""

    path: Path
    text: str = ""
    table: tuple[str, ...] = ("composites",)
    entries: Mapping[str, CompositeEntry] = field(default_factory=dict)

    def problem(self, name: str, key: str, what: str) -> str:
        """A line about one key of one composite, or about all of it."""
        at = (*self.table, name, *([key] if key else []))
        return f"{where(self.path, self.text, at)}: {name_of(at)}: {what}"

    def line(self, name: str) -> int:
        """The line in which a composite begins; 0 where it does not stand by itself."""
        found = where(self.path, self.text, (*self.table, name)).removeprefix(str(self.path)).removeprefix(":")
        return int(found) if found else 0


@dataclass(frozen=True, slots=True)
class Known:
    """The symbols that rule files bring. `doubtful` are prefixes of which some may be missing: a file is broken."""

    symbols: frozenset[str] = frozenset()
    doubtful: tuple[str, ...] = ()

    def has(self, name: str, rules: Collection[str]) -> bool:
        """Whether that symbol may be found: by a rule, or because it has a row."""
        return name in rules or name in self.symbols or name.startswith(self.doubtful)


def read_composites(path: Path) -> Source:
    """A composites.toml. ConfigError where it cannot be read or is none."""
    return Source(path, read_text(path), entries=read_model(path, _File).composites)


def with_composites(rules: ScoreRules, sources: Sequence[Source], known: Known) -> tuple[ScoreRules, tuple[str, ...]]:
    """The rules with these composites, and what is wrong with them; where anything is, the rules are as before."""
    named: dict[str, Source] = {}
    problems: list[str] = []
    composites: dict[str, Composite] = {}
    for source in sources:
        for name, entry in source.entries.items():
            clash = _clash(name, named, rules, known)
            if clash:
                problems.append(source.problem(name, "", clash))
                continue
            named[name] = source
            try:
                composites[name] = Composite(name, parse(entry.expression), entry.replaces)
            except ExpressionError as error:
                problems.append(source.problem(name, "expression", str(error)))
    every = {*rules.symbols, *named}
    for name, composite in composites.items():
        problems += _problems(composite.expression, name, named[name], rules, lambda one: known.has(one, every))
    if not problems:
        try:
            arranged = arrange(composites.values())
        except CycleError as error:
            problems.append(named[error.names[0]].problem(error.names[0], "expression", f"uses itself: {error}"))
        else:
            rows = {name: _row(source.entries[name]) for name, source in named.items()}
            symbols = MappingProxyType({**rules.symbols, **rows})
            return replace(rules, symbols=symbols, composites=arranged), ()
    return rules, tuple(problems)


def try_cases(rules: ScoreRules, source: Source) -> Iterator[str]:
    """In what composites of a source and the cases beside them disagree."""
    for name, entry in source.entries.items():
        for cases, expected in ((entry.match, True), (entry.no_match, False)):
            for case in cases:
                holds = name in {found.composite.name for found in rules.composites.found(frozenset(case))}
                if holds is not expected:
                    key, verb = ("match", "does not hold") if expected else ("no_match", "holds")
                    yield source.problem(name, key, f"{verb} for {', '.join(case) or 'nothing'}")


def _row(entry: CompositeEntry) -> SymbolRule:
    return SymbolRule(entry.weight, entry.description, entry.group, entry.floor)


def _clash(name: str, named: Mapping[str, Source], rules: ScoreRules, known: Known) -> str:
    """Why a composite cannot be called so, empty where it can."""
    if name in named:
        return f"this name is taken by a composite of {named[name].path}"
    if name in rules.symbols or name in known.symbols or name.startswith(RULE_PREFIXES):
        return "this name is taken: a check or rule reports it"
    return ""


def _problems(
    expression: Expression, name: str, source: Source, rules: ScoreRules, known: Callable[[str], bool]
) -> Iterator[str]:
    """What a composite that can be read names and there is not."""
    entry = source.entries[name]
    members = {place.symbol for place in expression.places() if place.positive}
    for place in expression.places():
        if not known(place.symbol):
            guess = suggest(place.symbol, list(rules.symbols)) if get_close_matches(place.symbol, rules.symbols) else ""
            yield source.problem(name, "expression", f"at {place.position}: unknown symbol {place.symbol}{guess}")
    for symbol in entry.replaces:
        if symbol not in members:
            yield source.problem(name, "replaces", f"{symbol} is no member of its expression")
    for key, cases in (("match", entry.match), ("no_match", entry.no_match)):
        for symbol in dict.fromkeys([symbol for case in cases for symbol in case]):
            if not known(symbol):
                yield source.problem(name, key, f"unknown symbol {symbol}")
    if entry.group and entry.group not in rules.groups:
        yield source.problem(name, "group", f"expected one of {', '.join(rules.groups)}, got {entry.group!r}")
