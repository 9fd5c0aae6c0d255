"""Running lookup plans: at once from answers that are at hand."""

from collections.abc import Callable
from typing import TypeVar

from filterd.model.dns import Answer, Plan, Question

T = TypeVar("T")


def complete(plan: Plan[T], lookup: Callable[[Question], Answer]) -> T:
    """Run a plan to its end in this thread with `lookup` answering each question."""
    try:
        questions = next(plan)
        while True:
            questions = plan.send(tuple([lookup(question) for question in questions]))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # StopIteration.value is Any; a Plan[T] returns T
