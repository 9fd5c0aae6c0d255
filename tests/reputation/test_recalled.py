"""What was told of a sender is told again, and nothing else."""

import pytest

from filterd.reputation import (
    FIRST_CONTACT,
    Known,
    RecalledMemory,
    Record,
    domain_key,
    known_text,
    people_note,
    record_text,
    standing_note,
)
from filterd.reputation.recalled import NOT_AT_HAND, known_of, record_of

RECORD = Record(700, 1 << 40, 8, 82_000, 16, 0)
KNOWN = Known(frozenset({"a" * 16}), frozenset({"b" * 16, "c" * 16}))
ADDRESS = "anna@sender.test"


def _memory(state: dict[str, str]) -> tuple[RecalledMemory, dict[str, None]]:
    missing: dict[str, None] = {}
    return RecalledMemory(state, missing, ours=lambda _: False), missing


def test_what_was_read_is_read_again() -> None:
    """Counts, acquaintances, standings and first contact, as they were; nothing is missing."""
    key = domain_key("sender.test")
    state = {
        key: record_text(RECORD),
        people_note(ADDRESS): known_text(KNOWN),
        standing_note("sender.test"): str(True),
        FIRST_CONTACT: "false",
    }
    memory, missing = _memory(state)
    assert (memory.record(key), memory.people.known(ADDRESS)) == (RECORD, KNOWN)
    assert (memory.in_good_standing("sender.test", 0.0), memory.first_contact(ADDRESS, 0.0)) == (True, False)
    assert missing == {}


def test_what_was_not_at_hand_is_not_at_hand_again() -> None:
    """A store that was silent then is silent now, and that is no gap in the record."""
    key = domain_key("sender.test")
    memory, missing = _memory(
        {key: record_text(None), people_note(ADDRESS): known_text(None), FIRST_CONTACT: "unknown"}
    )
    assert (memory.record(key), memory.people.known(ADDRESS), memory.first_contact(ADDRESS, 0.0)) == (None, None, None)
    assert missing == {}


def test_what_was_not_asked_is_missing() -> None:
    """Named once, by its key."""
    memory, missing = _memory({})
    for _ in range(2):
        assert memory.record("reputation:d:x") is None
    assert memory.in_good_standing("sender.test", 0.0) is False
    assert list(missing) == ["reputation:d:x", standing_note("sender.test")]


@pytest.mark.parametrize("text", ["", NOT_AT_HAND, "1 2 3", "1 2 3 4 5 x", "1 2 3 4 5 -6", "\u0661 2 3 4 5 6"])
def test_a_text_that_is_no_record_is_none(text: str) -> None:
    """Evidence that somebody has changed does not crash a replay."""
    assert record_of(text) is None
    assert known_of(text) is None
