"""Running lookup plans: at once from answers that are at hand, or several as one."""

from collections.abc import Callable, Iterable
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


def nothing() -> Plan[None]:
    """A plan without questions: what makes a function that asks nothing a plan."""
    return
    yield  # makes this a generator


def side_by_side(plans: Iterable[Plan[T]]) -> Plan[tuple[T, ...]]:
    """Several plans as one, their results in the same order: what they ask at the same step is asked together, once."""
    running = dict(enumerate(plans))
    results: dict[int, T] = {}
    answers: dict[int, tuple[Answer, ...] | None] = dict.fromkeys(running)
    while running:
        asked: dict[int, tuple[Question, ...]] = {}
        for index, plan in tuple(running.items()):
            given = answers[index]
            try:
                # A generator that has not started takes None, which its type does not say.
                asked[index] = next(plan) if given is None else plan.send(given)
            except StopIteration as stop:
                results[index] = stop.value
                del running[index]
        questions = tuple(dict.fromkeys([question for each in asked.values() for question in each]))
        if running:
            found = dict(zip(questions, (yield questions), strict=True))
            answers = {index: tuple([found[question] for question in each]) for index, each in asked.items()}
    return tuple([results[index] for index in sorted(results)])


def warm(questions: Iterable[Question]) -> Plan[None]:
    """A plan that asks, so that the answers are at hand, and makes nothing of them."""
    yield tuple(questions)
