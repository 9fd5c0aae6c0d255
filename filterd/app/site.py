"""What an operator has written: the configuration and the rules it names, read and checked as a whole."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from filterd.app.digests import template_problems
from filterd.app.policies import INSPECTOR, load_policies
from filterd.app.retention import unknown_reasons
from filterd.app.scores import COMPOSITES, REGEX, load_basis, site_scores
from filterd.checks.dnsbl import DnsblCheck
from filterd.checks.iprev import IprevCheck
from filterd.checks.registry import ALL
from filterd.checks.spf import SpfCheck
from filterd.config import DEFAULT_PATH, Config, ConfigError, config_id, load
from filterd.config.listen import parse_listen, parse_nameserver
from filterd.dnsbl import Zone, load_zones
from filterd.indicators import Indicators, load_indicators
from filterd.pipeline.early import early_symbols
from filterd.pipeline.policies import Policies
from filterd.score import ScoreRules, problems

ID_LENGTH: Final = 12  # hexadecimal digits of a rules id
_LISTS: Final = ("phrases.toml", "brands.toml", "freemail.toml", "hosts.toml")  # of the heuristics
DATA_FILES: Final = ("scores.toml", COMPOSITES, "dnsbl.toml", *_LISTS, "indicators.toml", "classifier.toml")


@dataclass(frozen=True)
class Site:
    """One configuration with its rules. `rules_id` changes with any byte of the data files and YARA sources."""

    config: Config
    scores: ScoreRules
    zones: tuple[Zone, ...]
    indicators: Indicators
    rules_id: str
    policies: Policies | None = None  # other decisions for some recipients
    rules_changed: float = 0.0  # when a file of the rules was changed last, seconds since the epoch

    @property
    def config_id(self) -> str:
        """A short name for the configuration's values."""
        return config_id(self.config)


def load_config(path: Path | None, *, listen: str = "", nameserver: str = "") -> Config:
    """The configuration, with what the command line overrides. ConfigError with every problem."""
    config = load(path)
    try:
        if listen:
            parse_listen(listen)
            config = config.model_copy(update={"milter": config.milter.model_copy(update={"listen": listen})})
        if nameserver:
            parse_nameserver(nameserver)
            config = config.model_copy(update={"dns": config.dns.model_copy(update={"nameservers": (nameserver,)})})
    except ValueError as problem:
        raise ConfigError(f"command line: {problem}") from None
    return config


def load_site(config: Config, path: Path | None = None) -> Site:
    """The rules that the configuration names, checked against it. ConfigError with every problem.

    `path` is the file the configuration was read from, for the problems in it.
    """
    folder = config.rules_directory
    basis = load_basis(config, path or DEFAULT_PATH)
    scores, wrong = site_scores(basis, config, path or DEFAULT_PATH)
    policies, misled = load_policies(config, path or DEFAULT_PATH, scores, basis.known)
    zones = load_zones(folder / "dnsbl.toml")
    indicators = load_indicators(folder / "indicators.toml")
    found = [
        *wrong,
        *problems(scores, config.actions.reject),
        *_unknown_checks(config, path or DEFAULT_PATH),
        *_unscored(zones, scores),
        *_late(config, zones, path or DEFAULT_PATH),
        *misled,
        *unknown_reasons(config, path or DEFAULT_PATH, scores),
        *[f"{path or DEFAULT_PATH}: {problem}" for problem in template_problems(config)],
    ]
    if not (folder / "yara").is_dir():
        found.append(f"{folder}/yara: expected a directory with YARA rules (it may be empty)")
    local = config.rules.local
    if local is not None and not local.is_dir():
        found.append(f"{path or DEFAULT_PATH}: [rules] local: expected a directory, got {str(local)!r}")
    if found:
        raise ConfigError(*found)
    changed = max([path.stat().st_mtime for place in _places(folder, local) for path in _sources(place)], default=0.0)
    return Site(config, scores, zones, indicators, _rules_id(folder, local), policies, changed)


def _unknown_checks(config: Config, path: Path) -> Iterable[str]:
    """Names in the configuration that no check has."""
    named = [(f"[trust.skip] {trust}", name) for trust, names in config.trust.skip.items() for name in names]
    known = set(ALL)
    tables = [("[actions.on_unknown]", config.actions.on_unknown)]
    tables += [(f"[policies.{name}.on_unknown]", one.on_unknown) for name, one in config.policies.items()]
    for key, name in [*named, *((key, name) for key, table in tables for name in table)]:
        allowed = known if key.startswith("[trust") else known | {INSPECTOR}
        if name not in allowed:
            guess = "".join(f"; did you mean {close!r}?" for close in get_close_matches(name, allowed, 1))
            yield f"{path}: {key}: expected one of {', '.join(sorted(allowed))}, got {name!r}{guess}"


def _late(config: Config, zones: Iterable[Zone], path: Path) -> Iterable[str]:
    """Symbols in [early] that nothing reports before the content is there: who names one waits for it in vain."""
    known = early_symbols((IprevCheck(), SpfCheck(), DnsblCheck(zones)))
    for key, names in (("reject", config.early.reject), ("defer", config.early.defer)):
        for name in sorted(set(names) - known):
            guess = "".join(f"; did you mean {close!r}?" for close in get_close_matches(name, known, 1))
            yield f"{path}: [early] {key}: expected symbols that are known before DATA, got {name!r}{guess}"


def _unscored(zones: Iterable[Zone], scores: ScoreRules) -> Iterable[str]:
    """Symbols of lists that scores.toml has no row for."""
    for zone in zones:
        for symbol in sorted(zone.symbols - scores.symbols.keys()):
            yield f"dnsbl.toml: lists.{zone.name}: {symbol} has no row in scores.toml"


def _rules_id(folder: Path, local: Path | None) -> str:
    digest = hashlib.sha256()
    for place in _places(folder, local):
        for path in _sources(place):
            digest.update(str(path.relative_to(place)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:ID_LENGTH]


def _places(folder: Path, local: Path | None) -> tuple[Path, ...]:
    return (folder,) if local is None else (folder, local)


def _sources(folder: Path) -> Iterable[Path]:
    """The data files and rule files of a directory, those that are there."""
    rules = [*(folder / "yara").rglob("*.yar*"), *(folder / REGEX).rglob("*.toml")]
    return [path for path in [*(folder / name for name in DATA_FILES), *sorted(rules)] if path.is_file()]
