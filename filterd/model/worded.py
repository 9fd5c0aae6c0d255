"""Words of a closed list, each with its meaning beside it: what a person reads about it is printed from there."""

from enum import StrEnum
from typing import Self


class Worded(StrEnum):
    """A member is its word; `meaning` is for the operator."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Declared as `NAME = "word", "meaning"`."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member
