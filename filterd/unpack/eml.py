"""Messages as files (RFC 5322), in archives or attached under another type: read as the message itself is."""

import re
from collections.abc import Iterator
from typing import Final

from filterd.mime import symbols
from filterd.mime.decode import most
from filterd.mime.header import split
from filterd.mime.limits import MAX_DECODED
from filterd.mime.message import Message
from filterd.mime.tree import parse
from filterd.unpack.budget import Budget
from filterd.unpack.pieces import Piece, hand_out
from filterd.unpack.types import Data

HEAD: Final = 4_096  # bytes in which a header shows itself
# Two fields at the very beginning, and one that only messages have: notes that begin with "From:" are none.
_FIELDS: Final = re.compile(rb"(?:[!-9;-~]{1,76}:[^\n]{0,2000}\n(?:[ \t][^\n]{0,2000}\n)*+){2}")
_MARK: Final = re.compile(
    rb"^(?:Received|Return-Path|Message-ID|MIME-Version|Content-Type):", re.IGNORECASE | re.MULTILINE
)
_BLANK: Final = re.compile(rb"\n\r?\n")
_EXTENSIONS: Final = {"text/html": ".html", "text/plain": ".txt"}


def is_message(head: bytes) -> bool:
    """Whether content that begins so is a message."""
    if _FIELDS.match(head) is None:
        return False
    blank = _BLANK.search(head)
    return _MARK.search(head, 0, blank.start() + 1 if blank is not None else len(head)) is not None


def pieces(data: Data, path: str, budget: Budget) -> Iterator[Piece]:
    """All parts under all readings; what is odd about the message counts as it does on the outside."""
    whole = bytes(data)
    fields, start = split(whole)
    message = parse(fields, memoryview(whole)[start:], min(budget.room, MAX_DECODED))
    for found in message.findings:
        budget.note(found.symbol, *found.evidence)
    with budget.holding(message.decoded):
        yield from _parts(message, path, budget)


def _parts(message: Message, path: str, budget: Budget) -> Iterator[Piece]:
    for part in message.parts:
        if budget.stopped:
            return
        if most(part.raw, part.encodings) > budget.room:
            budget.note(symbols.UNSCANNABLE_SIZE, "too large beside what it lies in", f"{path}/{part.path}")
            continue
        name = part.filenames[0] if part.filenames else part.path + _EXTENSIONS.get(part.content_type, "")
        for content in part.contents():
            yield from hand_out(budget, path, name, content, *part.filenames)
            del content  # the next one needs its room
