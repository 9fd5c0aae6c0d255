"""How long and how much held mail is kept, from the configuration; and what in it can mean nothing."""

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from filterd.app.bounds import FullSign
from filterd.checks.registry import ALL as CHECKS
from filterd.config import Config, ConfigError
from filterd.config.results import RESULTS
from filterd.config.toml import name_of, read_text, where
from filterd.model.inspection import RULE_PREFIX
from filterd.operations.retention import ALL, DAY, Bound, Class, class_of, fits
from filterd.operations.upkeep import Limits
from filterd.pipeline.reasons import Reason
from filterd.score import ScoreRules

FULL: Final = "quarantine-full"  # under [paths] state; of a class with its name behind a dot


def limits_of(config: Config) -> Limits:
    """How long held mail is kept, and how much of it."""
    held = config.quarantine
    classes = tuple(
        [
            Class(name, one.reasons, Bound((one.keep or held.keep) * DAY, one.most_messages, one.most_bytes))
            for name, one in held.classes.items()
        ]
    )
    return Limits(held.keep * DAY, held.undo * DAY, held.most_messages, held.most_bytes, classes)


def sign_of(config: Config, name: str) -> FullSign:
    """The sign that there is too much of a class, or of everything where the name is ALL."""
    return FullSign(config.state_directory / (f"{FULL}.{name}" if name != ALL else FULL))


def signs_of(config: Config) -> Callable[[str], tuple[FullSign, ...]]:
    """What gives the signs that mail of a reason goes by."""
    classes = limits_of(config).classes
    everything, signs = sign_of(config, ALL), {one.name: sign_of(config, one.name) for one in classes}

    def signs_for(code: str) -> tuple[FullSign, ...]:
        name = class_of(code, classes)
        return (everything, signs[name]) if name in signs else (everything,)

    return signs_for


def unknown_reasons(config: Config, path: Path, scores: ScoreRules) -> Iterator[str]:
    """Reasons of classes that nothing is held for. Symbols of YARA rules are not looked for: there are thousands."""
    if not config.quarantine.classes:
        return
    try:
        text = read_text(path)
    except ConfigError:  # no file: the configuration was made otherwise
        text = ""
    known = {*_known(scores.symbols)}
    for name, one in config.quarantine.classes.items():
        for number, pattern in enumerate(one.reasons):
            if pattern.startswith(_code(RULE_PREFIX)) or any(fits(code, pattern) for code in known):
                continue
            at = ("quarantine", "classes", name, "reasons", number)
            guess = "".join([f"; did you mean {near!r}?" for near in get_close_matches(pattern, known, 1)])
            yield f"{where(path, text, at)}: {name_of(at)}: nothing is held for the reason {pattern!r}{guess}"


def _known(symbols: Iterable[str]) -> Iterator[str]:
    """All reasons there may be: those with a word of their own, of results, of checks without one, and of floors."""
    yield from map(str, Reason)
    yield from (f"{check}-{result}" for check, results in RESULTS.items() for result in results)
    yield from (f"{check}-unknown" for check in CHECKS)
    yield from map(_code, symbols)


def _code(symbol: str) -> str:
    return symbol.lower().replace("_", "-")
