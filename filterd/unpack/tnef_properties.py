"""Lists of MAPI properties as TNEF writes them ([MS-OXTNEF], 2.1.3.4)."""

from dataclasses import dataclass
from typing import Final

MAX_PROPERTIES: Final = 10_000  # of one list
MAX_VALUES: Final = 10_000  # of one property
_FIXED: Final = {0x0002: 2, 0x0003: 4, 0x0004: 4, 0x0005: 8, 0x0006: 8, 0x0007: 8, 0x000A: 4, 0x000B: 2, 0x0014: 8}
_FIXED_MORE: Final = {0x0040: 8, 0x0048: 16}
_SIZES: Final = _FIXED | _FIXED_MORE
_VARIABLE: Final = frozenset({0x000D, 0x001E, 0x001F, 0x0102})
_UNICODE: Final = 0x1F
_MULTIPLE: Final = 0x1000
_NAMED: Final = 0x8000
_BY_NUMBER: Final = 0


@dataclass(frozen=True, slots=True)
class Property:
    """One value of one property."""

    number: int
    kind: int
    content: bytes

    def text(self) -> str:
        """The value as text."""
        return self.content.decode("utf-16-le" if self.kind == _UNICODE else "cp1252", "replace").rstrip("\0")


def read_properties(data: bytes) -> tuple[tuple[Property, ...], bool]:
    """Values of variable length, and whether all could be read."""
    count = int.from_bytes(data[:4], "little")
    position = 4
    found: list[Property] = []
    for _ in range(min(count, MAX_PROPERTIES)):
        if position + 4 > len(data):
            return tuple(found), False
        kind = int.from_bytes(data[position : position + 2], "little")
        number = int.from_bytes(data[position + 2 : position + 4], "little")
        position += 4
        if number >= _NAMED:
            position = _name(data, position)
        single = kind & ~_MULTIPLE
        if single in _SIZES and not kind & _MULTIPLE:
            position += max(4, _SIZES[single])
            continue
        values = int.from_bytes(data[position : position + 4], "little")
        position += 4
        if single in _SIZES:
            position += (values * _SIZES[single] + 3) & ~3
        elif single in _VARIABLE:
            position = _values(data, position, values, number, single, found)
        else:
            return tuple(found), False
    return tuple(found), count <= MAX_PROPERTIES and position <= len(data)


def _name(data: bytes, position: int) -> int:
    """Behind a property's name: a GUID, and a number or a text."""
    position += 16
    kind = int.from_bytes(data[position : position + 4], "little")
    if kind == _BY_NUMBER:
        return position + 8
    size = int.from_bytes(data[position + 4 : position + 8], "little")
    return position + 8 + ((size + 3) & ~3)


def _values(data: bytes, position: int, values: int, number: int, kind: int, found: list[Property]) -> int:
    """Values of variable length, each padded to four bytes; where the next property begins."""
    for _ in range(min(values, MAX_VALUES)):
        if position + 4 > len(data):
            return len(data) + 1
        size = int.from_bytes(data[position : position + 4], "little")
        found.append(Property(number, kind, data[position + 4 : position + 4 + size]))
        position += 4 + ((size + 3) & ~3)
    return position
