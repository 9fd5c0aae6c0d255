"""Composites: symbols of their own that hold where an expression over other symbols does.

An expression that holds where nothing was found is refused (see `expressions`), so each needs one at least of some of
its symbols: of what "&" joins, those of the first part. That is what makes asking cheap: only composites of which such
a symbol was found are looked at, in an order in which each comes after those it uses.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from filterd.score.expressions import Expression

MAX_EVIDENCE: Final = 10  # members named as evidence
MAX_CYCLE: Final = 10  # names of a cycle that are shown


@dataclass(frozen=True, slots=True)
class Composite:
    """One of them. Where it holds, the weights of the symbols in `replaces` do not count: its own does instead."""

    name: str
    expression: Expression
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A composite that holds for a message, and the members that speak for it."""

    composite: Composite
    members: tuple[str, ...]


class CycleError(ValueError):
    """Composites that use each other, in a circle; `names` begins and ends with the same one."""

    def __init__(self, names: Sequence[str]) -> None:
        """Take the circle."""
        shown = [*names[: MAX_CYCLE - 1], "...", names[-1]] if len(names) > MAX_CYCLE else names
        super().__init__(" -> ".join(shown))
        self.names = tuple(names)


@dataclass(frozen=True, slots=True)
class Composites:
    """All of them, each after those it uses.

    `by_need` has the places in `ordered` by symbol: of what a composite needs one at least.
    """

    ordered: tuple[Composite, ...] = ()
    by_need: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))
    members: frozenset[str] = frozenset()

    def found(self, present: AbstractSet[str]) -> tuple[Found, ...]:
        """Those that hold for a message with these symbols."""
        waiting = {place for symbol in present if symbol in self.by_need for place in self.by_need[symbol]}
        if not waiting:
            return ()
        queue = sorted(waiting)  # a sorted list is a heap
        holding = set(present)
        found = []
        while queue:
            composite = self.ordered[heapq.heappop(queue)]
            if not composite.expression.holds(holding):
                continue
            found.append(Found(composite, _members(composite, holding)))
            holding.add(composite.name)
            for place in self.by_need.get(composite.name, ()):
                if place not in waiting:
                    waiting.add(place)
                    heapq.heappush(queue, place)
        return tuple(found)


def arrange(composites: Iterable[Composite]) -> Composites:
    """Make them ready to be asked. CycleError where some use each other."""
    named = {composite.name: composite for composite in composites}
    ordered = _ordered(named)
    by_need: dict[str, list[int]] = {}
    members: set[str] = set()
    for number, composite in enumerate(ordered):
        members.update([place.symbol for place in composite.expression.places()])
        for symbol in composite.expression.needs():
            by_need.setdefault(symbol, []).append(number)
    index = {symbol: tuple(numbers) for symbol, numbers in by_need.items()}
    return Composites(ordered, MappingProxyType(index), frozenset(members))


def _members(composite: Composite, holding: AbstractSet[str]) -> tuple[str, ...]:
    names = [place.symbol for place in composite.expression.places() if place.positive and place.symbol in holding]
    return tuple(dict.fromkeys(names))[:MAX_EVIDENCE]


def _ordered(named: Mapping[str, Composite]) -> tuple[Composite, ...]:
    """Depth first, without recursion: a chain of composites may be as long as the file."""
    done: dict[str, Composite] = {}
    for first in named:
        path: dict[str, list[str]] = {first: _uses(named, first)} if first not in done else {}
        while path:
            name, left = next(reversed(path.items()))
            if not left:
                done[name] = named[name]
                del path[name]
                continue
            used = left.pop()
            if used in path:
                names = list(path)
                raise CycleError([*names[names.index(used) :], used])
            if used not in done:
                path[used] = _uses(named, used)
    return tuple(done.values())


def _uses(named: Mapping[str, Composite], name: str) -> list[str]:
    """The composites that one uses, the last first."""
    used = dict.fromkeys([place.symbol for place in named[name].expression.places()])
    return [symbol for symbol in used if symbol in named][::-1]
