"""What symbols weigh at a site: scores.toml, rule files and composites, and what the operator wants otherwise."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from filterd.config import Config, ConfigError
from filterd.config.toml import name_of, read_text, where
from filterd.model.inspection import REGEX_PREFIX, RULE_PREFIX
from filterd.model.verdict import Action
from filterd.regex.declarations import RegexRule, read_rules
from filterd.score import ScoreRules, SymbolRule, load_scores, with_floors
from filterd.score.definitions import Known, Source, read_composites, with_composites
from filterd.score.overrides import with_groups, with_scores
from filterd.score.rule_names import yara_symbols

COMPOSITES: Final = "composites.toml"
REGEX: Final = "regex"
_YARA: Final = re.compile(RULE_PREFIX + "[A-Z0-9_]*+")
_TABLE: Final = ("rules", "composites")  # of filterd.toml


def regex_directories(config: Config) -> tuple[Path, ...]:
    """Where regex rules lie: the rules directory, and the operator's own."""
    return tuple([folder / REGEX for folder in (config.rules_directory, config.rules.local) if folder is not None])


def composite_sources(config: Config, path: Path) -> tuple[Source, ...]:
    """Every place where composites stand; `path` is the configuration's. ConfigError."""
    folders = [folder for folder in (config.rules_directory, config.rules.local) if folder is not None]
    files = [folder / COMPOSITES for folder in folders if (folder / COMPOSITES).exists()]
    own = Source(path, _text(path), _TABLE, config.rules.composites)
    return (*[read_composites(file) for file in files], own)


@dataclass(frozen=True, slots=True)
class Basis:
    """What composites and overrides stand on: rows of scores.toml and of rule files under the operator's groups.

    `broken` says which regex files cannot be used, `problems` what is wrong with the configuration.
    """

    scores: ScoreRules
    sources: tuple[Source, ...]
    known: Known
    regexes: tuple[RegexRule, ...]
    broken: tuple[str, ...]
    problems: tuple[str, ...]


def load_basis(config: Config, path: Path) -> Basis:
    """Read all of it; `path` is the configuration's. ConfigError where a file cannot be read."""
    scores = load_scores(config.rules_directory / "scores.toml")
    dmarc = None if config.actions.dmarc_reject == "score" else Action(config.actions.dmarc_reject)
    scores = with_floors(scores, dmarc, Action(config.actions.unscannable))
    sources = composite_sources(config, path)
    regexes, broken = read_rules(regex_directories(config))
    scores, problems = with_groups(scores, config.rules.groups, _told(path, "groups"))
    known = _known(config, sources, bool(broken))
    return Basis(with_regexes(scores, regexes), sources, known, regexes, broken, tuple(problems))


def load_site_scores(config: Config, path: Path) -> tuple[ScoreRules, tuple[str, ...]]:
    """The scores under this configuration, and what is wrong with them. ConfigError where a file cannot be read."""
    return site_scores(load_basis(config, path), config, path)


def site_scores(basis: Basis, config: Config, path: Path) -> tuple[ScoreRules, tuple[str, ...]]:
    """As load_site_scores, of what was read."""
    scores, composed = with_composites(basis.scores, basis.sources, basis.known)
    scores, overridden = with_scores(scores, config.rules.scores, basis.known, _told(path, "scores"))
    return scores, (*basis.problems, *composed, *overridden)


def _told(path: Path, table: str) -> Callable[[str, str], str]:
    """What makes a line about an entry of a table below [rules]."""
    text = _text(path)

    def told(name: str, what: str) -> str:
        at = ("rules", table, name)
        return f"{where(path, text, at)}: {name_of(at)}: {what}"

    return told


def with_regexes(scores: ScoreRules, regexes: Iterable[RegexRule]) -> ScoreRules:
    """A row for each regex rule that has none: what its author declared. Its floor comes with the hit, by its stage."""
    rows: dict[str, SymbolRule] = {}
    for rule in regexes:
        group = rule.group if rule.group in scores.groups else ""
        rows.setdefault(rule.symbol, SymbolRule(rule.weight, rule.description, group))
    return ScoreRules(MappingProxyType({**rows, **scores.symbols}), scores.groups, scores.composites)


def _known(config: Config, sources: Sequence[Source], broken: bool) -> Known:  # noqa: FBT001  # one of several facts
    """The symbols of rule files; those of YARA are looked for only where somebody names one: there are thousands."""
    doubtful = [REGEX_PREFIX] if broken else []
    entries = [(name, entry) for source in sources for name, entry in source.entries.items()]
    texts = [f"{name} {entry.expression} {entry.match} {entry.no_match}" for name, entry in entries]
    overrides = [config.rules.scores, *[policy.scores for policy in config.policies.values()]]
    wanted = _YARA.findall(" ".join([*texts, *[name for table in overrides for name in table]]))
    if not wanted:
        return Known(doubtful=tuple(doubtful))
    symbols, whole = yara_symbols(config.rules_directory / "yara", wanted)
    return Known(symbols, tuple(doubtful if whole else [*doubtful, RULE_PREFIX]))


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except ConfigError:  # no file: the built-in defaults hold
        return ""
