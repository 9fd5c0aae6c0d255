"""What is alike comes together, what is not stays apart, whatever the order and the number."""

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

import pytest

from filterd.inspection import likeness as sketching
from filterd.inspection.likeness import likeness
from filterd.operations.likeness import EMPTY, SIMILAR, Sketch, alike, groups
from tests.support.growth import LINEAR, growth

Brings: TypeAlias = tuple[str, tuple[str, ...], tuple[str, ...]]  # a subject, hosts, files
WORDS = [f"{a}{b}{c}" for a in "bcdfg" for b in "aeiou" for c in "lmnrst"]


def text(seed: int, count: int = 120) -> list[str]:
    """Words that nobody else says in that order."""
    return random.Random(seed).choices(WORDS, k=count)


def sketch(words: Sequence[str]) -> Sketch:
    """Of a message with that text."""
    return likeness("", " ".join(words), (), ())


def test_empty_means_the_same_on_both_sides() -> None:
    """The inspector that makes sketches and the command that compares them are of different layers."""
    assert EMPTY == sketching.EMPTY


def test_what_differs_by_the_recipient_is_alike() -> None:
    """Names, numbers, addresses and tokens that are made for one recipient change little or nothing."""
    words = text(1)
    one = ["Dear", "Anna", *words, "Order", "4711", "http://x.test/u/83jd9", "aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8"]
    other = ["Dear", "Bob", *words, "Order", "23", "http://x.test/u/p20sk", "bm90aGluZyBhdCBhbGwgaGVyZSBtb3ZlIG9u"]
    assert alike(sketch(one), sketch(other)) > 0.9
    assert sketch([*words, "Order", "1"]) == sketch([*words, "Order", "22"])


def test_other_texts_are_not_alike() -> None:
    """Though they use the same words."""
    assert max(alike(sketch(text(1)), sketch(text(seed))) for seed in range(2, 30)) < SIMILAR / 2


def test_nothing_is_like_nothing() -> None:
    """Of empty messages nobody knows what they have in common."""
    assert groups([sketch([]), sketch([])]) == [[0], [1]]
    assert groups([(), ()]) == [[0], [1]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("", ("evil.test",), ()), ("", ("good.test",), ())),
        (("", (), ("ab",)), ("", (), ("cd",))),
        (("Your invoice is here", (), ()), ("Minutes of last Monday", (), ())),
    ],
)
def test_short_messages_are_told_by_what_they_bring(one: Brings, other: Brings) -> None:
    """A sentence that many say does not make a campaign; where it leads, and what is attached, does."""
    first, again, second = (likeness(what[0], "see attached", what[1], what[2]) for what in (one, one, other))
    assert alike(first, again) == 1.0
    assert alike(first, second) < SIMILAR


def test_groups_keep_their_order() -> None:
    """A group begins where its first message stands; a message that is like no other is a group of its own."""
    a, b, c = (text(seed) for seed in (1, 2, 3))
    found = groups([sketch(a), sketch(b), sketch([*a, "new"]), sketch(c), sketch([*b, "new"]), sketch([*a, "newer"])])
    assert found == [[0, 2, 5], [1, 4], [3]]


def test_grouping_grows_with_the_number() -> None:
    """Messages that are all alike, the worst there is: twice as many take twice as long."""

    def build(count: int) -> Callable[[], object]:
        sketches = [sketch([*text(1), f"w{number}"]) for number in range(count)]
        return lambda: groups(sketches)

    assert growth(build, 500) <= LINEAR


@pytest.mark.parametrize("piece", ["word ", "a@", "7", "x" * 30, "\u0300", "é1 "])
def test_a_sketch_grows_with_the_text(piece: str) -> None:
    """Whatever the text is made of, up to the bound and beyond."""

    def build(count: int) -> Callable[[], object]:
        return lambda: likeness(piece * 20, piece * count, (), ())

    assert growth(build, 4_000) <= LINEAR
