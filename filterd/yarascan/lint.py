"""`rules check`: all that is wrong or doubtful with rule files, each with file and line."""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Final, Literal

import msgspec
import yara

from filterd.config.rules import MAX_WEIGHT
from filterd.model.verdict import Action
from filterd.score.stages import STAGES, RuleStage, expiry, stage_of
from filterd.yarascan import check as checking
from filterd.yarascan import yarax
from filterd.yarascan.apart import apart
from filterd.yarascan.compile import FILE_SECONDS
from filterd.yarascan.engine import SYMBOL
from filterd.yarascan.externals import EXTERNALS
from filterd.yarascan.grammar import Meta, Rule, rules_in
from filterd.yarascan.patterns import slow
from filterd.yarascan.sources import RuleFile

WANTED: Final = ("description", "owner", "severity", "stage")  # metadata without which a team cannot live with a rule
SEVERITIES: Final = ("low", "medium", "high")
ACTIONS: Final = tuple(str(action) for action in Action)
SLOW_MS: Final = 100.0  # CPU for the canary of 1 MB: some of the slowest files of 740 public ones take that

_ENDED: Final = "ended the compiler (crash, time or memory limit)"
_LINE: Final = re.compile(r"line (\d+): ")

Severity = Literal["error", "warning"]


class Complaint(msgspec.Struct, frozen=True):
    """One thing that is wrong; `line` is 0 where it is the whole file, `rule` empty where it is no rule's."""

    path: str
    line: int
    severity: Severity
    kind: str
    rule: str
    text: str


class Tried(msgspec.Struct, frozen=True):
    """What compiling a file and running it over the canary gave."""

    problem: str = ""
    warnings: tuple[str, ...] = ()
    ms: float = 0.0


def lint(files: Sequence[RuleFile], today: date) -> Iterator[Complaint]:
    """Everything that is wrong with the files, by themselves and together. Forks: for a process with one thread."""
    checking.canary()  # made once, for all children
    yarax.library()  # the same
    parsed = [(file, rules_in(file.text)) for file in files]
    yield from _together(parsed)
    for file, rules in parsed:
        tried = apart(partial(_try, file), Tried, FILE_SECONDS)
        yield from _compiled(file, tried or Tried(_ENDED), rules)
        if yarax.AVAILABLE and tried is not None and not tried.problem:
            yield from _second(file, rules)
        for rule in rules:
            yield from _rule(file, rule, today)


def _try(file: RuleFile) -> Tried:
    problem, _ = checking.check(file)
    if problem:
        return Tried(problem.removeprefix(f"{file.path}: "))
    rules = yara.compile(source=file.text, includes=False, externals=EXTERNALS)
    start = time.process_time()
    rules.match(data=checking.canary(), fast=True, timeout=checking.CANARY_SECONDS, warnings_callback=_ignore)
    return Tried("", tuple(rules.warnings), (time.process_time() - start) * 1000)


def _compiled(file: RuleFile, tried: Tried, rules: Sequence[Rule]) -> Iterator[Complaint]:
    """What the compiler says, and the clock."""
    if tried.problem:
        line, text = _located(tried.problem)
        yield Complaint(str(file.path), line, "error", _kind(text), _rule_at(rules, line), text)
    for warning in tried.warnings:
        line, text = _located(warning)
        yield Complaint(str(file.path), line, "warning", "slow", _rule_at(rules, line), text)
    if tried.ms > SLOW_MS:
        text = f"takes {tried.ms:.0f} ms for {checking.CANARY_BYTES} bytes: see filterd rules profile"
        yield Complaint(str(file.path), 0, "warning", "slow", "", text)


def _second(file: RuleFile, rules: Sequence[Rule]) -> Iterator[Complaint]:
    """What yara-x says of a file that the compiler takes: a warning each, for it is not what scans."""
    told = apart(partial(yarax.remarks, file), list[yarax.Remark], FILE_SECONDS)
    if told is None:
        yield Complaint(str(file.path), 0, "warning", "yara-x", "", f"yara-x: {_ENDED}")
    for remark in told or ():
        kind = "slow" if remark.slow else "yara-x"
        yield Complaint(str(file.path), remark.line, "warning", kind, _rule_at(rules, remark.line), remark.text)


