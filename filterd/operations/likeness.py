"""Which messages are alike: sketches (inspection/likeness.py) compared, and sorted into groups. Pure and linear.

A sketch is cut into bands; messages that agree in a whole band are likely to be alike, and are compared with the first
that had it. Two of a group are not always as alike as that: each is to the one that the group began with.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

Sketch: TypeAlias = tuple[int, ...]

SIMILAR: Final = 0.5  # share of the sketch that two of a kind have in common; docs/quarantine.md has what that gives
ROWS: Final = 4  # numbers in a band: of messages that share half of all, two thirds agree in one of sixteen bands
EMPTY: Final = -1  # of a number that stands for nothing


def alike(one: Sketch, other: Sketch) -> float:
    """The share that both have, of what either has."""
    pairs = [(a, b) for a, b in zip(one, other, strict=False) if a != EMPTY or b != EMPTY]
    return sum([a == b for a, b in pairs]) / len(pairs) if pairs else 0.0


def groups(sketches: Sequence[Sketch]) -> list[list[int]]:
    """Indexes of sketches that belong together, groups and their members in the order they began."""
    leaders = list(range(len(sketches)))

    def leader(index: int) -> int:
        while leaders[index] != index:
            leaders[index] = leaders[leaders[index]]
            index = leaders[index]
        return index

    first: dict[tuple[int, Sketch], int] = {}
    for index, sketch in enumerate(sketches):
        for start in range(0, len(sketch), ROWS):
            band = sketch[start : start + ROWS]
            if all(number == EMPTY for number in band):
                continue
            known = leader(first.setdefault((start, band), index))
            own = leader(index)
            if known != own and alike(sketches[known], sketch) >= SIMILAR:
                leaders[max(known, own)] = min(known, own)
    found: dict[int, list[int]] = {}
    for index in range(len(sketches)):
        found.setdefault(leader(index), []).append(index)
    return list(found.values())
