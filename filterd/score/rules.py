"""rules/scores.toml: what each symbol weighs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import Field, field_validator, model_validator

from filterd.config.fields import Section
from filterd.config.toml import read_model
from filterd.model.verdict import Action

MAX_WEIGHT: Final = 100.0  # points; beyond any threshold, and sums of floats stay exact enough
SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
AUTHENTICATION: Final = "authentication"  # the group that must not reject by itself

_Weight = Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)]


@dataclass(frozen=True, slots=True)
class SymbolRule:
    """A row: `floor` is the mildest action a message with this symbol gets; None leaves it to the score."""

    weight: float
    description: str = ""
    group: str = ""
    floor: Action | None = None


@dataclass(frozen=True, slots=True)
class GroupRule:
    """Bounds of what the symbols of one group count together, for (`cap`) and against (`floor`) being spam."""

    cap: float
    floor: float = -MAX_WEIGHT
    description: str = ""


@dataclass(frozen=True, slots=True)
class ScoreRules:
    """The whole file."""

    symbols: Mapping[str, SymbolRule]
    groups: Mapping[str, GroupRule]


class _Row(Section):
    weight: _Weight
    description: str = Field(min_length=1)
    group: str = ""
    floor: Action | None = None


class _Group(Section):
    cap: float = Field(ge=0, le=MAX_WEIGHT)
    floor: float = Field(default=-MAX_WEIGHT, le=0, ge=-MAX_WEIGHT)
    description: str = ""


class _File(Section):
    groups: dict[str, _Group]
    symbols: dict[str, _Row]

    @field_validator("symbols")
    @classmethod
    def _named(cls, value: dict[str, _Row]) -> dict[str, _Row]:
        for name in value:
            if SYMBOL.fullmatch(name) is None:
                raise ValueError(f"{name}: expected a symbol in capitals, digits and underscores")
        return value

    @model_validator(mode="after")
    def _grouped(self) -> "_File":
        for name, row in self.symbols.items():
            if row.group and row.group not in self.groups:
                raise ValueError(f"symbols.{name}.group: expected one of {', '.join(self.groups)}, got {row.group!r}")
        return self


def load_scores(path: Path) -> ScoreRules:
    """Read scores.toml. ConfigError names file, line and key of everything that cannot be meant."""
    content = read_model(path, _File)
    symbols = {
        name: SymbolRule(row.weight, row.description, row.group, row.floor) for name, row in content.symbols.items()
    }
    groups = {name: GroupRule(group.cap, group.floor, group.description) for name, group in content.groups.items()}
    return ScoreRules(MappingProxyType(symbols), MappingProxyType(groups))


def with_floors(rules: ScoreRules, dmarc_reject: Action | None, unscannable: Action) -> ScoreRules:
    """The rules with the floors that `[actions]` sets: for DMARC_REJECT (None: the score decides) and UNSCANNABLE_*."""
    symbols = dict(rules.symbols)
    for name, row in rules.symbols.items():
        if name == "DMARC_REJECT":
            symbols[name] = replace(row, floor=dmarc_reject)
        elif name.startswith("UNSCANNABLE_") and row.floor is not None:
            symbols[name] = replace(row, floor=unscannable)
    return ScoreRules(MappingProxyType(symbols), rules.groups)


def problems(rules: ScoreRules, reject: float) -> tuple[str, ...]:
    """What is wrong with these rules under this threshold for rejection, in words; empty where nothing is."""
    group = rules.groups.get(AUTHENTICATION)
    if group is None:
        return (f"scores.toml: expected a group {AUTHENTICATION} with a cap",)
    if group.cap >= reject:
        # RFC 9989: a message is not rejected on the author domain's p=reject alone.
        expected = f"expected less than [actions] reject = {reject:g}, got {group.cap:g}"
        return (f"scores.toml: groups.{AUTHENTICATION}.cap: {expected}",)
    return ()
