import importlib
import inspect
import pkgutil
import re
import tomllib
from pathlib import Path

import filterd.checks
from filterd.checks.dkimbl import DkimblCheck
from filterd.checks.dnsbl import DnsblCheck
from filterd.checks.uribl import UriblCheck
from filterd.dnsbl import load_zones
from filterd.mime.symbols import AMBIGUOUS, UNSCANNABLE
from filterd.score import load_scores, problems

ROOT = Path(__file__).resolve().parents[2]
SCORES = ROOT / "rules" / "scores.toml"


def emitted() -> set[str]:
    """Every symbol that a shipped check may report."""
    found: set[str] = set(AMBIGUOUS | UNSCANNABLE)
    zones = load_zones(ROOT / "rules" / "dnsbl.toml", disabled=True)
    found |= DnsblCheck(zones).symbols | UriblCheck(zones).symbols | DkimblCheck(zones).symbols
    for module in pkgutil.iter_modules(filterd.checks.__path__):
        if module.name in {"contract", "dnsbl"}:
            continue
        content = importlib.import_module(f"filterd.checks.{module.name}")
        for _, value in inspect.getmembers(content, inspect.isclass):
            symbols = getattr(value, "symbols", None)
            if value.__module__ == content.__name__ and isinstance(symbols, frozenset):
                found |= symbols
    return found


def test_every_symbol_a_check_reports_has_a_row() -> None:
    """A symbol without a row would weigh nothing, silently."""
    assert emitted() - load_scores(SCORES).symbols.keys() == set()


def test_the_authentication_group_stays_below_rejection() -> None:
    """RFC 9989: SPF, DKIM and DMARC together do not reject under the default threshold."""
    assert problems(load_scores(SCORES), reject=15.0) == ()


def test_all_authentication_symbols_stand_in_the_capped_group() -> None:
    """A row outside the group would escape its cap."""
    rules = load_scores(SCORES)
    outside = [
        name
        for name, rule in rules.symbols.items()
        if re.match("SPF_|DKIM_|ARC_|DMARC_|IPREV_", name) and rule.group != "authentication"
    ]
    assert outside == []


def test_what_cannot_be_read_or_has_two_readings_is_never_accepted() -> None:
    """AMBIGUOUS_*, UNSCANNABLE_* and DMARC_REJECT hold the message whatever its score is."""
    rows = tomllib.loads(SCORES.read_text())["symbols"]
    bound = [name for name in rows if name in AMBIGUOUS | UNSCANNABLE | {"DMARC_REJECT"}]
    assert {rows[name].get("floor") for name in bound} == {"quarantine"}
