"""Made-up messages, parsed, and what the classifier makes of them."""

from collections.abc import Sequence
from pathlib import Path

from filterd.classifier import Features, Receiving, features_of, load_receiving
from filterd.classifier.reading import text_of
from filterd.classifier.views import Text
from filterd.html import Page
from filterd.mime.header import split
from filterd.mime.message import Message
from filterd.mime.tree import parse

RECEIVING: Receiving = load_receiving(Path(__file__).resolve().parents[2] / "rules" / "classifier.toml")
HAM = "the minutes of our meeting on monday are attached, please review the patch before lunch"
SPAM = "buy cheap pills now, limited offer, click here to win the casino credit"


def message(header: bytes, body: bytes = b"") -> Message:
    """A parsed message."""
    fields, _ = split(header + b"\r\n\r\n")
    return parse(fields, memoryview(body))


def features(
    text: str = "", header: bytes = b"Subject: x\r\n", pages: Sequence[Page] = (), hosts: Sequence[str] = ()
) -> Features:
    """The features of a message with that text."""
    parsed = message(header, text.encode("utf-8", "replace"))
    subject = parsed.first(b"subject").decode("utf-8", "replace")
    return features_of(parsed, subject, [text], pages, hosts, RECEIVING)


def seen(text: str = "", header: bytes = b"Subject: x\r\n") -> Text:
    """What features of such a message are taken from."""
    parsed = message(header, text.encode("utf-8", "replace"))
    return text_of(parsed, parsed.first(b"subject").decode("utf-8", "replace"), [text], [], [], RECEIVING)
