"""The mail of the soak: repeatable, as hostile as promised, and nothing that Postfix would change by itself."""

from collections import Counter

from tests.soak.mix import HOSTILE, SHARES, Mix

MIX = Mix(None, 1)
NUMBERS = range(2_000)


def test_repeatable() -> None:
    """The same number is the same message, of the same kind in every run; another is another."""
    again = Mix(None, 1)
    assert [again.item(number).kind for number in NUMBERS] == [MIX.item(number).kind for number in NUMBERS]
    assert [MIX.item(number) for number in NUMBERS] == [MIX.item(number) for number in NUMBERS]
    assert len({MIX.item(number).data for number in NUMBERS}) == len(NUMBERS)


def test_hostile() -> None:
    """A fifth is hostile, and every kind comes."""
    kinds = Counter(MIX.item(number).kind for number in NUMBERS)
    assert sum(SHARES.values()) == 1_000
    assert set(kinds) == set(SHARES)
    assert sum(SHARES[kind] for kind in HOSTILE) == 200


def test_lines() -> None:
    """Every line ends in CRLF, also the last, and none has a NUL: what arrives can be compared byte for byte."""
    for number in NUMBERS:
        data = MIX.item(number).data
        assert data.count(b"\n") == data.count(b"\r") == data.count(b"\r\n")
        assert data.endswith(b"\r\n")
        assert b"\0" not in data
