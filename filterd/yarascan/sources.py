"""Rule files as they lie in a directory, and what they may ask for."""

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUFFIXES: Final = frozenset({".yar", ".yara"})
SAMPLES: Final = ".samples"  # folders of what rules must and must not match
MAX_FILE: Final = 4_000_000  # bytes; the largest public rule file has about 1 MB
MAX_FILES: Final = 10_000
MODULES: Final = frozenset({"pe", "elf", "math", "hash", "dotnet", "time", "string"})

# What stands between two words; an unclosed comment runs to the end.
_GAP: Final = r"(?:\s|//[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))*+"
# Comments, strings and regular expressions are stepped over: the word inside them is no import. YARA divides by "\", so
# that a "/" which begins no comment always begins a regular expression.
_IMPORT: Final = re.compile(
    rf'\bimport{_GAP}"(?P<module>(?:[^"\\\n]|\\.)*)"?'
    r'|//[^\n]*|/\*.*?(?:\*/|\Z)|/(?:[^/\\\n]|\\.)*/|"(?:[^"\\\n]|\\.)*"',
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One file: `namespace` is its path below the directory without the suffix.

    `problem` says why there is no usable text, empty where there is one.
    """

    path: Path
    namespace: str
    text: str
    problem: str = ""


def read_files(directory: Path) -> tuple[tuple[RuleFile, ...], tuple[str, ...]]:
    """All rule files below a directory in a stable order, and what is wrong with the directory itself, in words.

    Folders named *.samples are passed over. A file that cannot be read is among the files, with its problem.
    """
    problems: list[str] = []
    paths: list[Path] = []
    for folder, inner, names in os.walk(directory, onerror=lambda error: problems.append(_why(error))):
        inner[:] = [name for name in inner if not name.endswith(SAMPLES)]
        paths += [Path(folder, name) for name in names if Path(name).suffix in SUFFIXES]
    odd = [path for path in paths if not _writable(path)]
    problems += [f"{path}: the name is not UTF-8" for path in odd]
    paths = sorted(set(paths).difference(odd))
    if len(paths) > MAX_FILES:
        problems.append(f"{directory}: more than {MAX_FILES} rule files; from {paths[MAX_FILES]} on they are left out")
    return tuple([_read(path, directory) for path in paths[:MAX_FILES]]), tuple(problems)


def read_paths(paths: Sequence[Path]) -> tuple[tuple[RuleFile, ...], tuple[str, ...]]:
    """The rule files named and those below the directories named, each once; and what is wrong, in words."""
    files: dict[Path, RuleFile] = {}
    problems: list[str] = []
    for path in paths:
        if path.is_dir():
            found, wrong = read_files(path)
            problems += wrong
        else:
            found = (_read(path, path.parent),)
        for file in found:
            files.setdefault(file.path.absolute(), file)
    return tuple(files.values()), tuple(problems)


def _read(path: Path, directory: Path) -> RuleFile:
    namespace = str(path.relative_to(directory).with_suffix(""))
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            return RuleFile(path, namespace, "", f"{path}: is no regular file")
        if status.st_size > MAX_FILE:
            return RuleFile(path, namespace, "", f"{path}: larger than {MAX_FILE} bytes")
        return RuleFile(path, namespace, path.read_bytes().decode("utf-8", "surrogateescape"))
    except OSError as error:
        return RuleFile(path, namespace, "", _why(error))


def _writable(path: Path) -> bool:
    """True where the name can be written to a log and given to the compiler."""
    try:
        return bool(str(path).encode())
    except UnicodeEncodeError:
        return False


def _why(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}"


def modules(text: str) -> frozenset[str]:
    """The modules a file imports."""
    return frozenset([match["module"] for match in _IMPORT.finditer(text) if match["module"] is not None])


def foreign_modules(text: str) -> tuple[str, ...]:
    """The modules a file imports that rules may not have."""
    return tuple(sorted(modules(text) - MODULES))
