"""Choosing which of too many things to ask about."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def spread(items: Sequence[T], most: int) -> Sequence[T]:
    """The first and the last ones: a sender must not choose which are skipped by putting others in front."""
    if len(items) <= most:
        return items
    head = most - most // 2
    return [*items[:head], *items[len(items) - most // 2 :]]
