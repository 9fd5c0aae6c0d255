"""Rule files as they lie in a directory, and what they may ask for."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SUFFIXES: Final = frozenset({".yar", ".yara"})
MAX_FILE: Final = 4_000_000  # bytes; the largest public rule file has about 1 MB
MAX_FILES: Final = 10_000
MODULES: Final = frozenset({"pe", "elf", "math", "hash", "dotnet", "time", "string"})

# Comments and strings are stepped over, so that the word inside them is no import. An unclosed comment runs to the end.
_IMPORT: Final = re.compile(
    r'//[^\n]*|/\*.*?(?:\*/|\Z)|\bimport\s*"(?P<module>[^"\n]*)"|"(?:[^"\\\n]|\\.)*"', re.DOTALL
)


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One file: `namespace` is its path below the directory without the suffix."""

    path: Path
    namespace: str
    text: str


def read_files(directory: Path) -> tuple[tuple[RuleFile, ...], tuple[str, ...]]:
    """All rule files below a directory in a stable order, and what could not be read, in words.

    Folders named *.samples hold what rules must and must not match, and are passed over.
    """
    files: list[RuleFile] = []
    problems: list[str] = []
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        if path.suffix not in SUFFIXES or any(part.endswith(".samples") for part in relative.parts[:-1]):
            continue
        if len(files) >= MAX_FILES:
            problems.append(f"{directory}: more than {MAX_FILES} rule files; from {relative} on they are left out")
            break
        try:
            if path.stat().st_size > MAX_FILE:
                problems.append(f"{path}: larger than {MAX_FILE} bytes")
                continue
            text = path.read_text("utf-8", "surrogateescape")
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
            continue
        files.append(RuleFile(path, str(relative.with_suffix("")), text))
    return tuple(files), tuple(problems)


def foreign_modules(text: str) -> tuple[str, ...]:
    """The modules a file imports that rules may not have."""
    names = {match["module"] for match in _IMPORT.finditer(text) if match["module"] is not None}
    return tuple(sorted(names - MODULES))