def _kind(problem: str) -> str:
    for words, kind in (("imports what", "module"), ("includes are", "module"), ("takes more than", "slow")):
        if words in problem:
            return kind
    return "syntax"


def _located(text: str) -> tuple[int, str]:
    """The line that the compiler names, and its words behind it."""
    found = _LINE.match(text)
    return (int(found[1]), text[found.end() :]) if found else (0, text)


def _rule_at(rules: Sequence[Rule], line: int) -> str:
    return next((rule.name for rule in reversed(rules) if rule.line <= line), "") if line else ""


def _together(parsed: Iterable[tuple[RuleFile, Sequence[Rule]]]) -> Iterator[Complaint]:
    """Names that two files or rules share: what is counted, promoted or suspended by name must be one thing."""
    spaces: dict[str, str] = {}
    names: dict[str, str] = {}
    for file, rules in parsed:
        other = spaces.setdefault(str(file.path.with_suffix("")), str(file.path))
        if other != str(file.path):
            text = f"has the same name without suffix as {other}, and is left out"
            yield Complaint(str(file.path), 0, "error", "duplicate", "", text)
        for rule in rules:
            place = f"{file.path}:{rule.line}"
            first = names.setdefault(rule.name, place)
            if first != place and not rule.private:
                text = f"rule {rule.name} is also in {first}"
                yield Complaint(str(file.path), rule.line, "error", "duplicate", rule.name, text)


def _rule(file: RuleFile, rule: Rule, today: date) -> Iterator[Complaint]:
    """Metadata and patterns of one rule."""
    path = str(file.path)
    if not rule.private:
        missing = [key for key in WANTED if not rule.value(key)]
        if missing:
            yield Complaint(path, rule.line, "warning", "metadata", rule.name, f"meta lacks {', '.join(missing)}")
        for meta in rule.meta:
            text = _wrong(meta)
            if text:
                yield Complaint(path, meta.line, "error", "metadata", rule.name, text)
        for text in _doubtful({meta.key: meta.value for meta in rule.meta}, today):
            yield Complaint(path, rule.line, "warning", "metadata", rule.name, text)
    for pattern in rule.patterns:
        why = slow(pattern.kind, pattern.body)
        if why:
            yield Complaint(path, pattern.line, "warning", "slow", rule.name, f"{pattern.name}: {why}")


def _wrong(meta: Meta) -> str:
    """What one entry cannot be, in words; empty where it is fine or not ours."""
    value = meta.value
    choices = {"stage": tuple(map(str, STAGES)), "severity": SEVERITIES, "action": ACTIONS}.get(meta.key)
    if choices is not None and value not in choices:
        return f"{meta.key}: expected one of {', '.join(choices)}, got {value!r}"
    if meta.key == "symbol" and SYMBOL.fullmatch(value) is None:
        return f"symbol: expected YARA_ and capitals, digits and _, at most 64 in all, got {value!r}"
    if meta.key == "score" and not _points(value):
        return f"score: expected a number of at most {MAX_WEIGHT:.0f}, got {value!r}"
    if meta.key == "expires" and not _date(value):
        return f"expires: expected a date as 2026-12-31, got {value!r}"
    return ""


def _doubtful(meta: dict[str, str], today: date) -> Iterator[str]:
    if _date(meta.get("expires", "")) and date.fromisoformat(meta["expires"]) < today:
        yield f"expired {meta['expires']}: it is as in shadow"
    stage = stage_of(dict(meta))
    if stage is RuleStage.ENFORCE and not meta.get("action"):
        yield "stage is enforce, and there is no action"
    elif stage is RuleStage.SCORE and not meta.get("score"):
        yield "has no score: it weighs nothing unless scores.toml has a row for it"


def _points(value: str) -> bool:
    try:
        return abs(float(value)) <= MAX_WEIGHT
    except ValueError:
        return False


def _date(value: str) -> bool:
    try:
        return expiry({"expires": value}) is not None
    except ValueError:
        return False


def _ignore(*_: object) -> int:
    return int(yara.CALLBACK_CONTINUE)
