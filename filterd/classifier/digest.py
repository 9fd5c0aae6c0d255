"""A message's name among what was learnt: the same before delivery and in the mailbox."""

import hashlib

from filterd.classifier.features import Receiving
from filterd.model.message import HeaderField


def digest_of(fields: tuple[HeaderField, ...], body: memoryview, receiving: Receiving) -> bytes:
    """SHA-256 over what the sender wrote, without fields of the receiving side and blanks that storing changes."""
    found = hashlib.sha256()
    for name, value in fields:
        key = name.strip().lower()
        if not receiving.has(key):
            found.update(key + b":" + b" ".join(value.split()) + b"\n")
    found.update(b"\n")
    found.update(body[: _end(body)])
    return found.digest()


def _end(body: memoryview) -> int:
    """Where the last line with anything on it ends: mailboxes add empty lines, and take them away."""
    end = len(body)
    while end and body[end - 1] in b"\r\n":
        end -= 1
    return end
