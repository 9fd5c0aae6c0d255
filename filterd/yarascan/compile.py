"""Rule files into one set, in a child process with limits: a rule can make the compiler crash, or run for ever."""

import io
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import msgspec
import yara

from filterd.yarascan.apart import confine
from filterd.yarascan.cache import Kept, digest_of
from filterd.yarascan.check import check
from filterd.yarascan.externals import EXTERNALS
from filterd.yarascan.sources import RuleFile

FILE_SECONDS: Final = 60  # CPU of checking one file, its last good text included
JOINT_SECONDS: Final = 300  # CPU of compiling all files together; 6,000 public rules take some seconds
_ENDED: Final = "ended the compiler (crash, time or memory limit)"
_PROGRESS: Final = 8  # bytes of the number that the child leaves behind


class RulesError(ValueError):
    """There are rule files, and no set of rules can be made of them; the text says why."""


class Compiled(msgspec.Struct, frozen=True):
    """What came out, and the text of every file that is in it."""

    kept: Kept
    texts: dict[str, str]


def compile_here(
    files: Sequence[RuleFile], last: Mapping[str, str], report: Callable[[int], None] = lambda _: None
) -> Compiled:
    """One set of all files; a broken one is replaced by its `last` good text where that compiles, else left out.

    `report` is told the number of the file that is looked at next. RulesError where nothing is left.
    """
    texts: dict[str, str] = {}
    alone: dict[str, bytes] = {}
    problems: list[str] = []
    replaced: dict[str, str] = {}
    for number, file in enumerate(files):
        report(number)
        if file.namespace in texts:
            problems.append(f"{file.path}: another file has the same name without suffix")
            continue
        problem, compiled = check(file)
        text = file.text
        if problem:
            text, compiled = _last_good(file, last)
            replaced[file.namespace] = digest_of(last[file.namespace]) if file.namespace in last else ""
            problems.append(f"{problem}; its last good version stays in use" if compiled else problem)
        if compiled:
            texts[file.namespace], alone[file.namespace] = text, compiled
    if not texts:
        raise RulesError("no rule file can be used: " + "; ".join(problems[:3]))
    report(len(files))
    out = io.BytesIO()
    yara.compile(sources=texts, includes=False, externals=EXTERNALS).save(file=out)
    return Compiled(Kept(out.getvalue(), alone, tuple(problems), replaced), texts)


def compile_apart(files: Sequence[RuleFile], last: Mapping[str, str]) -> Compiled:
    """As `compile_here`, in a forked child with limits; a file that ends the child is broken, and the rest tried again.

    Must be called in a process with one thread. RulesError.
    """
    files, last = list(files), dict(last)
    while True:
        culprit, answer = _in_child(files, last)
        if answer is not None:
            if isinstance(answer, str):
                raise RulesError(answer)
            return answer
        file = files[culprit] if culprit < len(files) else None
        if file is None or (file.problem and file.namespace not in last):
            raise RulesError(f"compiling the rule files together {_ENDED}")
        if file.problem:  # then it was the text it used to have
            del last[file.namespace]
        files[culprit] = replace(file, problem=f"{file.path}: {_ENDED}")


def _in_child(files: Sequence[RuleFile], last: Mapping[str, str]) -> tuple[int, Compiled | str | None]:
    """The number of the file looked at last, and the result (or why there is none) where the child came to one."""
    progress = os.memfd_create("progress", os.MFD_CLOEXEC)
    answer = os.memfd_create("compiled", os.MFD_CLOEXEC)
    try:
        pid = os.fork()
        if not pid:
            _child(files, last, progress, answer)
        _, status = os.waitpid(pid, 0)
        culprit = int.from_bytes(os.pread(progress, _PROGRESS, 0), "big")
        if status:
            return culprit, None
        with os.fdopen(os.dup(answer), "rb") as file:
            file.seek(0)
            return culprit, msgspec.msgpack.decode(file.read(), type=Compiled | str)
    finally:
        os.close(progress)
        os.close(answer)


def _child(files: Sequence[RuleFile], last: Mapping[str, str], progress: int, answer: int) -> None:
    status = 1
    try:
        confine()

        def report(number: int) -> None:
            os.pwrite(progress, number.to_bytes(_PROGRESS, "big"), 0)
            signal.setitimer(signal.ITIMER_PROF, FILE_SECONDS if number < len(files) else JOINT_SECONDS)

        result: Compiled | str
        try:
            result = compile_here(files, last, report)
        except RulesError as error:
            result = str(error)
        with os.fdopen(answer, "wb", closefd=False) as file:
            file.write(msgspec.msgpack.encode(result))
        status = 0
    finally:
        os._exit(status)


def _last_good(file: RuleFile, last: Mapping[str, str]) -> tuple[str, bytes]:
    """The text this file last had and its compiled rules, empty where it had none that can be used."""
    text = last.get(file.namespace)
    if text is None:
        return "", b""
    _, compiled = check(RuleFile(file.path, file.namespace, text))
    return text, compiled
