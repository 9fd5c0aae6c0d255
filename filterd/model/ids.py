"""Message ids: ULIDs (sortable by time, 128 bits), and the short form that an SMTP reply carries."""

import re
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS: Final = tuple([first + second for first in _ALPHABET for second in _ALPHABET])
_ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_PUBLIC: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{10}")
PUBLIC_LENGTH: Final = 10  # characters; 50 random bits
_TIME_LENGTH: Final = 10  # characters of the time


def new_id(now: float, randomness: bytes) -> str:
    """A ULID from epoch seconds and 10 random bytes."""
    value = (int(now * 1000) & ((1 << 48) - 1)) << 80 | int.from_bytes(randomness[:10], "big")
    pairs = [_PAIRS[value >> shift & 1023] for shift in range(115, -1, -10)]
    return _ALPHABET[value >> 125] + "".join(pairs) + _ALPHABET[value & 31]


def randomness_of(identifier: str) -> bytes:
    """The random bytes that an id was made with; ValueError where it is none."""
    if not is_id(identifier):
        raise ValueError("no id")
    value = 0
    for character in identifier[-16:]:
        value = value << 5 | _ALPHABET.index(character)
    return value.to_bytes(10, "big")


def sibling(identifier: str, number: int) -> str:
    """The id of the `number`-th part of what bears this one, 0 being itself: same time, same public part."""
    middle = 0
    for character in identifier[_TIME_LENGTH:-PUBLIC_LENGTH]:
        middle = middle << 5 | _ALPHABET.index(character)
    length = len(identifier) - PUBLIC_LENGTH - _TIME_LENGTH
    middle = (middle + number) % (1 << 5 * length)
    digits = [_ALPHABET[middle >> 5 * place & 31] for place in reversed(range(length))]
    return identifier[:_TIME_LENGTH] + "".join(digits) + identifier[-PUBLIC_LENGTH:]


def siblings(one: str, other: str) -> bool:
    """Whether two ids are of parts of the same."""
    return one[:_TIME_LENGTH] == other[:_TIME_LENGTH] and one[-PUBLIC_LENGTH:] == other[-PUBLIC_LENGTH:]


def is_id(text: str) -> bool:
    """True for a whole ULID in upper case and nothing else: checked before any path or SQL sees it."""
    return _ULID.fullmatch(text) is not None


def public_id(identifier: str) -> str:
    """The part of an id that the sender may see: random, without the time."""
    return identifier[-PUBLIC_LENGTH:]


def is_public_id(text: str) -> bool:
    """True for what `public_id` gives and nothing else."""
    return _PUBLIC.fullmatch(text) is not None
