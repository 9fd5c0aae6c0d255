"""Rule files into one set, in a child process with limits: a rule can make the compiler crash, or run for ever."""

import hashlib
import io
import os
import resource
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import yara

from filterd.yarascan import cache
from filterd.yarascan.externals import EXTERNALS
from filterd.yarascan.sources import RuleFile, foreign_modules, read_files

COMPILE_SECONDS: Final = 300  # CPU of compiling everything; 6,000 public rules take about 40 s
COMPILE_MEMORY: Final = 2 << 30  # bytes of address space
MAX_MATCH_DATA: Final = 64  # bytes of a match that libyara copies out
ID_LENGTH: Final = 12  # hex digits of a rule set's name

Compiler = Callable[[Sequence[RuleFile]], tuple[bytes, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A compiled set. `rules` is libyara's object, None where there is no rule; `problems` are the files left out."""

    rules: Any
    id: str
    problems: tuple[str, ...] = ()


def load_rules(directory: Path, cache_directory: Path | None = None) -> RuleSet:
    """Read, check and compile all rule files below a directory, or take them from the cache. OSError: no directory."""
    yara.set_config(max_match_data=MAX_MATCH_DATA)
    if not directory.is_dir():  # a mistake, not an empty rule set
        raise NotADirectoryError(f"{directory}: no such directory of rules")
    files, unread = read_files(directory)
    key = _key(files)
    name = key[:ID_LENGTH]
    if not files:
        return RuleSet(None, name, unread)
    kept = cache.load(cache_directory, key) if cache_directory is not None else None
    if kept is None:
        data, problems = compile_apart(files)
        if cache_directory is not None and data:
            cache.store(cache_directory, key, data, problems)
    else:
        data, problems = kept
    return RuleSet(yara.load(file=io.BytesIO(data)) if data else None, name, unread + problems)


def compile_here(
    files: Sequence[RuleFile], report: Callable[[int], None] = lambda _: None
) -> tuple[bytes, tuple[str, ...]]:
    """The compiled set of all good files as bytes (none: empty) and one line for each that is left out.

    `report` is told the number of the file that is looked at next.
    """
    good: dict[str, str] = {}
    problems: list[str] = []
    for number, file in enumerate(files):
        report(number)
        problem = check(file)
        if not problem and file.namespace in good:
            problem = f"{file.path}: another file has the same name without suffix"
        if problem:
            problems.append(problem)
        else:
            good[file.namespace] = file.text
    if not good:
        return b"", tuple(problems)
    report(len(files))
    out = io.BytesIO()
    yara.compile(sources=good, includes=False, externals=EXTERNALS).save(file=out)
    return out.getvalue(), tuple(problems)


def check(file: RuleFile) -> str:
    """Why this file cannot be used, with its line where the compiler knows it; empty where it can."""
    foreign = foreign_modules(file.text)
    if foreign:
        return f"{file.path}: imports what rules may not have: {', '.join(foreign)}"
    try:
        yara.compile(source=file.text, includes=False, externals=EXTERNALS)
    except UnicodeEncodeError:
        return f"{file.path}: is not UTF-8"
    except (yara.Error, ValueError) as error:  # ValueError: a NUL in the text
        return f"{file.path}: {error}"
    return ""


def compile_apart(files: Sequence[RuleFile]) -> tuple[bytes, tuple[str, ...]]:
    """As `compile_here`, in a forked child with limits; a file that ends the child is left out, the rest tried again.

    Must be called in a process with one thread.
    """
    left = list(files)
    problems: list[str] = []
    while left:
        culprit, result = _in_child(left)
        if result is not None:
            return result[0], (*problems, *result[1])
        if culprit >= len(left):
            return b"", (*problems, "all rules: compiling them together ended the compiler; none is in use")
        problems.append(f"{left.pop(culprit).path}: ended the compiler (crash, time or memory limit)")
    return b"", tuple(problems)


def _in_child(files: Sequence[RuleFile]) -> tuple[int, tuple[bytes, tuple[str, ...]] | None]:
    """The number of the file looked at last, and the result where the child came to one."""
    progress = os.memfd_create("progress", os.MFD_CLOEXEC)
    answer = os.memfd_create("compiled", os.MFD_CLOEXEC)
    try:
        pid = os.fork()
        if not pid:
            _child(files, progress, answer)
        _, status = os.waitpid(pid, 0)
        culprit = int.from_bytes(os.pread(progress, 8, 0), "big")
        if status:
            return culprit, None
        with os.fdopen(os.dup(answer), "rb") as file:
            file.seek(0)
            data, problems = msgspec.msgpack.decode(file.read(), type=tuple[bytes, tuple[str, ...]])
        return culprit, (data, problems)
    finally:
        os.close(progress)
        os.close(answer)


def _child(files: Sequence[RuleFile], progress: int, answer: int) -> None:
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CPU, (COMPILE_SECONDS, COMPILE_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (COMPILE_MEMORY, COMPILE_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        result = compile_here(files, lambda number: _note(progress, number))
        with os.fdopen(answer, "wb", closefd=False) as file:
            file.write(msgspec.msgpack.encode(result))
        status = 0
    finally:
        os._exit(status)


def _note(progress: int, number: int) -> None:
    os.pwrite(progress, number.to_bytes(8, "big"), 0)


def _key(files: Sequence[RuleFile]) -> str:
    """SHA-256 over all that decides what the compiled set is."""
    digest = hashlib.sha256(f"filterd rules 1 {yara.YARA_VERSION} {sorted(EXTERNALS.items())}".encode())
    for file in files:
        text = file.text.encode("utf-8", "surrogateescape")
        digest.update(f"\0{file.namespace}\0{len(text)}\0".encode("utf-8", "surrogateescape"))
        digest.update(text)
    return digest.hexdigest()
