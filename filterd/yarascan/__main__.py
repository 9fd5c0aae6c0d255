"""What `filterd rules` asks a process of its own: it holds no mail, and fronts' packages never see the compiler.

`python -m filterd.yarascan WORD ARGUMENT...` prints one JSON object a line; status 1 with words on standard error where
it failed. Started by filterd itself, not by hand.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from filterd.config.rewriting import rewrite
from filterd.score.stages import RuleStage, expired, stage_of
from filterd.yarascan import yarax
from filterd.yarascan.apart import apart
from filterd.yarascan.compile import FILE_SECONDS
from filterd.yarascan.engine import symbol_of
from filterd.yarascan.grammar import rules_in
from filterd.yarascan.lint import Complaint, lint
from filterd.yarascan.promotion import move
from filterd.yarascan.samples import check_family, read_samples
from filterd.yarascan.sources import RuleFile, read_paths
from filterd.yarascan.split import split

STEPS: Final = {"promote": 1, "demote": -1}
Row = Mapping[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Do one word."""
    word, *rest = arguments or ("",)
    command = _COMMANDS.get(word)
    if command is None:
        sys.stderr.write(f"expected one of {', '.join(_COMMANDS)}\n")
        return 2
    try:
        for row in command(rest):
            sys.stdout.buffer.write(msgspec.json.encode(_encodable(row)) + b"\n")
            sys.stdout.buffer.flush()
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _files(paths: Sequence[str]) -> tuple[tuple[RuleFile, ...], tuple[str, ...]]:
    """The rule files. FileNotFoundError where a path is none."""
    for path in paths:
        if not Path(path).exists():
            raise FileNotFoundError(f"{path}: no such file or directory")
    return read_paths([Path(path) for path in paths])


def _check(paths: Sequence[str]) -> Iterator[Row]:
    """All complaints, then how much was looked at."""
    files, problems = _files(paths)
    for problem in problems:
        yield msgspec.structs.asdict(Complaint(problem.partition(": ")[0], 0, "error", "file", "", problem))
    for complaint in lint(files, datetime.now(UTC).date()):
        yield msgspec.structs.asdict(complaint)
    missing = {} if yarax.AVAILABLE else {"missing": yarax.MISSING}
    yield {"files": len(files), "rules": sum([len(rules_in(file.text)) for file in files]), **missing}


def _test(paths: Sequence[str]) -> Iterator[Row]:
    """For each file what it and its samples disagree in."""
    files, problems = _files(paths)
    for problem in problems:
        yield {"path": problem.partition(": ")[0], "samples": 0, "problems": [problem]}
    for file in files:
        samples = read_samples(file)  # not in the child, which has fewer rights
        found = apart(partial(check_family, file, samples), list[str], FILE_SECONDS)
        ended = [f"{file.path}: ended the compiler (crash, time or memory limit)"]
        count = len(samples.hits) + len(samples.misses)
        yield {"path": str(file.path), "samples": count, "problems": ended if found is None else found}


def _list(paths: Sequence[str]) -> Iterator[Row]:
    """Every rule with what its author declared."""
    files, _ = _files(paths)
    now = time.time()
    for file in files:
        for rule in rules_in(file.text):
            if rule.private:
                continue
            meta: dict[str, str | int | bool] = {one.key: one.value for one in rule.meta}
            over = expired(meta, now)
            stage = stage_of(meta)
            yield {
                "rule": rule.name,
                "file": str(file.path),
                "line": rule.line,
                "namespace": file.namespace,
                "stage": str(RuleStage.SHADOW if over and stage is not RuleStage.TEST else stage),
                "expired": over,
                "symbol": symbol_of(rule.name, meta),
                **{key: rule.value(key) for key in ("score", "severity", "owner", "action", "expires", "description")},
            }


def _fmt(arguments: Sequence[str]) -> Iterator[Row]:
    """Format the files, or say what that would change; a file that has no common form says why."""
    word, *paths = arguments
    if not yarax.AVAILABLE:
        raise ValueError(yarax.MISSING)
    yarax.library()
    files, problems = _files(paths)
    for problem in problems:
        yield {"path": problem.partition(": ")[0], "changed": False, "diff": "", "problem": problem}
    for file in files:
        found = apart(partial(yarax.formatted, file), yarax.Formatted, FILE_SECONDS)
        done = found or yarax.Formatted("", f"{file.path}: ended the formatter (crash, time or memory limit)")
        changed = not done.problem and done.text != file.text
        if changed and word == "write":
            rewrite(file.path, done.text.encode("utf-8", "surrogateescape"))
        diff = yarax.difference(file, done.text) if changed and word == "check" else ""
        yield {"path": str(file.path), "changed": changed, "diff": diff, "problem": done.problem}


def _move(word: str) -> Callable[[Sequence[str]], Iterator[Row]]:
    def moved(arguments: Sequence[str]) -> Iterator[Row]:
        name, *paths = arguments
        files, _ = _files(paths)
        yield asdict(move(files, name, STEPS[word]))

    return moved


def _split(arguments: Sequence[str]) -> Iterator[Row]:
    """Write each rule of a file into a file of its own below a directory."""
    path, folder = arguments
    files, _ = _files([path])
    for name, text in split(files[0].text):
        target = Path(folder, f"{name}.yar")
        target.write_bytes(text.encode("utf-8", "surrogateescape"))
        yield {"rule": name}


def _encodable(value: Any) -> Any:
    """The value with text that JSON takes: names and metadata may hold bytes that are no UTF-8."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {key: _encodable(entry) for key, entry in value.items()}
    return [_encodable(entry) for entry in value] if isinstance(value, list) else value


_COMMANDS: Final[Mapping[str, Callable[[Sequence[str]], Iterator[Row]]]] = {
    "check": _check,
    "test": _test,
    "list": _list,
    "fmt": _fmt,
    "promote": _move("promote"),
    "demote": _move("demote"),
    "split": _split,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
