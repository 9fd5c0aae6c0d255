"""Ids say when they were made and with which random bytes."""

import pytest

from filterd.model.ids import new_id, randomness_of


@pytest.mark.parametrize("randomness", [bytes(10), b"\xff" * 10, bytes(range(10))])
def test_an_id_can_be_made_again(randomness: bytes) -> None:
    """A replayed message bears the id that it had."""
    identifier = new_id(1_700_000_000.123, randomness)
    assert randomness_of(identifier) == randomness
    assert new_id(1_700_000_000.123, randomness_of(identifier)) == identifier


@pytest.mark.parametrize("text", ["", "x", "0" * 25, "U" * 26])
def test_what_is_no_id_has_none(text: str) -> None:
    """ValueError, before anything is computed."""
    with pytest.raises(ValueError, match="no id"):
        randomness_of(text)
