"""A message's name among what was learnt: the same before delivery and in the mailbox."""

import hashlib
from typing import Final

from filterd.model.message import HeaderField

CHUNK: Final = 65_536  # bytes at the end of a body that are looked at in one piece
# Written by the sender, and by nobody on the way. A fixed list, unlike that of what is learnt: a message must keep its
# name when that one changes, or it could not be forgotten any more.
NAMING: Final = frozenset({b"from", b"reply-to", b"subject", b"date", b"message-id", b"content-type"})


def digest_of(fields: tuple[HeaderField, ...], body: memoryview) -> bytes:
    """SHA-256 over what the sender wrote, without blanks that folding and storing change."""
    found = hashlib.sha256()
    for name, value in fields:
        key = name.strip().lower()
        if key in NAMING:
            found.update(key + b":" + b" ".join(value.split()) + b"\n")
    found.update(b"\n")
    found.update(body[: _end(body)])
    return found.digest()


def _end(body: memoryview) -> int:
    """Where the last line with anything on it ends: mailboxes add empty lines, and take them away."""
    end = len(body)
    while end:
        start = max(end - CHUNK, 0)
        kept = len(bytes(body[start:end]).rstrip(b"\r\n"))
        if kept:
            return start + kept
        end = start
    return 0
