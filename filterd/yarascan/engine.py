"""A rule set over one stream."""

from typing import Final

import yara

from filterd.model.inspection import RuleHit
from filterd.yarascan.compile import RuleSet

TIMEOUT_SECONDS: Final = 10  # of one scan; whole seconds, as libyara takes them
MAX_STRINGS: Final = 3  # strings of a hit that are shown
MAX_HITS: Final = 200  # of one stream; a set that matches more often says nothing by the rest
MAX_SHOWN: Final = 160  # characters of one string shown
UNSCANNABLE_YARA: Final = "UNSCANNABLE_YARA"
PREFIX: Final = "YARA_"


class Engine:
    """Scans bytes with one rule set. Give it to one process; it holds no state between scans."""

    def __init__(self, rule_set: RuleSet, *, timeout: int = TIMEOUT_SECONDS) -> None:
        """`timeout` is in whole seconds for each stream."""
        self._rules = rule_set.rules
        self._timeout = timeout
        self.rule_set = rule_set.id
        self.problems = rule_set.problems

    def scan(self, data: bytes | memoryview, externals: dict[str, str | int]) -> tuple[RuleHit, ...]:
        """The rules that match; the hits' `part` is the external `filepath`. Names not declared are ignored.

        A scan that was cut short (timeout, an internal limit of libyara) gives one hit without a rule, its symbol
        UNSCANNABLE_YARA: what did not come to an end never reads as clean.
        """
        if self._rules is None:
            return ()
        part = str(externals.get("filepath", ""))
        try:
            matches = self._rules.match(
                data=data,
                externals=externals,
                fast=True,
                timeout=self._timeout,
                warnings_callback=_ignore,
                console_callback=_ignore,
            )
        except (yara.Error, UnicodeEncodeError, SystemError) as error:
            return (RuleHit("", "", UNSCANNABLE_YARA, part, (f"{type(error).__name__}: {error}"[:MAX_SHOWN],)),)
        if not matches:
            return ()
        return tuple([_hit(match, part) for match in matches[:MAX_HITS]])


def symbol_of(rule: str, meta: dict[str, str | int | bool]) -> str:
    """What the rule's author calls the finding (meta `symbol`), or its name in capitals behind "YARA_"."""
    declared = meta.get("symbol")
    return declared if isinstance(declared, str) and declared else PREFIX + rule.upper()


def _hit(match: yara.Match, part: str) -> RuleHit:
    meta = {name: _text(value) if isinstance(value, str) else value for name, value in match.meta.items()}
    strings = tuple([_shown(string) for string in match.strings[:MAX_STRINGS]])
    return RuleHit(match.rule, match.namespace, symbol_of(match.rule, meta), part, strings, meta)


def _shown(string: yara.StringMatch) -> str:
    """A matched string for a person: its name, where, and the bytes with everything unprintable escaped."""
    instance = string.instances[0]
    return f"{string.identifier} at {instance.offset}: {instance.matched_data!r}"[:MAX_SHOWN]


def _text(value: str) -> str:
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _ignore(*_: object) -> int:
    """Too many matches of a string, or a rule that prints: no reason to stop."""
    return int(yara.CALLBACK_CONTINUE)
