"""Ids say when they were made and with which random bytes."""

import pytest

from filterd.model.ids import is_id, new_id, public_id, randomness_of, sibling, siblings


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


@pytest.mark.parametrize("randomness", [bytes(10), b"\xff" * 10, bytes(range(10))])
def test_parts_of_a_message_have_ids_of_one_family(randomness: bytes) -> None:
    """Different ones, of the same moment, with the same part that a sender is told; the first is the message's."""
    identifier = new_id(1_700_000_000.123, randomness)
    family = [sibling(identifier, number) for number in range(100)]
    assert family[0] == identifier
    assert len(set(family)) == 100
    assert all(is_id(one) and siblings(one, identifier) and siblings(identifier, one) for one in family)
    assert {public_id(one) for one in family} == {public_id(identifier)}


def test_other_messages_are_no_siblings() -> None:
    """Of another moment, or with another public part."""
    identifier = new_id(1_700_000_000.123, bytes(10))
    for other in (new_id(1_700_000_000.124, bytes(10)), new_id(1_700_000_000.123, bytes(9) + b"\1")):
        assert not siblings(identifier, other)
