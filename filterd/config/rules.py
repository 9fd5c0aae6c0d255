"""The table of filterd.toml about rules and scores, and the entries that rule files share with it."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from filterd.config.fields import PathField, Section, key
from filterd.model.verdict import Action

MAX_WEIGHT: Final = 100.0  # points; beyond any threshold, and sums of floats stay exact enough
SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9_]{1,63}")

Weight = Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT)]


def _symbol(value: str) -> str:
    if SYMBOL.fullmatch(value) is None:
        raise ValueError("expected a symbol in capitals, digits and underscores")
    return value


SymbolName = Annotated[str, AfterValidator(_symbol)]


class SymbolOverride(Section):
    """What an operator wants of a symbol; what is not given stays as the rules have it."""

    weight: Weight | None = None
    group: str | None = None
    floor: Action | None = None
    off: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> "SymbolOverride":
        given = {"weight": self.weight, "group": self.group, "floor": self.floor}
        if not self.off and all(value is None for value in given.values()):
            raise ValueError("expected weight, group, floor or off = true")
        return self


class GroupOverride(Section):
    """Other bounds for a group, or a group of the operator's own."""

    cap: float | None = Field(default=None, ge=0, le=MAX_WEIGHT)
    floor: float | None = Field(default=None, le=0, ge=-MAX_WEIGHT)

    @model_validator(mode="after")
    def _says_something(self) -> "GroupOverride":
        if self.cap is None and self.floor is None:
            raise ValueError("expected cap or floor")
        return self


class CompositeEntry(Section):
    """A symbol that holds where an expression over other symbols does: docs/rules.md.

    `match` and `no_match` are lists of symbols for which it must and must not hold: `filterd rules test` tries them.
    """

    expression: str = Field(min_length=1)
    weight: Weight
    description: str = Field(min_length=1)
    group: str = ""
    floor: Action | None = None
    replaces: tuple[SymbolName, ...] = ()
    match: tuple[tuple[SymbolName, ...], ...] = ()
    no_match: tuple[tuple[SymbolName, ...], ...] = ()


class Rules(Section):
    """Rules and scores as data."""

    path: PathField | None = key(
        None,
        "The directory with scores.toml, composites.toml, dnsbl.toml, indicators.toml, regex/ and yara/; absent: the "
        "one shipped with filterd.",
    )
    local: PathField | None = key(
        None,
        "A directory of your own whose composites.toml and regex/ are added to those of `path`; absent: none.",
    )
    scores: dict[SymbolName, SymbolOverride] = key(
        {},
        "Other weights by symbol, as [rules.scores.NAME] with weight, group, floor (accept lifts it) or off = true.",
    )
    groups: dict[str, GroupOverride] = key({}, "Other bounds by group, as [rules.groups.NAME] with cap or floor.")
    composites: dict[SymbolName, CompositeEntry] = key(
        {},
        "Symbols of your own over others, as [rules.composites.NAME] with expression, weight and description.",
    )
    suspend_share: float = key(
        0.2,
        "A YARA or regex rule is as in shadow for an hour when it hits this share of the mail of ten minutes, with "
        "nothing else speaking against those messages, which come from many networks; 0: never.",
        ge=0,
        le=1,
    )
