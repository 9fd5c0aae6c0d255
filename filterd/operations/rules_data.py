"""Rule files that are TOML: composites and regex rules, for `filterd rules check|test|list`.

The rows have the keys of those that the process for YARA answers (`operations.rules`). The files are the team's own:
reading them here is no danger, and RE2 compiles whatever there is within bounds.
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filterd.config.toml import ConfigError, read_text
from filterd.regex.declarations import SUFFIX, RegexRule, read_file
from filterd.score import ScoreRules
from filterd.score.definitions import Known, Source, read_composites, try_cases, with_composites
from filterd.score.stages import RuleStage, expired

Row = dict[str, Any]
FOLDER: Final = "regex"  # where every TOML file is one of regex rules
_TABLE: Final = re.compile(r"^\s*\[\s*(rules|composites)\b", re.MULTILINE)
_PLACE: Final = re.compile(r"(?P<path>.*?)(?::(?P<line>\d+))?: (?P<text>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Files:
    """What was asked about: regex rules and composites that could be read, and what is wrong with the rest."""

    paths: tuple[Path, ...]
    regexes: tuple[RegexRule, ...] = ()
    sources: tuple[Source, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around them: rows of all symbols but composites, symbols of YARA rules, all composites in force."""

    scores: ScoreRules
    known: Known
    sources: tuple[Source, ...]


def read(paths: Sequence[Path]) -> Files:
    """The TOML files named, and of folders those below that hold rules or composites."""
    files = {file.absolute(): None for path in paths for file in _files(path)}
    regexes: list[RegexRule] = []
    sources: list[Source] = []
    problems: list[str] = []
    for file in files:
        try:
            if kind_of(read_text(file)) == "composites":
                sources.append(read_composites(file))
            else:
                regexes += read_file(file)
        except ConfigError as error:
            problems += error.problems
    return Files(tuple(files), tuple(regexes), tuple(sources), tuple(problems))


def kind_of(text: str) -> str:
    """The table that such a file begins with: rules or composites; empty where it is another file."""
    found = _TABLE.search(text)
    return found[1] if found else ""


def errors(files: Files) -> list[str]:
    """Why not all of the regex rules can be used."""
    from filterd.regex.samples import check_rules  # noqa: PLC0415  # it loads RE2, which a daemon's fronts do without

    return [*files.problems, *[problem for _, severity, problem in check_rules(files.regexes) if severity == "error"]]


def check(files: Files, around: Around) -> Iterator[Row]:
    """All complaints, then how much was looked at."""
    from filterd.regex.samples import check_rules  # noqa: PLC0415  # as above

    yield from [_complaint(problem, "error", "file") for problem in files.problems]
    for rule, severity, problem in check_rules(files.regexes):
        yield _complaint(problem, severity, "regex", rule.symbol)
    taken: dict[str, RegexRule] = {}
    for rule in files.regexes:
        if rule.group and rule.group not in around.scores.groups:
            yield _complaint(
                rule.problem("group", f"no group {rule.group!r}: it has no cap"), "warning", "regex", rule.symbol
            )
        if expired({"expires": rule.expires}, time.time()) and rule.expires:
            yield _complaint(rule.problem("expires", f"expired on {rule.expires}"), "warning", "expired", rule.symbol)
        if taken.setdefault(rule.symbol, rule) is not rule:
            what = f"this symbol is taken by a rule of {taken[rule.symbol].path}"
            yield _complaint(rule.problem("", what), "error", "duplicate", rule.symbol)
    _, problems = with_composites(around.scores, _with(files, around), around.known)
    asked = [str(source.path) for source in files.sources]
    yield from [_complaint(text, "error", "composite") for text in problems if text.startswith(tuple(asked))]
    for source in files.sources:
        for name, entry in source.entries.items():
            for key in ("match", "no_match"):
                if not getattr(entry, key):
                    problem = source.problem(name, key, "expected at least one case")
                    yield _complaint(problem, "warning", "composite", name)
    yield {"files": len(files.paths), "rules": len(files.regexes) + sum([len(one.entries) for one in files.sources])}


def test(files: Files, around: Around) -> Iterator[Row]:
    """For each file what it and its samples disagree in."""
    from filterd.regex.samples import try_samples  # noqa: PLC0415  # as above

    for problem in files.problems:
        yield {"path": _place(problem)[0], "samples": 0, "problems": [problem]}
    by_path: dict[Path, list[RegexRule]] = {}
    for rule in files.regexes:
        by_path.setdefault(rule.path, []).append(rule)
    for path, rules in by_path.items():
        samples = sum([len(rule.match) + len(rule.no_match) for rule in rules])
        yield {"path": str(path), "samples": samples, "problems": list(try_samples(rules))}
    scores, problems = with_composites(around.scores, _with(files, around), around.known)
    for source in files.sources:
        cases = sum([len(entry.match) + len(entry.no_match) for entry in source.entries.values()])
        own = [text for text in problems if text.startswith(str(source.path))]
        wrong = own or list(problems[:1]) or list(try_cases(scores, source))
        yield {"path": str(source.path), "samples": cases, "problems": wrong}


def rows(files: Files) -> Iterator[Row]:
    """Every rule and composite with what its author declared."""
    now = time.time()
    for rule in files.regexes:
        over = bool(rule.expires) and expired({"expires": rule.expires}, now)
        stage = RuleStage.SHADOW if over and rule.stage is not RuleStage.TEST else rule.stage
        yield {
            "kind": "regex",
            **_row(rule.symbol, rule.path, rule.line, stage.value, rule.weight, rule.description),
            "namespace": rule.namespace,
            "expired": over,
            "owner": rule.owner,
            "action": rule.floor.value if rule.floor else "",
            "expires": rule.expires,
        }
    for source in files.sources:
        for name, entry in source.entries.items():
            row = _row(name, source.path, source.line(name), RuleStage.SCORE.value, entry.weight, entry.description)
            yield {"kind": "composite", **row, "action": entry.floor.value if entry.floor else ""}


def _row(name: str, path: Path, line: int, stage: str, weight: float, description: str) -> Row:
    return {
        "rule": name,
        "file": str(path),
        "line": line,
        "namespace": path.stem,
        "stage": stage,
        "expired": False,
        "symbol": name,
        "score": f"{weight:g}",
        "severity": "",
        "owner": "",
        "action": "",
        "expires": "",
        "description": description,
    }


def _with(files: Files, around: Around) -> list[Source]:
    """All composites in force, and those asked about that are not."""
    known = {source.path.absolute() for source in around.sources}
    return [*around.sources, *[source for source in files.sources if source.path.absolute() not in known]]


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        if path.suffix == SUFFIX:
            yield path
        return
    for file in sorted(path.rglob(f"*{SUFFIX}")):
        if FOLDER in (path.name, *file.relative_to(path).parts[:-1]) or _holds_rules(file):
            yield file


def _holds_rules(file: Path) -> bool:
    try:
        return bool(kind_of(read_text(file)))
    except ConfigError:  # what cannot be read is no rule file as far as anybody knows
        return False


def _place(problem: str) -> tuple[str, int, str]:
    """Path, line and words of a problem's text."""
    found = _PLACE.fullmatch(problem)
    return (found["path"], int(found["line"] or 0), found["text"]) if found else ("", 0, problem)


def _complaint(problem: str, severity: str, kind: str, rule: str = "") -> Row:
    path, line, text = _place(problem)
    return {"path": path, "line": line, "severity": severity, "kind": kind, "rule": rule, "text": text}
