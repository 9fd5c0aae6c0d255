"""The message as it was received, as rules get to see it: docs/decisions/012-what-rules-see-of-the-raw-message.md."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from filterd.mime.decode import Data
from filterd.mime.message import Part

# Bytes of a message that is scanned whole, base64 and all: most mail is no larger, and a scan of it costs no more than
# the decoded parts do.
MAX_WHOLE: Final = 65_536
# Bytes at the beginning of a part that are looked at in any message. What tells the kind of a file stands in the first
# few; a text is the same in its part, and a word that a rule wants beside a header field is most likely in so much.
OF_BASE64: Final = 1_024
OF_TEXT: Final = 65_536
# Bytes that are copied to put the header and what is left of a body in one piece.
MAX_JOINED: Final = 1_048_576

Span = tuple[int, int]  # where bytes begin in the body, and where they end


def seen_again(part: Part, contents: Sequence[Data]) -> Span:
    """The bytes of a part's buffer that need no second look, for they have been scanned as `contents`; often none."""
    start, end = part.offset, part.offset + part.raw.nbytes
    if len(contents) == 1 and contents[0] is part.raw:
        return start + OF_TEXT, end
    if len(contents) == 1 and part.encodings == ("base64",):
        return start + OF_BASE64, end
    return end, end


def as_received(block: bytes, body: memoryview, known: Iterable[Span]) -> Data:
    """Header and body in one piece; of a large message without what is `known`.

    What cannot be joined within MAX_JOINED is the body alone, as it is: the header is scanned apart anyway.
    """
    if len(block) + len(body) <= MAX_WHOLE:
        return block + body
    kept = list(_between(len(body), known))
    if len(block) + sum([end - begin for begin, end in kept]) > MAX_JOINED:
        return body
    return b"".join([block, *[body[begin:end] for begin, end in kept]])


def _between(size: int, spans: Iterable[Span]) -> Iterator[Span]:
    """What lies between the spans. Readings of a message may give some that overlap."""
    done = 0
    for begin, end in sorted([span for span in spans if span[0] < span[1]]):
        if begin > done:
            yield done, begin
        done = max(done, end)
    if done < size:
        yield done, size
