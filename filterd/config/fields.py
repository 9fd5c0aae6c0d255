"""How the models declare a key: its default, its meaning and its unit in one place."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator

from filterd.config.listen import parse_listen
from filterd.model.identity import EXAMPLES, Identity

Network: TypeAlias = IPv4Network | IPv6Network


class Section(BaseModel):
    """A table of filterd.toml: frozen, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def key(default: Any, description: str, unit: str = "", **constraints: Any) -> Any:
    """A key with its meaning and unit; `constraints` are pydantic's (ge, gt, le, min_length)."""
    return Field(default, description=description, json_schema_extra={"unit": unit}, **constraints)


def _network(value: object) -> object:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if not isinstance(value, str):
        raise ValueError('expected a network such as "192.0.2.0/24" or an address')  # noqa: TRY004  # pydantic reads ValueError
    try:
        return ip_network(value)
    except ValueError as problem:
        raise ValueError(f'expected a network such as "192.0.2.0/24": {problem}') from None


def _listen(value: object) -> object:
    if isinstance(value, str):
        parse_listen(value)
    return value


def _path(value: object) -> object:
    # Strict JSON takes any string as a path: the empty one would silently mean the working directory.
    if value == "":
        raise ValueError("expected a path, got an empty string")
    return value


def _identity(value: object) -> object:
    if isinstance(value, Identity):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected an entry such as {EXAMPLES}")  # noqa: TRY004  # pydantic reads ValueError
    return Identity.parse(value)


IdentityField = Annotated[Identity, PlainValidator(_identity), PlainSerializer(str)]
NetworkField = Annotated[Network, PlainValidator(_network), PlainSerializer(str)]
ListenField = Annotated[str, BeforeValidator(_listen)]
PathField = Annotated[Path, BeforeValidator(_path)]
