"""All patterns in one pass for each target (RE2 sets), in linear time.

A set's automaton has a bounded memory, and a text made for it can exhaust that: RE2 then says that nothing matches. So
each set holds one more pattern that always matches; where it is missing from the answer, the patterns are asked one by
one, which RE2 does without an automaton if it must.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import re2

from filterd.model.inspection import RuleHit
from filterd.regex.declarations import RegexRule, Target, read_rules

SET_MEMORY: Final = 8 << 20  # bytes of one set's program and automaton, which a text made for it can have it take
PATTERN_MEMORY: Final = 2 << 20  # bytes of one pattern
MAX_VALUES: Final = 50  # fields of one name that are searched
MAX_VALUE: Final = 10_000  # characters of a field, of a link and of a file name
MAX_BODY: Final = 500_000  # characters of text; real mail has some thousand
MAX_RAW: Final = 1_000_000  # bytes of the body as it came
MAX_ITEMS: Final = 1_000  # links, and file names
MAX_SHOWN: Final = 160  # characters of a match that are shown
MAX_PROBLEMS: Final = 100  # told; whoever has more knows by then
MAX_PROBLEM: Final = 300  # characters of one
_ALWAYS: Final = "^"


@dataclass(frozen=True, slots=True)
class Seen:
    """What patterns are searched in. `header` gives the values of the fields of a lower-case name; all is encodable."""

    header: Callable[[bytes], Sequence[str]]
    subject: str = ""
    body: str = ""
    raw: memoryview = memoryview(b"")  # noqa: RUF009  # empty: sharing one default is safe
    urls: Sequence[str] = ()
    file_names: Sequence[str] = ()


def compile_one(rule: RegexRule) -> Any:
    """RE2's own pattern. ValueError says why it is none."""
    try:
        return re2.compile(_text(rule), _options(rule.target, PATTERN_MEMORY))
    except (re2.error, UnicodeError) as error:
        said = error.args[0] if error.args else error
        raise ValueError(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from None


def matches(rule: RegexRule, pattern: Any, text: str) -> bool:
    """Whether a pattern matches a sample."""
    return pattern.search(_of(rule.target, text)) is not None


class Regexes:
    """Rules ready to search with. Holds no state between messages; `problems` say which files are left out."""

    def __init__(self, rules: Iterable[RegexRule] = ()) -> None:
        """Compile; a file with a pattern that is none is left out whole, of two rules under one symbol the second."""
        compiled, self.problems = _compiled(rules)
        targets: dict[tuple[Target, bytes], list[tuple[RegexRule, Any]]] = defaultdict(list)
        for rule, pattern in compiled:
            targets[rule.target, rule.header.lower().encode()].append((rule, pattern))
        self._sets = {key: tuple(_sets(key[0], rules)) for key, rules in targets.items()}

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return bool(self._sets)

    def find(self, seen: Seen) -> tuple[RuleHit, ...]:
        """The rules that match, each once, where it matched first."""
        hits: dict[str, RuleHit] = {}
        for (target, name), sets in self._sets.items():
            for place, text in _texts(target, name, seen):
                for one in sets:
                    for rule, shown in one.find(text, hits):
                        strings = (shown,) if shown else ()
                        hits[rule.symbol] = RuleHit(rule.symbol, rule.namespace, rule.symbol, place, strings, rule.meta)
        return tuple(hits.values())


def load_regexes(directories: Sequence[Path]) -> tuple[Regexes | None, tuple[str, ...]]:
    """The rules of these directories, None where there are none; and the problems of files that are left out."""
    rules, problems = read_rules(directories)
    regexes = Regexes(rules)
    told = tuple([problem[:MAX_PROBLEM].encode("utf-8", "replace").decode() for problem in problems + regexes.problems])
    return regexes or None, told[:MAX_PROBLEMS]


class _Set:
    """Patterns that are searched together; alone where together they are too large."""

    def __init__(self, rules: Sequence[tuple[RegexRule, Any]], joint: Any) -> None:
        self._rules = rules
        self._joint = joint

    def find(self, text: str | bytes | memoryview, known: Iterable[str]) -> Iterator[tuple[RegexRule, str]]:
        """Rules that match, but for those known to, with what they matched."""
        found = self._joint.Match(text) if self._joint is not None else None
        if found is None or 0 not in found:  # see above
            numbers: Iterable[int] = range(1, len(self._rules) + 1)
        elif len(found) == 1:
            return
        else:
            numbers = sorted(found)[1:]
        for number in numbers:
            rule, pattern = self._rules[number - 1]
            match = None if rule.symbol in known else pattern.search(text)
            if match is not None:
                yield rule, _shown(match.group())


def _compiled(rules: Iterable[RegexRule]) -> tuple[list[tuple[RegexRule, Any]], tuple[str, ...]]:
    files: dict[object, list[tuple[RegexRule, Any]]] = {}
    broken: dict[object, str] = {}
    for rule in rules:
        try:
            files.setdefault(rule.path, []).append((rule, compile_one(rule)))
        except ValueError as error:
            broken.setdefault(rule.path, rule.problem("pattern", f"{error}; the file is left out"))
    kept: dict[str, tuple[RegexRule, Any]] = {}
    problems = list(broken.values())
    for rule, pattern in [entry for path, entries in files.items() if path not in broken for entry in entries]:
        first, _ = kept.setdefault(rule.symbol, (rule, pattern))
        if first is not rule:
            problems.append(rule.problem("", f"this symbol is taken by a rule of {first.path}; left out"))
    return list(kept.values()), tuple(problems)


def _sets(target: Target, rules: Sequence[tuple[RegexRule, Any]]) -> Iterator[_Set]:
    """As few sets as there is memory for: what is too large for one is halved."""
    joint = re2.Set.SearchSet(_options(target, SET_MEMORY))
    joint.Add(_of(target, _ALWAYS))
    try:
        for rule, _ in rules:
            joint.Add(_text(rule))
        joint.Compile()
    except re2.error:
        if len(rules) == 1:
            yield _Set(rules, None)
        else:
            yield from _sets(target, rules[: len(rules) // 2])
            yield from _sets(target, rules[len(rules) // 2 :])
    else:
        yield _Set(rules, joint)


def _texts(target: Target, name: bytes, seen: Seen) -> Iterator[tuple[str, str | memoryview]]:
    """What is searched for a target, with what a person calls it."""
    match target:
        case Target.HEADER:
            place = f"header {name.decode()}"
            yield from ((place, value[:MAX_VALUE]) for value in seen.header(name)[:MAX_VALUES])
        case Target.SUBJECT:
            yield "subject", seen.subject
        case Target.BODY:
            yield "body", seen.body[:MAX_BODY]
        case Target.RAW:
            yield "raw", seen.raw[:MAX_RAW]
        case Target.URL:
            yield from (("url", url[:MAX_VALUE]) for url in seen.urls[:MAX_ITEMS])
        case Target.FILE_NAME:
            yield from (("file_name", value[:MAX_VALUE]) for value in seen.file_names[:MAX_ITEMS])


def _options(target: Target, memory: int) -> Any:
    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False
    options.never_capture = True
    if target is Target.RAW:
        options.encoding = re2.Options.Encoding.LATIN1  # bytes as they are
    return options


def _text(rule: RegexRule) -> str | bytes:
    return _of(rule.target, rule.pattern)


def _of(target: Target, text: str) -> str | bytes:
    """A text as it is searched in: the raw body is bytes."""
    return text.encode() if target is Target.RAW else text


def _shown(found: str | bytes | memoryview) -> str:
    """What matched, for a person, with everything unprintable escaped."""
    short = found[:MAX_SHOWN]
    return f"{short if isinstance(short, str) else bytes(short)!r}"[:MAX_SHOWN]
