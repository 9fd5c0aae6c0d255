"""Where the walk stands: entities, open multiparts, and the part that is being passed over."""

from dataclasses import dataclass, field
from typing import Final

from filterd.mime.entity import Entity
from filterd.model.message import HeaderField


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entity stands: its buffer, its path ("" for the message itself) and how deep."""

    view: memoryview
    path: str
    depth: int


@dataclass(slots=True)
class Frame:
    """An open multipart."""

    path: str
    depth: int
    boundaries: tuple[bytes, ...]
    entity: Entity
    default: str
    start: int
    children: int = 0
    used: set[bytes] = field(default_factory=set)


@dataclass(slots=True)
class Leaf:
    """The part whose content is being passed over; `kind` as in Part."""

    path: str
    depth: int
    entity: Entity
    fields: tuple[HeaderField, ...]
    start: int
    kind: str = "body"
    odd: int = -1


TEXT: Final = Entity(("text/plain",))


def default_type(kind: str) -> str:
    """RFC 2046 5.1.5: in a digest a part is a message unless it says otherwise."""
    return "message/rfc822" if kind == "multipart/digest" else "text/plain"


def child_path(path: str, number: int) -> str:
    """The path of a child; 0 stands for what surrounds the children."""
    return f"{path}.{number}" if path else str(number)
