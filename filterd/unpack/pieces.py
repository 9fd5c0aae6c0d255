"""What a document's reader hands out, counted by the message's budget."""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from filterd.unpack.budget import Budget
from filterd.unpack.types import Data

Piece: TypeAlias = tuple[str, tuple[str, ...], Data, bool]  # name, other names, content, encrypted
VIEWED_FROM: Final = 1_000_000  # bytes of content that is shown where it lies and not copied
Reader: TypeAlias = Callable[[Data, str, Budget], Iterator[Piece]]  # of content that stands at a path


def hand_out(budget: Budget, path: str, name: str, content: Data, *others: str) -> Iterator[Piece]:
    """One piece, or none where it is one too many; what is beyond the budget is cut off and said."""
    if not budget.take_file(path):
        return
    # What a document holds is as long as it is there: no ratio of its own.
    allowance = budget.allowance(len(content))
    if len(content) > allowance:
        budget.overdrawn(len(content), f"{path}/{name}")
        yield from cut(budget, name, others, content, allowance)
        return
    budget.spend(len(content))
    yield name, others, content if len(content) >= VIEWED_FROM else bytes(content), False


def cut(budget: Budget, name: str, others: tuple[str, ...], content: Data, allowance: int) -> Iterator[Piece]:
    """The beginning of a piece, shown where it lies: for a copy there may be no room."""
    budget.spend(allowance)
    with budget.holding(len(content) if isinstance(content, bytes) else 0):
        yield name, others, memoryview(content)[:allowance], False
