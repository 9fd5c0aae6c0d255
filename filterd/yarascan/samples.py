"""Samples beside a rule file: what its rules must match, and what they must not.

`<family>.samples/hit/<rule>[.anything]` must be matched by that rule, nothing in `<family>.samples/miss` by any rule of
the family. A sample that ends in .b64 is base64, one in .gz.b64 is compressed besides; `<sample>.externals` sets
external variables, one `name = value` a line. The samples are the team's own files, not mail.
"""

import base64
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yara

from filterd.yarascan.check import CANARY_SECONDS
from filterd.yarascan.externals import EXTERNALS
from filterd.yarascan.sources import SAMPLES, RuleFile, read_files

ENCODED: Final = ".b64"
COMPRESSED: Final = ".gz.b64"
MAX_SAMPLE: Final = 10_000_000  # bytes
VARIABLES: Final = ".externals"


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample, read and decoded; `problem` says why it cannot be used, empty where it can."""

    path: Path
    data: bytes
    externals: dict[str, str | int]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of one rule file."""

    folder: Path
    hits: tuple[Sample, ...]
    misses: tuple[Sample, ...]


def check_samples(directory: Path) -> tuple[str, ...]:
    """Everything in which rules and samples below a directory disagree, in words; empty where nothing does."""
    files, problems = read_files(directory)
    return (*problems, *[problem for file in files for problem in check_family(file, read_samples(file))])


def read_samples(file: RuleFile) -> Samples:
    """The samples beside a rule file."""
    folder = file.path.with_suffix(SAMPLES)
    return Samples(folder, _in(folder / "hit"), _in(folder / "miss"))


def check_family(file: RuleFile, samples: Samples) -> list[str]:
    """In what a rule file and its samples disagree."""
    try:
        return list(_family(file, samples))
    except (yara.Error, ValueError) as error:
        return [f"{file.path}: {error}"]


def _family(file: RuleFile, samples: Samples) -> Iterator[str]:
    if file.problem:
        yield file.problem
        return
    rules = yara.compile(sources={file.namespace: file.text}, includes=False, externals=EXTERNALS)
    wanting = {rule.identifier for rule in rules if not rule.is_private}
    known = frozenset(wanting)
    unusable = [sample.problem for sample in (*samples.hits, *samples.misses) if sample.problem]
    if unusable:
        yield from unusable
        return
    for sample in samples.hits:
        name = sample.path.name.partition(".")[0]
        if name not in known:
            yield f"{sample.path}: {file.path.name} has no rule {name!r}"
        elif name in _matching(rules, sample):
            wanting.discard(name)
        else:
            yield f"{sample.path}: {name} does not match"
    for name in sorted(wanting):
        yield f"{file.path}: {name} has no sample that it matches: expected {samples.folder.name}/hit/{name}"
    if not samples.misses:
        yield f"{file.path}: expected samples that its rules do not match in {samples.folder.name}/miss"
    for sample in samples.misses:
        for name in sorted(_matching(rules, sample)):
            yield f"{sample.path}: {name} matches"


def _in(folder: Path) -> tuple[Sample, ...]:
    paths = sorted(path for path in folder.glob("*") if path.is_file() and path.suffix != VARIABLES)
    return tuple([_read(path) for path in paths])


def _read(path: Path) -> Sample:
    try:
        data = path.read_bytes()
        if path.suffix == ENCODED:
            data = base64.b64decode(data)
        if path.name.endswith(COMPRESSED):
            data = _unzipped(data)
        given = _variables(path.with_name(path.name + VARIABLES))
    except (OSError, ValueError) as error:
        return Sample(path, b"", {}, str(error) if str(path) in str(error) else f"{path}: {error}")
    return Sample(path, data, EXTERNALS | {"size": len(data)} | given)


def _unzipped(data: bytes) -> bytes:
    """What gzip made small; ValueError where it is none or too much."""
    unpacker = zlib.decompressobj(31)
    try:
        found = unpacker.decompress(data, MAX_SAMPLE)
    except zlib.error as error:
        raise ValueError(f"is no gzip: {error}") from None
    if not unpacker.eof:
        raise ValueError(f"is cut short, or larger than {MAX_SAMPLE} bytes")
    return found


def _matching(rules: yara.Rules, sample: Sample) -> set[str]:
    """The names of the rules that match a sample."""
    found = rules.match(data=sample.data, externals=sample.externals, timeout=CANARY_SECONDS)
    return {match.rule for match in found}


def _variables(path: Path) -> dict[str, str | int]:
    """The external variables of a companion file, each in its declared type; ValueError names what is none."""
    found: dict[str, str | int] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        name, equals, value = (word.strip() for word in line.partition("="))
        if not equals or name not in EXTERNALS:
            raise ValueError(f"{path}: expected `name = value` with an external variable, got {line!r}")
        found[name] = int(value) if isinstance(EXTERNALS[name], int) else value
    return found
