"""rules/scores.toml: what each symbol weighs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pydantic import Field, field_validator, model_validator

from filterd.config.fields import Section
from filterd.config.rules import MAX_WEIGHT, SYMBOL, Weight
from filterd.config.toml import read_model
from filterd.model.verdict import Action
from filterd.score.composites import Composites

AUTHENTICATION: Final = "authentication"  # the group that must not reject by itself


@dataclass(frozen=True, slots=True)
class SymbolRule:
    """A row: `floor` is the mildest action a message with this symbol gets; None leaves it to the score.

    `off`: the operator has switched the symbol off, so that it weighs nothing, holds nothing and is no member.
    """

    weight: float
    description: str = ""
    group: str = ""
    floor: Action | None = None
    off: bool = False


@dataclass(frozen=True, slots=True)
class GroupRule:
    """Bounds of what the symbols of one group count together, for (`cap`) and against (`floor`) being spam."""

    cap: float
    floor: float = -MAX_WEIGHT
    description: str = ""


@dataclass(frozen=True, slots=True)
class ScoreRules:
    """All rows, those of composites among them, and the composites' expressions."""

    symbols: Mapping[str, SymbolRule]
    groups: Mapping[str, GroupRule]
    composites: Composites = field(default_factory=Composites)


class _Row(Section):
    weight: Weight
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
    return replace(rules, symbols=MappingProxyType(symbols))


def problems(rules: ScoreRules, reject: float, key: str = "[actions] reject") -> tuple[str, ...]:
    """What is wrong with these rules under this threshold for rejection, in words; empty where nothing is."""
    group = rules.groups.get(AUTHENTICATION)
    if group is None:
        return (f"scores.toml: expected a group {AUTHENTICATION} with a cap",)
    # RFC 9989: a message is not rejected on the author domain's p=reject alone.
    found = [] if group.cap < reject else [f"expected less than {key} = {reject:g}, got {group.cap:g}"]
    return (*[f"scores.toml: groups.{AUTHENTICATION}.cap: {what}" for what in found], *_beside_the_cap(rules))


def _beside_the_cap(rules: ScoreRules) -> Iterable[str]:
    """Composites that count outside of the group though what it bounds is enough for them."""
    for composite in rules.composites.ordered:
        row = rules.symbols[composite.name]
        members = [place.symbol for place in composite.expression.places() if place.positive]
        enough = [name for name in members if _authenticates(rules.symbols.get(name))]
        if row.group != AUTHENTICATION and row.weight > 0 and composite.expression.holds(frozenset(enough)):
            names = ", ".join(dict.fromkeys(enough))
            yield f'composites.{composite.name}.group: expected "{AUTHENTICATION}", for {names} are enough for it'


def _authenticates(row: SymbolRule | None) -> bool:
    """Whether a symbol counts in that group."""
    return row is not None and row.group == AUTHENTICATION and not row.off
