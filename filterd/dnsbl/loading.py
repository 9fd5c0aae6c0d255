"""rules/dnsbl.toml: reading it, and saying by name what in it cannot be meant."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from filterd.config.fields import Section
from filterd.config.secrets import SecretError, read_secret, remember_label
from filterd.config.toml import ConfigError, read_model
from filterd.dnsbl.codes import MAX_OCTET, addresses_of, written_out
from filterd.dnsbl.keys import USUAL, parse_query
from filterd.dnsbl.zones import HASHES, MAX_TTL, MIN_TTL, Codes, Subject, Zone
from filterd.domains import normalise

KEY: Final = "{key}"
DAY: Final = 86_400  # seconds; no answer is kept longer
_SYMBOL = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_BITS: Final = frozenset(1 << shift for shift in range(8))
_Patterns: TypeAlias = dict[str, tuple[str, ...]]


class _List(Section):
    zone: str
    display: str = ""
    subjects: tuple[Subject, ...] = Field(min_length=1)
    enabled: bool = True
    key_file: Path | None = None
    query: str = USUAL
    codes: _Patterns = Field(default_factory=dict)
    codes_about: dict[Subject, _Patterns] = Field(default_factory=dict)
    bits: dict[str, int] = Field(default_factory=dict)
    bits_about: dict[Subject, dict[str, int]] = Field(default_factory=dict)
    refused: tuple[str, ...] = ()
    refused_bits: int = Field(default=0, ge=0, le=MAX_OCTET)
    ipv6: bool = False
    level: Literal["registrable", "host"] = "registrable"
    min_ttl: int = Field(default=MIN_TTL, ge=0, le=DAY)
    max_ttl: int = Field(default=MAX_TTL, ge=1, le=DAY)
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
        for symbol in _symbols(self):
            if _SYMBOL.fullmatch(symbol) is None:
                raise ValueError(f"{symbol}: expected a symbol in capitals, digits and underscores")
        declared = set(_declared("codes", self.codes))
        for subject, codes in self.codes_about.items():
            if not declared.issuperset(_declared(f"codes_about.{subject}", codes)):
                raise ValueError(f"codes_about.{subject}: expected addresses that codes declares")
        for pattern in self.refused:
            addresses_of(pattern)
        return self

    @model_validator(mode="after")
    def _masked(self) -> "_List":
        for bit in self.bits.values():
            if bit not in _BITS or bit & self.refused_bits:
                raise ValueError(f"bits: expected one bit of the last octet that does not mean refusal, got {bit}")
        for subject, bits in self.bits_about.items():
            if not set(self.bits.values()).issuperset(bits.values()):
                raise ValueError(f"bits_about.{subject}: expected bits that bits declares")
        return self

    @model_validator(mode="after")
    def _keyed(self) -> "_List":
        if KEY in self.zone and self.key_file is None:
            raise ValueError("expected key_file, as the zone holds {key}")
        if KEY in self.zone and not self.display:
            raise ValueError("expected display, as the zone holds a key that must not be shown")
        return self

    @model_validator(mode="after")
    def _asked(self) -> "_List":
        key, _ = parse_query(self.query)
        hashes = HASHES.intersection(self.subjects)
        if bool(key.digest) != bool(hashes) or (hashes and hashes != set(self.subjects)):
            raise ValueError("query: expected hashing steps in it where all subjects are hashes, and only there")
        if Subject.ATTACHMENT_HASH in hashes and (key.digest != "sha256" or key.texts):
            # It is the digest that the inspector has taken of each file; another one would be made up.
            raise ValueError("query: expected sha256 as its first step, the only hash that is taken of attachments")
        if self.min_ttl > self.max_ttl:
            raise ValueError(f"min_ttl: expected at most max_ttl = {self.max_ttl}, got {self.min_ttl}")
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


def load_zones(path: Path, *, disabled: bool = False) -> tuple[Zone, ...]:
    """The lists in use, with `disabled` the others too. ConfigError names file, line and key of what is wrong."""
    content = read_model(path, _File)
    return tuple(_zone(path, name, entry) for name, entry in content.lists.items() if entry.enabled or disabled)


def _symbols(entry: _List) -> Iterator[str]:
    for codes in (entry.codes, *entry.codes_about.values()):
        yield from codes
    for bits in (entry.bits, *entry.bits_about.values()):
        yield from bits


def _declared(key: str, codes: _Patterns) -> list[str]:
    try:
        return written_out(pattern for patterns in codes.values() for pattern in patterns)
    except ValueError as problem:
        raise ValueError(f"{key}: {problem}") from None


def _zone(path: Path, name: str, entry: _List) -> Zone:
    key, between = parse_query(entry.query)
    return Zone(
        name=name,
        zone=".".join(filter(None, [between, _suffix(path, name, entry)])),
        display=entry.display or entry.zone,
        subjects=frozenset(entry.subjects),
        codes=_table(entry.codes),
        bits=_masks(entry.bits),
        refused=frozenset(address for pattern in entry.refused for address in addresses_of(pattern)),
        refused_bits=entry.refused_bits,
        ipv6=entry.ipv6,
        level=entry.level,
        listed=entry.listed,
        unlisted=entry.unlisted,
        key=key,
        codes_about=MappingProxyType({subject: _table(codes) for subject, codes in entry.codes_about.items()}),
        bits_about=MappingProxyType({subject: _masks(bits) for subject, bits in entry.bits_about.items()}),
        min_ttl=entry.min_ttl,
        max_ttl=entry.max_ttl,
    )


def _suffix(path: Path, name: str, entry: _List) -> str:
    """The zone with the key in it, where the list is in use."""
    zone = entry.zone
    if entry.key_file is not None and entry.enabled:
        try:
            key = read_secret(entry.key_file)
            remember_label(key)
            zone = zone.replace(KEY, key)
        except SecretError as problem:
            raise ConfigError(f"{path}: [lists] {name}.key_file: {problem}") from None
        if normalise(zone) is None:
            raise ConfigError(f"{path}: [lists] {name}.key_file: expected a key that can stand in a domain name")
    return zone.lower()


def _table(codes: Mapping[str, tuple[str, ...]]) -> Codes:
    return MappingProxyType(
        {address: symbol for symbol, patterns in codes.items() for address in written_out(patterns)}
    )


def _masks(bits: Mapping[str, int]) -> tuple[tuple[int, str], ...]:
    return tuple((bit, symbol) for symbol, bit in bits.items())
