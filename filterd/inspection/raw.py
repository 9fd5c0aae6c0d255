"""The message as it was received, as rules get to see it: docs/decisions/012-what-rules-see-of-the-raw-message.md."""

from collections.abc import Iterable
from typing import Final

from filterd.mime.decode import Data

# Bytes of a message that is scanned whole, base64 and all: most mail is no larger, and a scan of it costs no more than
# the decoded parts do.
MAX_WHOLE: Final = 65_536
# Bytes at the beginning of a base64 body that are looked at in any message: what tells the kind of a file stands there.
BEGINNING: Final = 1_024
# Bytes that are copied to put the header and what is left of a body in one piece.
MAX_JOINED: Final = 1_048_576

Span = tuple[int, int]  # where bytes begin in the body, and how many they are


def as_received(block: bytes, body: memoryview, decoded: Iterable[Span]) -> Data:
    """Header and body in one piece; of a large message without the base64 that was `decoded`, but for its beginnings.

    What cannot be joined within MAX_JOINED is the body alone, as it is: the header is scanned apart anyway.
    """
    if len(block) + len(body) <= MAX_WHOLE:
        return block + body
    kept = list(_kept(len(body), decoded))
    if len(block) + sum([size for _, size in kept]) > MAX_JOINED:
        return body
    return b"".join([block, *[body[start : start + size] for start, size in kept]])


def _kept(size: int, decoded: Iterable[Span]) -> Iterable[Span]:
    """What lies between the spans. Readings of a message may give spans that overlap."""
    done = 0
    for start, length in sorted(decoded):
        begin, end = start + BEGINNING, start + length
        if begin > done:
            if begin >= end:
                continue
            yield done, begin - done
        done = max(done, end)
    if done < size:
        yield done, size - done
