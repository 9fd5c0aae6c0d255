"""In which order lessons are learnt: as mixed as they can be, and the same for the same lessons.

Who teaches gives all spam and then all ham; a model that learns one after the other believes the last speaker
(measured: after three hundred of each in two blocks 5 % of pairs rank wrongly, mixed 0.07 %). So lessons are learnt as
they come only until a tenth of all is new. Then the model is made anew, from the oldest `point(count)` of them with
both kinds spread evenly over each other, each kind in the order of its digests, and from the rest as they came.

What is learnt is thereby a function of the lessons and of the order they came in, and of nothing else: not of how many
were learnt at once, nor of what was learnt and forgotten again.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

_PART: Final = 10  # a model is made anew when one lesson in so many has not been mixed

Entry: TypeAlias = tuple[int, bytes, bool]  # a lesson's number, its digest, whether it is spam


def point(count: int) -> int:
    """How many of so many lessons, the oldest, are learnt in mixed order."""
    reached = 0
    upcoming = 1
    while upcoming <= count:
        reached, upcoming = upcoming, -(-upcoming * _PART // (_PART - 1))
    return reached


def mixed(entries: Iterable[Entry]) -> list[int]:
    """The lessons' numbers, both kinds spread evenly over each other."""
    kinds: dict[bool, list[tuple[bytes, int]]] = {True: [], False: []}
    for number, digest, spam in entries:
        kinds[spam].append((digest, number))
    placed = [
        ((2 * place + 1) / (2 * len(kind)), digest, number)
        for kind in kinds.values()
        for place, (digest, number) in enumerate(sorted(kind))
    ]
    return [number for _, _, number in sorted(placed)]
