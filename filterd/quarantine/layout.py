"""Where the header fields of a held message begin and end, for those whose bytes alone do not say it.

A blob is the header block and the body as they stood on the wire. Mostly that reads back into the fields that the MTA
handed over one by one; where it does not (a NUL, a line that is no field, very many fields), their lengths are noted.
"""

from collections.abc import Mapping
from typing import Final

from filterd.mime.header import split
from filterd.model.message import HeaderField, header_block

LAYOUT: Final = "fields"  # the key in Evidence.state
_BETWEEN: Final = len(b":")
_BEHIND: Final = len(b"\r\n")


def layout_note(fields: tuple[HeaderField, ...]) -> dict[str, str]:
    """Nothing where the raw bytes say it, else the lengths of names and values."""
    block = header_block(fields)
    if split(block) == (fields, len(block)):
        return {}
    return {LAYOUT: " ".join([f"{len(name)}:{len(value)}" for name, value in fields])}


def fields_of(raw: bytes, state: Mapping[str, str]) -> tuple[tuple[HeaderField, ...], int]:
    """The header fields and the offset of the body. ValueError where the note is not about these bytes."""
    if LAYOUT not in state:
        return split(raw)
    found, at = [], 0
    for lengths in state[LAYOUT].split():
        name, _, value = lengths.partition(":")
        colon = at + int(name)
        begin = colon + _BETWEEN
        end = begin + int(value)
        found.append((raw[at:colon], raw[begin:end]))
        at = end + _BEHIND
    offset = at + _BEHIND
    fields = tuple(found)
    if raw[:offset] != header_block(fields):
        raise ValueError("the lengths of header fields that are noted are not those of this message")
    return fields, offset
