# noqa: INP001  # a script of this checkout, in no package
"""Every symbol of the shipped rules: who reports it, what it weighs, what it means."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from deploy.site.words import code, plain, table
from filterd.app import load_site
from filterd.checks.registry import Tools, make_all
from filterd.config import Config
from filterd.dnsbl import Zone, load_zones
from filterd.regex.declarations import read_rules
from filterd.score import GroupRule, ScoreRules, SymbolRule
from filterd.score.definitions import read_composites
from filterd.yarascan.engine import symbol_of
from filterd.yarascan.grammar import Rule, rules_in

RULES: Final = Path(__file__).resolve().parents[2] / "rules"
_HEAD: Final = """\
What checks, heuristics and rules report of a message. Points add up and, with the floors, decide
([rules](../rules.md)); here are those that are shipped. `[rules.scores]` changes points and floors of any of them,
`filterd config show` prints what holds, and `filterd explain ID` what each of them counted in a verdict. A floor is the
mildest action for a message with that symbol, whatever its score.
"""
_LISTS: Final = """\
`rules/dnsbl.toml`; what each symbol means at which list stands there. Lists that are not in use want a registration or
learn more than a client's address: put the rules where `[rules] path` says, and `enabled = true` there.
"""
_ROWS: Final = ("symbol", "points", "group", "floor", "meaning")


class _NoSelectors:
    """What the check of DKIM asks for a memory of selectors, where no message is."""

    def recall(self, domain: str) -> tuple[str, ...]:
        del domain
        return ()

    def remember(self, domain: str, selector: str) -> None:
        del domain, selector


def markdown() -> str:
    """The page behind its title."""
    site = load_site(Config.model_validate({"rules": {"path": RULES}}))
    parts = [_HEAD, "## Groups", _groups(site.scores)]
    parts += [
        "Symbols of one group count together at most `cap`, and those that speak for a message at least `least`.",
        "## By check",
    ]
    parts += _checks(site.scores)
    parts += ["## Block and allow lists", _LISTS, _lists(), _listed(site.scores)]
    parts += ["## Composites", "They hold where an expression over other symbols does.", _composites(site.scores)]
    parts += ["## Regular expressions", "`rules/regex/`; the floor counts at the stage `enforce`.", _regexes()]
    parts += [
        "## YARA rules",
        "`rules/yara/`; points count from the stage `score` on, the floor at `enforce`.",
        _yara(),
    ]
    return "\n\n".join([part.rstrip("\n") for part in parts]) + "\n"


def _groups(scores: ScoreRules) -> str:
    rows = [(code(name), f"{one.cap:g}", _least(one), plain(one.description)) for name, one in scores.groups.items()]
    return table(("group", "cap", "least", "what is in it"), rows)


def _least(group: GroupRule) -> str:
    return f"{group.floor:g}" if group.floor > GroupRule(0).floor else ""


def _checks(scores: ScoreRules) -> Iterator[str]:
    """A table for each check, in the order of the registry; symbols in that of scores.toml, without those of lists."""
    for check in make_all(Tools(_NoSelectors())):
        names = [name for name in scores.symbols if name in check.symbols]
        if names:
            yield f"### {check.name}"
            yield table(_ROWS, [_row(name, scores.symbols[name]) for name in names])


def _row(name: str, row: SymbolRule) -> tuple[str, ...]:
    return code(name), f"{row.weight:g}", row.group, code(row.floor or ""), plain(row.description)


def _lists() -> str:
    used = {zone.name for zone in load_zones(RULES / "dnsbl.toml")}
    rows = [
        (code(zone.name), code(zone.display), ", ".join(sorted(zone.subjects)), "yes" if zone.name in used else "no")
        for zone in _zones()
    ]
    return table(("list", "zone", "asked about", "in use as shipped"), rows)


def _listed(scores: ScoreRules) -> str:
    """Symbols of lists, in the order of scores.toml, with the lists that may say so."""
    by_symbol = {name: [zone.name for zone in _zones() if name in zone.symbols] for name in scores.symbols}
    rows = [
        (*_row(name, scores.symbols[name]), ", ".join(map(code, lists))) for name, lists in by_symbol.items() if lists
    ]
    return table((*_ROWS, "lists"), rows)


def _zones() -> tuple[Zone, ...]:
    return load_zones(RULES / "dnsbl.toml", disabled=True)


def _composites(scores: ScoreRules) -> str:
    entries = read_composites(RULES / "composites.toml").entries
    rows = [(*_row(name, scores.symbols[name]), code(" ".join(entries[name].expression.split()))) for name in entries]
    return table((*_ROWS, "expression"), rows)


def _regexes() -> str:
    rules, _ = read_rules([RULES / "regex"])
    rows = [
        (code(one.symbol), f"{one.weight:g}", one.group, code(one.floor or ""), plain(one.description), one.stage)
        for one in rules
    ]
    return table((*_ROWS, "stage"), rows)


def _yara() -> str:
    return table((*_ROWS, "stage", "rule"), _yara_rows(sorted((RULES / "yara").rglob("*.yar"))))


def _yara_rows(paths: Iterable[Path]) -> Iterator[tuple[str, ...]]:
    for path in paths:
        for rule in rules_in(path.read_text(encoding="utf-8")):
            if not rule.private:
                yield _yara_row(rule, path)


def _yara_row(rule: Rule, path: Path) -> tuple[str, ...]:
    symbol = symbol_of(rule.name, {"symbol": _bare(rule.value("symbol"))} if rule.value("symbol") else {})
    cells = [_bare(rule.value(key)) for key in ("score", "group", "action", "description", "stage")]
    score, group, action, description, stage = cells
    return code(symbol), score, group, code(action), plain(description), stage, code(f"{path.name}: {rule.name}")


def _bare(value: str) -> str:
    """A value of a rule's metadata without its quotes."""
    return value.removeprefix('"').removesuffix('"')
