"""The compressed RTF of Outlook ([MS-OXRTFCP]): copies out of a ring of 4,096 bytes."""

from typing import Final

_RING: Final = 4_096
_COMPRESSED: Final = b"LZFu"
_PLAIN: Final = b"MELA"
_HEADER: Final = 16
# 2.1.3.1: what the ring holds at first; words that most RTF begins with.
_FIRST: Final = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n"
    b"\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def unpack_rtf(data: bytes, allowance: int) -> bytes:
    """The text, at most about `allowance` bytes; what comes before damage. Never raises."""
    kind = data[8:12]
    if kind == _PLAIN:
        return data[_HEADER : _HEADER + allowance]
    if kind != _COMPRESSED:
        return b""
    # The ring is the end of what was written, with its first content in front.
    out = bytearray(_RING - len(_FIRST)) + _FIRST
    position = _HEADER
    while position < len(data) and len(out) - _RING < allowance:
        flags = data[position]
        position += 1
        for bit in range(8):
            if position >= len(data):
                return bytes(out[_RING:])
            if not flags >> bit & 1:
                out.append(data[position])
                position += 1
                continue
            if position + 2 > len(data):
                return bytes(out[_RING:])
            token = data[position] << 8 | data[position + 1]
            position += 2
            # 2.2.2.2: an offset in the ring that is the place of the next write ends the text.
            back = (len(out) - _RING + len(_FIRST) - (token >> 4)) % _RING
            if not back:
                return bytes(out[_RING:])
            length = (token & 0xF) + 2
            source = bytes(out[len(out) - back : len(out) - back + length])
            out += (source * (length // len(source) + 1))[:length]
    return bytes(out[_RING:])
