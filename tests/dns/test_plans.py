import pytest

from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete, side_by_side, warm
from filterd.model.dns import Answer, Plan, Question, RRType

RESOLVER = FakeResolver(txt={f"{letter}.example": [letter] for letter in "abc"})


def ask(*letters: str) -> Plan[str]:
    """A plan that asks one name after the other and joins what it gets."""
    found = ""
    for letter in letters:
        (answer,) = yield (Question(f"{letter}.example", RRType.TXT),)
        found += answer.records[0]
    return found


def steps(plan: Plan[object]) -> tuple[list[str], object]:
    """The letters asked at each step, and the result."""
    asked: list[str] = []

    def lookup(questions: tuple[Question, ...]) -> tuple[Answer, ...]:
        asked.append("".join(question.name[0] for question in questions))
        return tuple(RESOLVER.lookup(question) for question in questions)

    try:
        questions = next(plan)
        while True:
            questions = plan.send(lookup(questions))
    except StopIteration as stop:
        return asked, stop.value


def test_plans_side_by_side_ask_together() -> None:
    """Steps are shared, and a question that two ask at the same step is asked once."""
    assert steps(side_by_side([ask("a", "b"), ask("a", "c"), ask(), ask("b")])) == (
        ["ab", "bc"],
        ("ab", "ac", "", "b"),
    )


def test_no_plans() -> None:
    """Nothing is asked."""
    assert steps(side_by_side([])) == ([], ())


def test_one_plan_s_error_is_the_whole_s() -> None:
    """It is not swallowed."""

    def broken() -> Plan[str]:
        yield (Question("a.example", RRType.TXT),)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  # any
        complete(side_by_side([ask("a", "b"), broken()]), RESOLVER.lookup)


def test_warming_asks_all_at_once() -> None:
    """And makes nothing of it."""
    assert steps(warm(Question(f"{letter}.example", RRType.TXT) for letter in "abc")) == (["abc"], None)
