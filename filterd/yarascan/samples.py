"""Samples beside a rule file: what its rules must match, and what they must not.

`<family>.samples/hit/<rule>[.anything]` must be matched by that rule, nothing in `<family>.samples/miss` by any rule of
the family. A sample that ends in .b64 is base64; `<sample>.externals` sets external variables, one `name = value` a
line. The samples are the team's own files, not mail.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yara

from filterd.yarascan.externals import EXTERNALS
from filterd.yarascan.sources import SAMPLES, RuleFile, read_files

ENCODED: Final = ".b64"
VARIABLES: Final = ".externals"


def check_samples(directory: Path) -> tuple[str, ...]:
    """Everything in which rules and samples below a directory disagree, in words; empty where nothing does."""
    files, problems = read_files(directory)
    return (*problems, *[problem for file in files for problem in _family(file)])


def _family(file: RuleFile) -> Iterator[str]:
    if file.problem:
        yield file.problem
        return
    try:
        rules = yara.compile(sources={file.namespace: file.text}, includes=False, externals=EXTERNALS)
    except (yara.Error, ValueError) as error:
        yield f"{file.path}: {error}"
        return
    folder = file.path.with_suffix(SAMPLES)
    wanting = {rule.identifier for rule in rules if not rule.is_private}
    known = frozenset(wanting)
    for sample in _samples(folder / "hit"):
        name = sample.name.partition(".")[0]
        if name not in known:
            yield f"{sample}: {file.path.name} has no rule {name!r}"
        elif name in _matching(rules, sample):
            wanting.discard(name)
        else:
            yield f"{sample}: {name} does not match"
    for name in sorted(wanting):
        yield f"{file.path}: {name} has no sample that it matches: expected {folder.name}/hit/{name}"
    misses = _samples(folder / "miss")
    if not misses:
        yield f"{file.path}: expected samples that its rules do not match in {folder.name}/miss"
    for sample in misses:
        for name in sorted(_matching(rules, sample)):
            yield f"{sample}: {name} matches"


def _samples(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_file() and path.suffix != VARIABLES)


def _matching(rules: yara.Rules, sample: Path) -> set[str]:
    """The names of the rules that match a sample."""
    data = sample.read_bytes()
    if sample.suffix == ENCODED:
        data = base64.b64decode(data)
    externals = EXTERNALS | {"size": len(data)} | _variables(sample.with_name(sample.name + VARIABLES))
    return {match.rule for match in rules.match(data=data, externals=externals)}


def _variables(path: Path) -> dict[str, str | int]:
    """The external variables of a companion file, each in its declared type; ValueError names what is none."""
    found: dict[str, str | int] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        name, equals, value = (word.strip() for word in line.partition("="))
        if not equals or name not in EXTERNALS:
            raise ValueError(f"{path}: expected `name = value` with an external variable, got {line!r}")
        found[name] = int(value) if isinstance(EXTERNALS[name], int) else value
    return found
