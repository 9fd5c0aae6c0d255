"""rules/dnsbl.toml: the lists, their codes and what they may be asked about."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from filterd.config.fields import Section
from filterd.config.secrets import SecretError, read_secret
from filterd.config.toml import ConfigError, read_model
from filterd.domains import normalise

MAX_OCTET: Final = 255
MAX_CODES: Final = 4096  # addresses one list may declare, ranges written out
KEY: Final = "{key}"
_OCTET = r"([0-9]{1,3}(?:-[0-9]{1,3})?)"
_CODE = re.compile(rf"127\.{_OCTET}\.{_OCTET}\.{_OCTET}")
_SYMBOL = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Subject(StrEnum):
    """What a list can be asked about."""

    CLIENT = "client"
    HELO = "helo"
    SENDER_DOMAIN = "sender_domain"
    FROM_DOMAIN = "from_domain"
    URL_HOST = "url_host"


@dataclass(frozen=True, slots=True)
class Zone:
    """One list. `codes` maps declared addresses to symbols, `bits` masks of the last octet; a list has either.

    `zone` may hold a key and is never shown; `refused` are addresses by which the list says that it will not answer.
    """

    name: str
    zone: str = field(repr=False)
    display: str
    subjects: frozenset[Subject]
    codes: Mapping[str, str] = field(default_factory=dict)
    bits: tuple[tuple[int, str], ...] = ()
    refused: frozenset[str] = frozenset()
    refused_bits: int = 0
    ipv6: bool = False
    level: Literal["registrable", "host"] = "registrable"
    listed: str = ""
    unlisted: str = ""

    @property
    def symbols(self) -> frozenset[str]:
        """Every symbol its answers can mean."""
        return frozenset(self.codes.values()) | {symbol for _, symbol in self.bits}


class _List(Section):
    zone: str
    display: str = ""
    subjects: tuple[Subject, ...] = Field(min_length=1)
    enabled: bool = True
    key_file: Path | None = None
    codes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    bits: dict[str, int] = Field(default_factory=dict)
    refused: tuple[str, ...] = ()
    refused_bits: int = Field(default=0, ge=0, le=MAX_OCTET)
    ipv6: bool = False
    level: Literal["registrable", "host"] = "registrable"
    listed: str = ""
    unlisted: str = ""
    comment: str = ""

    @field_validator("zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if normalise(value.replace(KEY, "key")) is None:
            raise ValueError("expected a domain name, with {key} where a paid list has its key")
        return value

    @model_validator(mode="after")
    def _declared(self) -> "_List":
        if bool(self.codes) == bool(self.bits):
            raise ValueError("expected either codes or bits")
        for symbol in (*self.codes, *self.bits):
            if _SYMBOL.fullmatch(symbol) is None:
                raise ValueError(f"{symbol}: expected a symbol in capitals, digits and underscores")
        declared = [
            address for patterns in self.codes.values() for pattern in patterns for address in addresses_of(pattern)
        ]
        if len(declared) > MAX_CODES or len(declared) != len(set(declared)):
            raise ValueError(f"codes: expected at most {MAX_CODES} addresses, each declared once")
        for bit in self.bits.values():
            if bit not in _BITS or bit & self.refused_bits:
                raise ValueError(f"bits: expected one bit of the last octet that does not mean refusal, got {bit}")
        for pattern in self.refused:
            addresses_of(pattern)
        return self

    @model_validator(mode="after")
    def _keyed(self) -> "_List":
        if KEY in self.zone and self.key_file is None:
            raise ValueError("expected key_file, as the zone holds {key}")
        if KEY in self.zone and not self.display:
            raise ValueError("expected display, as the zone holds a key that must not be shown")
        return self


class _File(Section):
    lists: dict[str, _List]

    @field_validator("lists")
    @classmethod
    def _named(cls, value: dict[str, _List]) -> dict[str, _List]:
        for name in value:
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"{name}: expected a name in small letters, digits and hyphens")
        return value


_BITS: Final = frozenset(1 << shift for shift in range(8))


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


def load_zones(path: Path, *, disabled: bool = False) -> tuple[Zone, ...]:
    """The lists in use, with `disabled` the others too. ConfigError names file, line and key of what is wrong."""
    content = read_model(path, _File)
    return tuple(_zone(path, name, entry) for name, entry in content.lists.items() if entry.enabled or disabled)


def _zone(path: Path, name: str, entry: _List) -> Zone:
    zone = entry.zone
    if entry.key_file is not None and entry.enabled:
        try:
            zone = zone.replace(KEY, read_secret(entry.key_file))
        except SecretError as problem:
            raise ConfigError(f"{path}: [lists] {name}.key_file: {problem}") from None
        if normalise(zone) is None:
            raise ConfigError(f"{path}: [lists] {name}.key_file: expected a key that can stand in a domain name")
    return Zone(
        name=name,
        zone=zone.lower(),
        display=entry.display or entry.zone,
        subjects=frozenset(entry.subjects),
        codes=MappingProxyType(
            {
                address: symbol
                for symbol, patterns in entry.codes.items()
                for p in patterns
                for address in addresses_of(p)
            }
        ),
        bits=tuple((bit, symbol) for symbol, bit in entry.bits.items()),
        refused=frozenset(address for pattern in entry.refused for address in addresses_of(pattern)),
        refused_bits=entry.refused_bits,
        ipv6=entry.ipv6,
        level=entry.level,
        listed=entry.listed,
        unlisted=entry.unlisted,
    )
