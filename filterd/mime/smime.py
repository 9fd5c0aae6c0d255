"""Opaque S/MIME (RFC 8551): the message inside of a signature is readable to everybody, and shown by every client.

Only as much of CMS (RFC 5652) and BER as leads to that content; signatures are not verified. What is encrypted is said.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

Data: TypeAlias = bytes | memoryview

_SEQUENCE: Final = 0x30
_OCTETS: Final = 0x04
_CONSTRUCTED_OCTETS: Final = 0x24
_CONTENT: Final = 0xA0  # [0] EXPLICIT
_OID: Final = 0x06
_CMS: Final = bytes.fromhex("2a864886f70d0107")  # 1.2.840.113549.1.7
_COMPRESSED: Final = bytes.fromhex("2a864886f70d0109100109")  # RFC 3274
ENCRYPTED: Final = "encrypted"
_SIGNED: Final = 2
_ENCRYPTED: Final = frozenset({3, 4, 6})  # enveloped, signed and enveloped, encrypted
_MAX_CHUNKS: Final = 200_000  # of a string in pieces; a program that streams writes one for every few kilobytes


class Value(NamedTuple):
    """A BER value: its tag, and where its content begins and ends; `end` is behind all of it."""

    tag: int
    start: int
    stop: int
    end: int


class Opaque(NamedTuple):
    """What a CMS object holds: readable content, or in a word why there is none."""

    content: bytes
    closed: str = ""


def opaque(data: Data) -> Opaque | None:
    """The content of a signed object, or that it is encrypted; None where it is no CMS object. Linear; never raises."""
    outer = _value(data, 0, len(data))
    if outer is None or outer.tag != _SEQUENCE:
        return None
    kind, content = _pair(data, outer)
    if kind == _COMPRESSED:
        return Opaque(b"", "compressed")
    if kind is None or kind[:-1] != _CMS:
        return None
    if kind[-1] in _ENCRYPTED:
        return Opaque(b"", ENCRYPTED)
    return _content(data, content) if kind[-1] == _SIGNED and content is not None else None


def _content(data: Data, content: Value) -> Opaque | None:
    """What stands inside of a signature."""
    signed = next(_children(data, content), None)
    # RFC 5652 5.1: behind the version and the digest algorithms stands what is signed.
    for child in _children(data, signed) if signed is not None else ():
        if child.tag == _SEQUENCE:
            _, inner = _pair(data, child)
            return Opaque(b"".join(_octets(data, inner)) if inner is not None else b"")
    return None


def _pair(data: Data, sequence: Value) -> tuple[bytes | None, Value | None]:
    """An object identifier and the content beside it."""
    children = _children(data, sequence)
    first, second = next(children, None), next(children, None)
    if first is None or first.tag != _OID:
        return None, None
    return bytes(data[first.start : first.stop]), second if second is not None and second.tag == _CONTENT else None


def _children(data: Data, parent: Value) -> Iterator[Value]:
    """The values inside of another."""
    position = parent.start
    for _ in range(_MAX_CHUNKS):
        child = _value(data, position, parent.stop)
        if child is None:
            return
        yield child
        position = child.end


def _octets(data: Data, parent: Value) -> Iterator[bytes]:
    """The pieces of a string of octets (X.690 8.7.3), in order."""
    for child in _children(data, parent):
        if child.tag == _OCTETS:
            yield bytes(data[child.start : child.stop])
        elif child.tag == _CONSTRUCTED_OCTETS:
            for piece in _children(data, child):
                if piece.tag == _OCTETS:
                    yield bytes(data[piece.start : piece.stop])


def _value(data: Data, start: int, stop: int) -> Value | None:
    """The value at `start`; one without a length goes as far as its parent. None where none begins, or at its end."""
    head = bytes(data[start : min(start + 10, stop)])
    if len(head) < 2 or head[:2] == b"\0\0":  # noqa: PLR2004  # a tag and a length; X.690 8.1.5: end of contents
        return None
    tag, length = head[0], head[1]
    if length < 0x80:  # noqa: PLR2004  # X.690 8.1.3.4: the short form
        begin, size = start + 2, length
    elif length == 0x80:  # noqa: PLR2004  # X.690 8.1.3.6: up to an end of contents
        return Value(tag, start + 2, stop, stop)
    else:
        count = length & 0x7F
        begin, size = start + 2 + count, int.from_bytes(head[2 : 2 + count], "big")
    return Value(tag, begin, min(begin + size, stop), min(begin + size, stop))
