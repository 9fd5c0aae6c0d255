"""Expressions over symbols. Invariant: any text is an expression, or ExpressionError names a place in it.

What is an expression is false where nothing was found, and no symbol that only stands behind "!" makes it true.
"""

from typing import Final

import pytest

from filterd.score.composites import Composite, arrange
from filterd.score.expressions import MAX_LENGTH, Expression, ExpressionError, parse
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

SEEDS: Final = (
    b"SPF_FAIL & (FROM_SPOOF | HTML_FORM) & !KNOWN",
    b"count(AA, BB & CC, !DD) >= 2 | any(EE, all(FF, GG))",
    b"AA",
    b"AA & !(BB & !(CC | !DD)) | EE",
)
TOKENS: Final = (
    b"&", b"|", b"!", b"(", b")", b",", b">=", b">", b" ", b"any(", b"all(", b"count(", b"0", b"1", b"2", b"9" * 20,
    b"AA", b"BB", b"_", b"a", b"\xc3\xa9", b"\0", b"\n", b"!" * 20, b"(" * 20, b"A" * 300,
)  # fmt: skip


def check(data: bytes) -> None:
    """The invariant over one text."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        found = parse(text)
    except ExpressionError as error:
        refused = error
    else:
        accepted(text, found)
        return
    assert 1 <= refused.position <= min(len(text), MAX_LENGTH) + 1
    assert str(refused).isprintable()


def accepted(text: str, found: Expression) -> None:
    """What holds for an expression."""
    places = list(found.places())
    assert all(text[place.position - 1 :].startswith(place.symbol) for place in places)
    positive = {place.symbol for place in places if place.positive}
    assert not found.holds({place.symbol for place in places} - positive)
    made = arrange([Composite("", found)])
    for step in (1, 2, 3):
        present = {place.symbol for place in places[::step]}
        assert bool(made.found(present)) is found.holds(present)


def test_any_text() -> None:
    """The invariant over mutants."""
    fuzz(Target("expressions", check, SEEDS, TOKENS, runs=2_000, largest=3_000))


@pytest.mark.parametrize("pattern", [b"(", b"!", b"AA&", b"AA|", b"any(", b"AA,", b"A", b" ", b"1"], ids=repr)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """What is nested, long or never ends costs time by its length."""

    def work(data: bytes) -> None:
        try:
            parse(data.decode()[:MAX_LENGTH])
        except ExpressionError:
            return

    assert_linear(work, fill(pattern, b"A"), 800)
