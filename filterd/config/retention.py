"""[quarantine.classes.NAME]: other bounds for some kinds of held mail."""

import re
from typing import Annotated, Final, Self

from pydantic import AfterValidator, field_validator, model_validator

from filterd.config.fields import Section, key

MAX_CLASSES: Final = 20  # what a person keeps apart; each is looked for by itself, every ten minutes
MAX_REASONS: Final = 100  # of one class
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")  # it stands in the audit, and in the names of files
_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,199}\*?|\*")
_BOUNDS: Final = ("keep", "most_messages", "most_bytes")


def _named(value: str) -> str:
    if _NAME.fullmatch(value) is None:
        raise ValueError("expected a name of at most 40 letters, digits, - and _")
    return value


class Retention(Section):
    """Which reasons make up a class, and how long and how much of it waits."""

    reasons: tuple[str, ...] = key((), "", max_length=MAX_REASONS)
    keep: float | None = key(None, "", "d", gt=0, le=3650)
    most_messages: int = key(0, "", "messages", ge=0)
    most_bytes: int = key(0, "", "bytes", ge=0)

    @field_validator("reasons")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError('expected reasons as `filterd quarantine list` shows them, such as ["score", "yara-*"]')
        for one in value:
            if _PATTERN.fullmatch(one) is None:
                raise ValueError(f"expected a reason, or the beginning of reasons and *, got {one!r}")
        return value

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if not self.keep and not self.most_messages and not self.most_bytes:
            raise ValueError(f"expected one of {', '.join(_BOUNDS)}: without them it is kept as all other mail")
        return self


def _apart(value: dict[str, Retention]) -> dict[str, Retention]:
    named: dict[str, str] = {}
    for name, one in value.items():
        for pattern in one.reasons:
            if pattern in named:
                raise ValueError(f"{name}.reasons: {pattern!r} stands in {named[pattern]} already")
            named[pattern] = name
    return value


ClassName = Annotated[str, AfterValidator(_named)]
Classes = Annotated[dict[ClassName, Retention], AfterValidator(_apart)]
