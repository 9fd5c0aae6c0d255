"""Which fields make up the chain (RFC 8617, section 5.2, steps 1 to 3)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from filterd.dkim.prepare import SignedHeader
from filterd.dkim.signature import MAX_FIELD, Refused, read_tags
from filterd.dkim.tags import TagError
from filterd.model.message import HeaderField

MAX_SETS: Final = 50  # RFC 8617, section 4.2.1: the highest instance

RESULTS: Final = b"arc-authentication-results"
MESSAGE: Final = b"arc-message-signature"
SEAL: Final = b"arc-seal"

_POSITION: Final = re.compile(rb"[0-9]{1,2}")
# RFC 8617, section 4.1.1: the instance stands before all else.
_PREFIX: Final = re.compile(rb"[ \t\r\n]*+i[ \t\r\n]*+=[ \t\r\n]*+([0-9]{1,2})[ \t\r\n]*+;")


class BrokenChain(ValueError):  # noqa: N818  # an outcome, not an error of ours
    """The chain fails whatever its keys are; `instance` is the highest one as far as it is known."""

    def __init__(self, reason: str, instance: int = 0) -> None:
        """`reason` is ours, never text of the message."""
        super().__init__(reason)
        self.reason = reason
        self.instance = instance


@dataclass(frozen=True, slots=True)
class ArcSet:
    """One set: where its three fields stand in the header, and the tags of the two that have some."""

    instance: int
    results: int
    message: int
    seal: int
    message_tags: dict[bytes, bytes]
    seal_tags: dict[bytes, bytes]


class _Field(NamedTuple):
    place: int
    tags: dict[bytes, bytes]


def has_sets(fields: Sequence[HeaderField]) -> bool:
    """Whether anything in this header may belong to a chain; cheap, as most mail has none."""
    return any(name[:4].lower() == b"arc-" for name, _ in fields)


def collect(header: SignedHeader, fields: Sequence[HeaderField]) -> list[ArcSet]:
    """The sets from the oldest to the newest, none where there are none; BrokenChain where they form no chain."""
    places = [header.places(name) for name in (RESULTS, MESSAGE, SEAL)]
    if not any(places):
        return []
    # Step 1: counted before any of them is read.
    if max(len(each) for each in places) > MAX_SETS:
        raise BrokenChain(f"more than {MAX_SETS} sets")
    results = _by_instance("ARC-Authentication-Results", fields, places[0], _results)
    messages = _by_instance("ARC-Message-Signature", fields, places[1], read_tags)
    seals = _by_instance("ARC-Seal", fields, places[2], read_tags)
    last = max([*results, *messages, *seals])
    # Step 2; a chain that was closed says so itself, in whatever state it is otherwise.
    if last in seals and seals[last].tags.get(b"cv") == b"fail":
        raise BrokenChain("the last sealer found the chain broken", last)
    # Step 3: one of each in every set, from 1 up without a gap.
    for instance in range(1, last + 1):
        if not (instance in results and instance in messages and instance in seals):
            raise BrokenChain(f"set {instance} is not complete", last)
        if seals[instance].tags.get(b"cv") != (b"none" if instance == 1 else b"pass"):
            raise BrokenChain(f"cv= of set {instance} is not what it has to be", last)
    return [_set(instance, results[instance], messages[instance], seals[instance]) for instance in range(1, last + 1)]


def _set(instance: int, results: _Field, message: _Field, seal: _Field) -> ArcSet:
    return ArcSet(instance, results.place, message.place, seal.place, message.tags, seal.tags)


def _by_instance(
    kind: str, fields: Sequence[HeaderField], places: Sequence[int], read: Callable[[bytes], dict[bytes, bytes]]
) -> dict[int, _Field]:
    """The fields of one kind; BrokenChain where one cannot be read or two have the same instance."""
    found: dict[int, _Field] = {}
    for place in places:
        try:
            tags = read(fields[place][1])
        except (TagError, Refused) as error:
            raise BrokenChain(f"{kind}: {error}") from None
        position = tags.get(b"i", b"")
        # RFC 8617, section 4.2.1: 1 to 50.
        instance = int(position) if _POSITION.fullmatch(position) else 0
        if not 1 <= instance <= MAX_SETS:
            raise BrokenChain(f"{kind}: no instance of 1 to {MAX_SETS}")
        if instance in found:
            raise BrokenChain(f"{kind}: two of instance {instance}")
        found[instance] = _Field(place, tags)
    return found


def _results(value: bytes) -> dict[bytes, bytes]:
    match = _PREFIX.match(value) if len(value) <= MAX_FIELD else None
    return {b"i": match[1]} if match else {}


def without_instance(value: bytes) -> bytes:
    """What the server wrote behind the instance of an ARC-Authentication-Results field; empty where there is none."""
    match = _PREFIX.match(value)
    return value[match.end() :] if match else b""
