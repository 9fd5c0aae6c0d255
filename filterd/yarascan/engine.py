"""A rule set over one stream."""

import io
import re
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import yara

from filterd.model.inspection import RULE_PREFIX, RuleHit
from filterd.yarascan.load import RuleSet

TIMEOUT_SECONDS: Final = 10  # of one scan; whole seconds, as libyara takes them
MAX_STRINGS: Final = 3  # strings of a hit that are shown
MAX_DETAILED: Final = 200  # hits of one stream that show strings; of the rest the rule says enough
MAX_SHOWN: Final = 160  # characters of one string shown
MAX_NAMED: Final = 3  # slow files that are named
SYMBOL: Final = re.compile(RULE_PREFIX + r"[A-Z0-9_]{1,59}")


class Scan(NamedTuple):
    """The rules that matched, and why not all of them came to an end, empty where they did.

    `slow` are the files that did not; `unasked` is how many were not even begun.
    """

    hits: tuple[RuleHit, ...] = ()
    cut: str = ""
    slow: tuple[str, ...] = ()
    unasked: int = 0


class Engine:
    """Scans bytes with one rule set. Give it to one process; it holds no state between scans."""

    def __init__(
        self, rule_set: RuleSet, *, timeout: int = TIMEOUT_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`timeout` is in whole seconds for each stream."""
        self._rules = rule_set.rules
        self._alone = rule_set.alone
        self._timeout = timeout
        self._clock = clock
        self.rule_set = rule_set.id
        self.problems = rule_set.problems

    def scan(self, data: bytes | memoryview, externals: dict[str, str | int], seconds: float) -> Scan:
        """The rules that match; the hits' `part` is the external `filepath`. Names not declared are ignored.

        Takes about `seconds`, more by less than two. Where one rule is slow the files are asked one by one in what is
        left of them: the others' hits are kept and the slow ones named.
        """
        if self._rules is None:
            return Scan()
        end = self._clock() + seconds
        try:
            return Scan(self._match(self._rules, data, externals, max(1, min(self._timeout, int(seconds / 2)))))
        except yara.TimeoutError:
            return self._one_by_one(data, externals, end)
        except _ERRORS as error:
            return Scan(cut=f"{type(error).__name__}: {error}"[:MAX_SHOWN])

    def _one_by_one(self, data: bytes | memoryview, externals: dict[str, str | int], end: float) -> Scan:
        """Each file by itself, a second each, until the time is over."""
        hits: list[RuleHit] = []
        slow: list[str] = []
        left = len(self._alone)
        for namespace, compiled in self._alone.items():
            if self._clock() >= end:
                break
            left -= 1
            try:
                hits += self._match(yara.load(file=io.BytesIO(compiled)), data, externals, 1)
            except _ERRORS:
                slow.append(namespace)
        if not slow and not left:
            return Scan(tuple(hits))
        named = f"too slow: {', '.join(slow[:MAX_NAMED])}" if slow else "too slow together"
        more = f" and {len(slow) - MAX_NAMED} more" if len(slow) > MAX_NAMED else ""
        unasked = f"; {left} files not asked" if left else ""
        return Scan(tuple(hits), f"{named}{more}{unasked}", tuple(slow), left)

    def _match(
        self, rules: yara.Rules, data: bytes | memoryview, externals: dict[str, str | int], timeout: int
    ) -> tuple[RuleHit, ...]:
        """One call of libyara. yara.Error and what else it raises."""
        matches = rules.match(
            data=data,
            externals=externals,
            fast=True,
            timeout=timeout,
            warnings_callback=_ignore,
            console_callback=_ignore,
        )
        if not matches:
            return ()
        part = str(externals.get("filepath", ""))
        return tuple([_hit(match, part, MAX_STRINGS if n < MAX_DETAILED else 0) for n, match in enumerate(matches)])


_ERRORS: Final = (yara.Error, UnicodeEncodeError, SystemError)  # of values it cannot take, and limits of its own


def symbol_of(rule: str, meta: dict[str, str | int | bool]) -> str:
    """What the rule's author calls the finding (meta `symbol`), or its name in capitals behind "YARA_".

    A symbol in another form than YARA_ and capitals is not taken: it could be a check's.
    """
    declared = meta.get("symbol")
    fits = isinstance(declared, str) and SYMBOL.fullmatch(declared) is not None
    return str(declared) if fits else RULE_PREFIX + rule.upper()


def _hit(match: yara.Match, part: str, strings: int) -> RuleHit:
    shown = tuple([_shown(string) for string in match.strings[:strings]]) if strings else ()
    return RuleHit(match.rule, match.namespace, symbol_of(match.rule, match.meta), part, shown, dict(match.meta))


def _shown(string: yara.StringMatch) -> str:
    """A matched string for a person: its name, where, and the bytes with everything unprintable escaped."""
    instance = string.instances[0]
    return f"{string.identifier} at {instance.offset}: {instance.matched_data!r}"[:MAX_SHOWN]


def _ignore(*_: object) -> int:
    """Too many matches of a string, or a rule that prints: no reason to stop."""
    return int(yara.CALLBACK_CONTINUE)
