"""What a file of regex rules declares. Reads TOML alone: whether a pattern compiles the engine says."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from filterd.config.fields import Section
from filterd.config.rules import SymbolName, Weight
from filterd.config.toml import ConfigError, name_of, read_model, read_text, where
from filterd.model.inspection import REGEX_PREFIX
from filterd.model.verdict import Action
from filterd.score.stages import RuleStage

MAX_PATTERN: Final = 2_000  # characters; longer lists of words are several rules
MAX_RULES: Final = 5_000  # of all files together
MAX_FILES: Final = 1_000
TABLE: Final = "rules"
SUFFIX: Final = ".toml"
_FIELD_NAME: Final = re.compile(r"[!-9;-~]{1,100}")  # RFC 5322 2.2: printable, without the colon


class Target(StrEnum):
    """What a pattern is searched in."""

    HEADER = "header"  # each field of one name, decoded and unfolded
    SUBJECT = "subject"  # the decoded subject
    BODY = "body"  # the text as a reader sees it, of plain texts and HTML
    RAW = "raw"  # the bytes of the body as they came, without the header
    URL = "url"  # each link
    FILE_NAME = "file_name"  # each name of an attachment or of what is unpacked from one


def _own(value: str) -> str:
    if not value.startswith(REGEX_PREFIX):  # no rule speaks in the name of a check
        raise ValueError(f"expected a symbol that begins with {REGEX_PREFIX}")
    return value


class _Entry(Section):
    target: Target
    header: str = ""
    pattern: str = Field(min_length=1, max_length=MAX_PATTERN)
    weight: Weight
    description: str = Field(min_length=1)
    group: str = ""
    floor: Action | None = None
    stage: RuleStage | None = None
    owner: str = ""
    expires: str = ""
    match: tuple[str, ...] = ()
    no_match: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> "_Entry":
        if (self.target is Target.HEADER) != bool(self.header):
            raise ValueError('expected header = "Field-Name" where target is "header", and only there')
        if self.header and _FIELD_NAME.fullmatch(self.header) is None:
            raise ValueError(f"header: expected a field's name, got {self.header!r}")
        if self.expires:
            date.fromisoformat(self.expires)
        return self


class _File(Section):
    rules: dict[Annotated[SymbolName, AfterValidator(_own)], _Entry]


@dataclass(frozen=True, slots=True)
class RegexRule:
    """One rule; `namespace` is its file's path below the directory without the suffix, `line` where it begins."""

    symbol: str
    target: Target
    pattern: str
    weight: float
    description: str
    header: str = ""
    group: str = ""
    floor: Action | None = None
    stage: RuleStage = RuleStage.SCORE
    owner: str = ""
    expires: str = ""
    match: tuple[str, ...] = ()
    no_match: tuple[str, ...] = ()
    path: Path = Path()
    namespace: str = ""
    line: int = 0

    @property
    def meta(self) -> dict[str, str | int | bool]:
        """What goes with a hit, in the words of a YARA rule's metadata."""
        declared = {"expires": self.expires, "action": self.floor.value if self.floor else "", "group": self.group}
        return {
            "stage": self.stage.value,
            "score": str(self.weight),
            **{key: value for key, value in declared.items() if value},
        }

    def problem(self, key: str, what: str) -> str:
        """A line about one of its keys, or about all of it."""
        return f"{self.path}:{self.line}: {name_of((TABLE, self.symbol, *([key] if key else [])))}: {what}"


def read_rules(directories: Sequence[Path]) -> tuple[tuple[RegexRule, ...], tuple[str, ...]]:
    """The rules of all files below the directories in a stable order, and what is wrong, in words.

    A directory that is not there has none.
    """
    files: list[tuple[Path, str]] = []
    for directory in directories:
        paths = sorted(path for path in directory.rglob(f"*{SUFFIX}") if path.is_file())
        files += [(path, str(path.relative_to(directory).with_suffix(""))) for path in paths]
    problems = (
        [f"{files[MAX_FILES][0]}: more than {MAX_FILES} files; the rest is left out"] if files[MAX_FILES:] else []
    )
    rules: list[RegexRule] = []
    for path, namespace in files[:MAX_FILES]:
        try:
            rules += read_file(path, namespace)
        except ConfigError as error:
            problems += error.problems
    problems += [
        rule.problem("", f"more than {MAX_RULES} rules; the rest is left out") for rule in rules[MAX_RULES:][:1]
    ]
    return tuple(rules[:MAX_RULES]), tuple(problems)


def read_file(path: Path, namespace: str = "") -> tuple[RegexRule, ...]:
    """The rules of one file. ConfigError, with every problem, where it cannot be used."""
    text = read_text(path)
    return tuple([_rule(path, text, namespace or path.stem, *item) for item in read_model(path, _File).rules.items()])


def _rule(path: Path, text: str, namespace: str, symbol: str, entry: _Entry) -> RegexRule:
    line = where(path, text, (TABLE, symbol)).removeprefix(str(path)).removeprefix(":")
    default = RuleStage.SCORE if entry.floor is None else RuleStage.ENFORCE
    return RegexRule(
        symbol,
        entry.target,
        entry.pattern,
        entry.weight,
        entry.description,
        entry.header,
        entry.group,
        entry.floor,
        entry.stage or default,
        entry.owner,
        entry.expires,
        entry.match,
        entry.no_match,
        path,
        namespace,
        int(line or 0),
    )
