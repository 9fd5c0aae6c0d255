"""Host names between text and wire: which ones may be asked, and how they stand in a packet (RFC 1035, section 3.1)."""

import re
from typing import Final

MAX_NAME: Final = 253  # characters without the trailing dot; RFC 1035, section 2.3.4: 255 octets on the wire
MAX_WIRE_NAME: Final = 255  # octets, the root's zero octet included
MAX_LABELS: Final = 127  # one octet of text and one of length each fill 255 octets
MAX_JUMPS: Final = 64  # compression pointers within one name; real packets need one or two

# Printable ASCII only, and no backslash: names that come out of a packet carry it as the escape of bytes that text
# cannot hold, and such names are never asked for again.
_ASKABLE: Final = re.compile(r"(?=.{1,253}\Z)[!-\-/-\[\]-~]{1,63}(?:\.[!-\-/-\[\]-~]{1,63})*")
_ODD: Final = re.compile(rb"[^!-\[\]-~]")  # bytes that need an escape in text, besides the dot inside a label
_LENGTHS: Final = tuple([bytes((length,)) for length in range(64)])
_POINTER: Final = 0xC0  # RFC 1035, section 4.1.4: the two top bits of a pointer


def askable(name: str) -> bool:
    """True where `name` can be put on the wire: 1 to 253 printable ASCII characters, labels of 1 to 63."""
    return _ASKABLE.fullmatch(name) is not None


def encode_name(name: str) -> bytes:
    """The name as length-prefixed labels. ValueError where it is not askable."""
    if _ASKABLE.fullmatch(name) is None:
        raise ValueError("invalid name")
    labels = name.encode("ascii").split(b".")
    return b"".join([_LENGTHS[len(label)] + label for label in labels]) + b"\0"


def skip_name(packet: bytes, offset: int) -> int:
    """The offset behind the name at `offset`. IndexError or ValueError where it does not end in the packet."""
    for _ in range(MAX_LABELS + 1):
        length = packet[offset]
        if length >= _POINTER:
            return offset + 2
        if length == 0:
            return offset + 1
        if length > 63:  # noqa: PLR2004  # RFC 1035, section 4.1.4: 01 and 10 are reserved
            raise ValueError("reserved label type")
        offset += length + 1
    raise ValueError("name too long")


def decode_name(packet: bytes, offset: int) -> str:
    r"""The name at `offset` in lower case without the trailing dot; the root is ".".

    Bytes that text cannot hold are escaped as in zone files (a dot inside a label as `\.`, others as `\DDD`).
    Pointers must lead backwards, so no loop is possible; IndexError or ValueError where the name is malformed.
    """
    labels: list[bytes] = []
    octets = 1
    lowest = offset
    for _ in range(MAX_LABELS + MAX_JUMPS):
        length = packet[offset]
        if length >= _POINTER:
            target = (length & 0x3F) << 8 | packet[offset + 1]
            if target >= lowest:
                raise ValueError("compression pointer does not lead backwards")
            offset = lowest = target
        elif length == 0:
            return _text(labels)
        elif length > 63:  # noqa: PLR2004  # RFC 1035, section 4.1.4: 01 and 10 are reserved
            raise ValueError("reserved label type")
        else:
            end = offset + 1 + length
            label = packet[offset + 1 : end]
            if len(label) != length:
                raise ValueError("label beyond the packet")
            octets += length + 1
            if octets > MAX_WIRE_NAME:
                raise ValueError("name too long")
            labels.append(label)
            offset = end
    raise ValueError("name too long")


def _text(labels: list[bytes]) -> str:
    """Labels as text."""
    joined = b".".join(labels).lower()
    if joined.count(b".") != len(labels) - 1 or _ODD.search(joined) is not None:
        if not labels:
            return "."
        joined = b".".join([_escape(label.lower()) for label in labels])
    return joined.decode("ascii")


def _escape(label: bytes) -> bytes:
    """One label with escapes."""
    if label.isascii() and b"." not in label and _ODD.search(label) is None:
        return label
    return b"".join([_escape_byte(byte) for byte in label])


def _escape_byte(byte: int) -> bytes:
    """One byte of a label as zone files write it (RFC 1035, section 5.1)."""
    if byte in b".\\":
        return b"\\" + bytes((byte,))
    if 0x21 <= byte <= 0x7E:  # noqa: PLR2004  # printable ASCII
        return bytes((byte,))
    return b"\\%03d" % byte
