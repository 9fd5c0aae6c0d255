"""The order in which lessons are learnt."""

import random

from filterd.classifier.order import mixed, point


def test_points_lie_a_tenth_apart() -> None:
    """Never more than a tenth of all has not been mixed, and what is mixed is so for as long as it can be."""
    assert [point(count) for count in range(16)] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 12, 12, 14, 14]
    for count in range(1, 5_000):
        assert point(count) <= count <= point(count) / 0.9 + 1
        assert point(point(count)) == point(count)


def test_kinds_are_spread_evenly() -> None:
    """However many there are of each, a part of the order has its share of both."""
    entries = [(number, random.Random(number).randbytes(8), number < 30) for number in range(120)]
    order = mixed(entries)
    assert sorted(order) == list(range(120))
    assert [sum(number < 30 for number in order[start : start + 12]) for start in range(0, 120, 12)] == [3] * 10


def test_the_order_is_that_of_the_digests() -> None:
    """In which order they came, and under which numbers, makes no difference."""
    digests = [random.Random(number).randbytes(8) for number in range(40)]
    one = mixed([(number, digest, number % 3 == 0) for number, digest in enumerate(digests)])
    two = mixed([(number + 7, digest, number % 3 == 0) for number, digest in reversed(list(enumerate(digests)))])
    assert [number + 7 for number in one] == two


def test_one_kind_alone() -> None:
    """With nothing to mix it with it comes in its order; nothing is nothing."""
    assert mixed([(1, b"b", True), (2, b"a", True)]) == [2, 1]
    assert mixed([]) == []
