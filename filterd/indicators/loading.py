"""rules/indicators.toml: reading it, and saying by name what in it cannot be meant."""

import re
from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Final

from pydantic import Field, field_validator, model_validator

from filterd.config.fields import Section
from filterd.config.toml import SHOWN, read_model
from filterd.domains import normalise, normalise_address
from filterd.domains.urls import parse_url, place_of
from filterd.indicators.entries import Entry, Indicators, Kind
from filterd.indicators.forms import address_form

MAX_REASON: Final = 100  # characters; with name and owner it is evidence, which has 200
MAX_OWNER: Final = 40  # characters
MAX_VALUE: Final = 2_000  # characters; of a link no more is read, either
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\S[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_EMPTY: Final = sha256(b"").hexdigest()
_EXPECTED: Final = {
    Kind.FILE: "a SHA-256 in 64 hexadecimal digits",
    Kind.URL: "a link such as https://host.example/path",
    Kind.HOST: "a host such as host.example, or .host.example for it and all below",
    Kind.ADDRESS: "an e-mail address such as anna@host.example",
}


class _Entry(Section):
    kind: Kind
    values: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(max_length=MAX_REASON, pattern=_LINE)
    owner: str = Field(max_length=MAX_OWNER, pattern=_LINE)
    expires: date

    @model_validator(mode="after")
    def _meant(self) -> "_Entry":
        for value in self.values:
            if not normal(self.kind, value):
                shown = repr(value if len(value) <= SHOWN else value[:SHOWN] + "...")
                raise ValueError(f"values: expected {_EXPECTED[self.kind]}, got {shown}")
        if self.kind is Kind.FILE and _EMPTY in map(str.lower, self.values):
            raise ValueError("values: expected a file with bytes in it: this is the SHA-256 of every empty one")
        return self


class _File(Section):
    indicators: dict[str, _Entry] = Field(default_factory=dict)

    @field_validator("indicators")
    @classmethod
    def _named(cls, value: dict[str, _Entry]) -> dict[str, _Entry]:
        for name in value:
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"{name}: expected a name of at most 40 small letters, digits and hyphens")
        return value


def load_indicators(path: Path) -> Indicators:
    """The operator's list; nothing where there is no such file. ConfigError names file, line and key."""
    if not path.exists():
        return Indicators()
    content = read_model(path, _File)
    entries = [
        Entry(name, row.kind, _normals(row.kind, row.values), row.reason, row.owner, row.expires)
        for name, row in content.indicators.items()
    ]
    links = [value for row in content.indicators.values() if row.kind is Kind.URL for value in row.values]
    return Indicators(entries, [url.host for url in map(parse_url, links) if url is not None])


def normal(kind: Kind, value: str) -> str:
    """The value in the form that is compared; empty where it is none of that kind."""
    if len(value) > MAX_VALUE:
        return ""
    if kind is Kind.FILE:
        digest = value.lower()
        return digest if _SHA256.fullmatch(digest) else ""
    if kind is Kind.URL:
        url = parse_url(value)
        return "" if url is None else place_of(url)
    if kind is Kind.ADDRESS:
        return address_form(value)
    name = normalise(value.removeprefix("."))
    if name is None or "." not in name:
        return normalise_address(value)
    return f".{name}" if value[:1] == "." else name


def _normals(kind: Kind, values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([normal(kind, value) for value in values]))
