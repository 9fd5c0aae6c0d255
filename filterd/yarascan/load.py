"""From a directory of rule files to a set that is ready to scan with."""

import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yara

from filterd.yarascan import cache
from filterd.yarascan.compile import RulesError, compile_apart
from filterd.yarascan.externals import EXTERNALS
from filterd.yarascan.sources import MODULES, RuleFile, read_files

MAX_MATCH_DATA: Final = 64  # bytes of a match that libyara copies out
ID_LENGTH: Final = 12  # hex digits of a rule set's name
MAX_PROBLEMS: Final = 100  # told; whoever has more knows by then
MAX_PROBLEM: Final = 300  # characters of one
_FORMAT: Final = 2  # of what is cached, and of how rules are checked


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A compiled set. `rules` is libyara's object, None where there is no rule file.

    `problems` are the files that are left out or older than they should be; `alone` holds each file's own compiled
    rules, for when it matters which of them is slow.
    """

    rules: Any
    id: str
    problems: tuple[str, ...] = ()
    alone: Mapping[str, bytes] = field(default_factory=dict)


def load_rules(directory: Path, cache_directory: Path | None = None) -> RuleSet:
    """Read, check and compile all rule files below a directory, or take them from the cache.

    OSError: no directory. RulesError: there are files and none can be used; a filter that silently has no rules would
    be worse than none. Must be called in a process with one thread.
    """
    yara.set_config(max_match_data=MAX_MATCH_DATA)
    if not directory.is_dir():  # a mistake, not an empty rule set
        raise NotADirectoryError(f"{directory}: no such directory of rules")
    files, problems = read_files(directory)
    key = _key(files)
    if not files and problems:
        raise RulesError("; ".join(_told(problems)))
    if not files:
        return RuleSet(None, key[:ID_LENGTH])
    last = cache.last_texts(cache_directory, directory) if cache_directory is not None else {}
    kept = cache.load(cache_directory, key) if cache_directory is not None else None
    if kept is None or any(_digest(last, name) != used for name, used in kept.replaced.items()):
        compiled = compile_apart(files, last)
        kept = compiled.kept
        if cache_directory is not None:
            cache.store(cache_directory, key, kept)
            if compiled.texts != last:
                cache.keep_texts(cache_directory, directory, compiled.texts)
    if kept.replaced:
        key = hashlib.sha256(f"{key} {sorted(kept.replaced.items())}".encode("utf-8", "surrogateescape")).hexdigest()
    rules = yara.load(file=io.BytesIO(kept.joint))
    return RuleSet(rules, key[:ID_LENGTH], _told(problems + kept.problems), kept.alone)


def _digest(texts: Mapping[str, str], namespace: str) -> str:
    return cache.digest_of(texts[namespace]) if namespace in texts else ""


def _told(problems: tuple[str, ...]) -> tuple[str, ...]:
    """Problems as they can be told: bounded, and in text that can be encoded whatever files are called."""
    more = (f"and {len(problems) - MAX_PROBLEMS} more",) if len(problems) > MAX_PROBLEMS else ()
    shown = [problem[:MAX_PROBLEM].encode("utf-8", "replace").decode() for problem in problems[:MAX_PROBLEMS]]
    return (*shown, *more)


def _key(files: Sequence[RuleFile]) -> str:
    """SHA-256 over all that decides what the compiled set is."""
    fixed = f"filterd rules {_FORMAT} {yara.YARA_VERSION} {sorted(MODULES)} {sorted(EXTERNALS.items())}"
    digest = hashlib.sha256(fixed.encode())
    for file in files:
        for value in (os.fsencode(file.path), file.text.encode("utf-8", "surrogateescape"), os.fsencode(file.problem)):
            digest.update(b"\0%d\0" % len(value) + value)
    return digest.hexdigest()
