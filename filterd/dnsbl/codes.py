"""Addresses by which lists answer, as they are written in rules/dnsbl.toml."""

import re
from collections.abc import Iterable, Iterator
from itertools import product
from math import prod
from typing import Final

MAX_OCTET: Final = 255
MAX_CODES: Final = 4096  # addresses one list may declare, ranges written out
_OCTET = r"([0-9]{1,3}(?:-[0-9]{1,3})?)"
_CODE = re.compile(rf"127\.{_OCTET}\.{_OCTET}\.{_OCTET}")


def addresses_of(pattern: str) -> Iterator[str]:
    """127.0.0.2, 127.0.0.4-7 or 127.0.2-20.1 written out: each octet a number or a range. ValueError otherwise."""
    found = _CODE.fullmatch(pattern)
    if found is None:
        raise ValueError(f"expected 127.0.0.2, 127.0.0.4-7 or 127.0.2-20.1, got {pattern!r}")
    ranges = [part.partition("-") for part in found.groups()]
    octets = [range(int(first), int(last or first) + 1) for first, _, last in ranges]
    if not all(octets) or max(octet.stop for octet in octets) > MAX_OCTET + 1:
        raise ValueError(f"expected octets from 0 to {MAX_OCTET}, got {pattern!r}")
    if prod(map(len, octets)) > MAX_CODES:
        raise ValueError(f"expected at most {MAX_CODES} addresses, got {pattern!r}")
    return (f"127.{b}.{c}.{d}" for b, c, d in product(*octets))


def written_out(patterns: Iterable[str]) -> list[str]:
    """All addresses of several patterns. ValueError where one is none, two name the same, or they are too many."""
    found = [address for pattern in patterns for address in addresses_of(pattern)]
    if len(found) > MAX_CODES or len(found) != len(set(found)):
        raise ValueError(f"expected at most {MAX_CODES} addresses, each declared once")
    return found
