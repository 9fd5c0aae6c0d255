from itertools import product

import pytest

from filterd.score.expressions import MAX_DEPTH, MAX_LENGTH, MAX_NAMES, ExpressionError, Place, parse

NAMES = ("AA", "BB", "CC")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("AA", lambda v: v[0]),
        ("AA & BB", lambda v: v[0] and v[1]),
        ("AA & !BB", lambda v: v[0] and not v[1]),
        ("AA | BB & CC", lambda v: v[0] or (v[1] and v[2])),
        ("(AA|BB)&CC", lambda v: (v[0] or v[1]) and v[2]),
        ("AA & !(BB & CC)", lambda v: v[0] and not (v[1] and v[2])),
        ("AA & !!BB", lambda v: v[0] and v[1]),
        ("any(AA, BB & CC)", lambda v: v[0] or (v[1] and v[2])),
        ("all(AA, any(BB, CC))", lambda v: v[0] and (v[1] or v[2])),
        ("count(AA, BB, CC) >= 2", lambda v: v[0] + v[1] + v[2] >= 2),
        ("!count(AA,!BB,CC)>=2&CC", lambda v: not v[0] + (not v[1]) + v[2] >= 2 and v[2]),
    ],
)
def test_what_an_expression_means(text: str, meaning: object) -> None:
    """For every set of three symbols."""
    assert callable(meaning)
    found = parse(text)
    for values in product((False, True), repeat=3):
        present = {name for name, value in zip(NAMES, values, strict=True) if value}
        assert found.holds(present) is bool(meaning(values)), present


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'at 1: expected a symbol, "!", "(", any, all or count, got the end'),
        ("AA &", 'at 5: expected a symbol, "!", "(", any, all or count, got the end'),
        ("AA BB", 'at 4: expected "&", "|" or the end, got \'BB\''),
        ("(AA", 'at 4: expected ")", got the end'),
        ("AA & bb", 'at 6: expected a symbol, "!", "(", any, all or count, got \'bb\''),
        ("AA && BB", 'at 5: expected a symbol, "!", "(", any, all or count, got \'&\''),
        ("any AA", "at 5: expected \"(\", got 'AA'"),
        ("any()", 'at 5: expected a symbol, "!", "(", any, all or count, got \')\''),
        ("count(AA, BB)", 'at 14: expected ">=", got the end'),
        ("count(AA, BB) >= 3", "at 18: expected a number from 1 to 2, got '3'"),
        ("count(AA) >= 0", "at 14: expected a number from 1 to 1, got '0'"),
        ("AA & \x00", 'at 6: expected a symbol, "!", "(", any, all or count, got \'\\x00\''),
        ("!AA", "at 1: holds for a message in which nothing was found: begin it with a symbol that must be"),
        ("AA | !BB", "at 1: holds for a message in which nothing was found: begin it with a symbol that must be"),
        ("(" * 40 + "AA", f"at {MAX_DEPTH + 1}: expected at most {MAX_DEPTH} levels"),
        ("!" * 40 + "AA", f"at {MAX_DEPTH + 1}: expected at most {MAX_DEPTH} levels"),
        ("&".join(["AA"] * (MAX_NAMES + 1)), f"at {MAX_NAMES * 3 + 1}: expected at most {MAX_NAMES} symbols"),
        (
            "A" * (MAX_LENGTH + 1),
            f"at {MAX_LENGTH + 1}: expected at most {MAX_LENGTH} characters, got {MAX_LENGTH + 1}",
        ),
    ],
)
def test_where_it_is_none(text: str, problem: str) -> None:
    """The place, counted from 1, and what was expected there."""
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert str(caught.value) == problem


def test_places() -> None:
    """Where symbols stand, and whether being found speaks for the expression."""
    assert list(parse("AA & !(BB | !CC)").places()) == [
        Place("AA", 1, positive=True),
        Place("BB", 8, positive=False),
        Place("CC", 14, positive=True),
    ]
