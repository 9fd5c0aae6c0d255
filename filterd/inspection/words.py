"""Words of a message that may be the password of an archive in it, looked for only when an archive asks."""

from collections.abc import Callable
from typing import Final

from filterd.html import read_page
from filterd.mime.charset import decode
from filterd.mime.message import Message, Part
from filterd.mime.words import decode_words
from filterd.unpack.passwords import MAX_TEXT, candidates

MAX_PARTS: Final = 8  # bodies looked at; a mail has two, and a forwarded one as many again
_BODIES: Final = frozenset({"text/plain", "text/html"})
_MARGIN: Final = 4  # bytes of a body for each character looked at: markup and encodings


def words_of(message: Message) -> Callable[[], tuple[str, ...]]:
    """What gives the words, reading the message when first called. Its exceptions are the caller's stage's."""
    known: list[tuple[str, ...]] = []

    def words() -> tuple[str, ...]:
        if known:
            return known[0]
        texts = [decode_words(message.first(b"subject"))]
        shown = [part for part in message.parts if part.disposition != "attachment" and not part.filenames]
        texts += [_text(part) for part in [part for part in shown if part.content_type in _BODIES][:MAX_PARTS]]
        known.append(candidates("\n".join(texts)))
        return known[0]

    return words


def _text(part: Part) -> str:
    """A body's text as it is shown."""
    text = decode(part.contents()[0][: MAX_TEXT * _MARGIN], part.charset)
    return read_page(text).text if part.content_type == "text/html" else text
