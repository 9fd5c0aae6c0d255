"""What an entry means at a later time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.greylist.entries import Entry, State, Times, best, state

TIMES = Times(delay=300, window=86_400, lifetime=30 * 86_400)
NOW = 1_700_000_000


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0, State.EARLY),
        (299, State.EARLY),
        (300, State.RETURNED),
        (86_400, State.RETURNED),
        (86_401, State.NEW),
        (-299, State.EARLY),  # a node whose clock is ahead
        (-301, State.NEW),
    ],
)
def test_a_first_attempt(age: int, expected: State) -> None:
    """A retry passes between delay and window; outside of that it is early, or a first attempt again."""
    assert state(Entry(NOW - age), NOW, TIMES) is expected


@pytest.mark.parametrize(("age", "expected"), [(0, State.KNOWN), (30 * 86_400, State.KNOWN), (2_592_001, State.NEW)])
def test_one_that_came_back(age: int, expected: State) -> None:
    """Is known for a lifetime after its last message, however long ago it began."""
    assert state(Entry(1, 400, NOW - age), NOW, TIMES) is expected


def test_nothing_is_new() -> None:
    """Nobody was here."""
    assert state(None, NOW, TIMES) is State.NEW


def test_passing() -> None:
    """When it came back first stays, when last moves."""
    assert Entry(100).passed(400) == Entry(100, 400, 400)
    assert Entry(100, 400, 400).passed(900) == Entry(100, 400, 900)


@given(st.integers(0, 10**12 - 1), st.integers(0, 10**12 - 1), st.integers(0, 10**12 - 1))
def test_written_and_read(first: int, returned: int, last: int) -> None:
    """What is written is read."""
    assert Entry.read(bytes(Entry(first, returned, last))) == Entry(first, returned, last)


@given(st.binary(max_size=60) | st.from_regex(rb"[0-9 -]{0,40}"))
def test_any_value_is_read(value: bytes) -> None:
    """What others have written is no entry, or one of numbers; never an error."""
    found = Entry.read(value)
    assert found is None or state(found, NOW, TIMES) in State


def test_the_best_counts() -> None:
    """Of several entries the one that is worth most, and of equals the oldest; none is new."""
    early, older, known = Entry(NOW - 10), Entry(NOW - 20), Entry(NOW - 900, NOW - 500, NOW - 5)
    assert best([None, early, None, older], NOW, TIMES) == (State.EARLY, older)
    assert best([early, known, older], NOW, TIMES) == (State.KNOWN, known)
    assert best([None, None], NOW, TIMES) == (State.NEW, None)
