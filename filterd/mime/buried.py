"""Messages and parts that stand in a text, or in a file that a client opens as a message.

Nobody declared them: a delimiter without a multipart, an .eml under another type, a header behind the header's end. To
most readers they are text, which is scanned as such; what this adds is what they hold under a transfer encoding.
"""

import re
from typing import Final

from filterd.mime.decode import Data
from filterd.mime.entity import read_entity
from filterd.mime.header import split_block
from filterd.mime.limits import MAX_DECODED, MAX_DEPTH, MAX_PART_HEADER
from filterd.mime.message import Message, Part, index_fields
from filterd.mime.tree import Walk, is_header, parse_from

_MESSAGE_NAME: Final = re.compile(r"\.(?:eml|mht|mhtml|nws|mim|mime)\Z", re.IGNORECASE)
_READ: Final = ("text/", "message/", "multipart/")  # types whose content is shown
_HEAD: Final = 1_024  # bytes that tell whether there is text
_CMS_NAME: Final = re.compile(r"\.p7[ms]\Z", re.IGNORECASE)
_CMS_TYPES: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_MESSAGE_TYPES: Final = frozenset({"application/eml", "application/x-mimearchive", "multipart/related"})


def opens_as_message(part: Part) -> bool:
    """Whether a client opens the part as a message of its own."""
    kind = part.content_type
    named = any(_MESSAGE_NAME.search(name) for name in part.filenames)
    return named or kind.startswith("message/") or kind in _MESSAGE_TYPES


def may_be_signed(part: Part) -> bool:
    """Whether a client takes the part for a signature with its content inside, or for something encrypted."""
    return part.content_type in _CMS_TYPES or any(_CMS_NAME.search(name) for name in part.filenames)


def may_be_read(part: Part, data: Data) -> bool:
    """Whether a client may look into a part's content of no known kind: as a text, a message or a Macintosh's file.

    What begins as no text does and is not declared as one is a file to be saved.
    """
    head = bytes(data[:_HEAD])
    if b"\0" not in head or head.startswith(b"\0"):
        return True
    return part.content_type.startswith(_READ) or opens_as_message(part) or may_be_signed(part)


def buried(data: Data, path: str, depth: int, *, every: bool = False, room: int = MAX_DECODED) -> Message | None:
    """What stands in `data` under part headers; None where there is none.

    Without `every` only parts that have to be decoded, or that have a name, are listed: the others' content has been
    seen as text. `room` is as with parse.
    """
    view = memoryview(data)
    if not is_header(view):
        return None
    block = split_block(view, 0, MAX_PART_HEADER, strict=False)
    index = index_fields(block.fields)
    walk = Walk(room=room)
    if depth >= MAX_DEPTH:
        walk.too_deep(path)
    elif b"content-type" in index or b"content-transfer-encoding" in index:
        parse_from(walk, view, f"{path}.message", depth + 1, read_entity(index, "text/plain"), block.end)
    parts = tuple(walk.parts) if every else _worth(walk)
    if not parts and depth < MAX_DEPTH:
        parse_from(walk, view, path, depth + 1, None, 0)
        parts = _worth(walk)
    return Message(block.fields, view, parts, findings=tuple(walk.findings), decoded=room - walk.room)


def _worth(walk: Walk) -> tuple[Part, ...]:
    """The parts that say more than the text they stand in."""
    return tuple([part for part in walk.parts if (part.encodings or part.filenames) and part.kind != "whole"])
