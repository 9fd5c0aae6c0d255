"""What rules see of a message as it was received, and of its texts as a person reads them."""

import base64
import binascii
import random

import pytest

from filterd.inspection.inspect import inspect
from filterd.inspection.raw import MAX_JOINED, MAX_WHOLE, OF_BASE64, OF_TEXT, as_received
from filterd.mime.header import split
from filterd.model.inspection import Inspection, InspectionJob, RuleHit
from filterd.yarascan.engine import Scan

Externals = dict[str, str | int]
HEAD = b"From: a@b.test\r\nSubject: x\r\n"
FILE = random.Random(5).randbytes(3 * MAX_WHOLE)
ENCODED = base64.encodebytes(FILE).replace(b"\n", b"\r\n")
EDGE = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'


class Rules:
    """Keeps what it was asked; `hits` on a word anywhere, under one rule."""

    rule_set = "set"

    def __init__(self, word: bytes = b"") -> None:
        """No word hits nothing."""
        self.word = word
        self.asked: list[tuple[bytes | memoryview, Externals]] = []

    def scan(self, data: bytes | memoryview, externals: Externals, seconds: float) -> Scan:
        """Answer."""
        del seconds
        self.asked.append((data, externals))
        found = self.word and self.word in bytes(data)
        return Scan((RuleHit("word", "f", "YARA_WORD", str(externals["filepath"])),) if found else ())

    def seen(self, path: str) -> list[bytes]:
        """What was scanned under a path."""
        return [bytes(data) for data, externals in self.asked if externals["filepath"] == path]


def run(raw: bytes, rules: Rules) -> Inspection:
    """Inspect a whole message."""
    fields, start = split(raw)
    return inspect(InspectionJob("x", fields, len(raw) - start, 60, 0.0), memoryview(raw)[start:], rules)


def attached(content: bytes, text: bytes = b"hello\r\n") -> bytes:
    """A message with a text and a file in base64."""
    file = b"--b\r\nContent-Type: application/x-thing\r\nContent-Transfer-Encoding: base64\r\n\r\n" + content
    return HEAD + EDGE + b"--b\r\n\r\n" + text + file + b"--b--\r\n"


def test_rules_see_header_and_body_in_one_piece() -> None:
    """As received, once, after all parts, under a type and a path of its own."""
    raw = attached(base64.encodebytes(b"a file").replace(b"\n", b"\r\n"))
    rules = Rules()
    run(raw, rules)
    assert rules.seen("message") == [raw]
    last = rules.asked[-1][1]
    assert (last["filepath"], last["part_type"], last["size"], last["filename"]) == ("message", "message", len(raw), "")


def test_a_hit_across_parts_is_the_messages() -> None:
    """What no part holds is found, and counted once; what a part holds is said of the part only."""
    across = Rules(b"hello\r\n--b")
    assert [hit.part for hit in run(attached(b"AAAA\r\n"), across).hits] == ["message"]
    within = Rules(b"hello")
    assert [hit.part for hit in run(attached(b"AAAA\r\n"), within).hits] == ["1"]


def test_of_a_large_message_only_the_beginning_of_decoded_base64_is_seen_again() -> None:
    """The decoded file has been scanned; all else of the message is there, and its size is that of the message."""
    raw = attached(ENCODED)
    rules = Rules()
    run(raw, rules)
    (seen,) = rules.seen("message")
    assert seen == raw.replace(ENCODED[OF_BASE64:-2], b"")  # the line break is the delimiter's
    assert rules.asked[-1][1]["size"] == len(raw)
    assert FILE in rules.seen("2")


@pytest.mark.threat("MIME-05")
def test_base64_that_can_be_read_in_two_ways_is_left_as_it_is() -> None:
    """Only what every client decodes alike is left out."""
    raw = attached(ENCODED[:80] + b"=" + ENCODED[80:])
    rules = Rules()
    run(raw, rules)
    assert rules.seen("message") == [raw]


def test_the_parts_of_an_encoded_message_say_nothing_about_the_body() -> None:
    """Their places are counted in the decoded message, which is another buffer."""
    inner = base64.encodebytes(attached(ENCODED)).replace(b"\n", b"\r\n")
    part = b"--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + inner
    raw = HEAD + EDGE + b"--b\r\n\r\n" + b"words and words\r\n" * 3_000 + part + b"--b--\r\n"
    rules = Rules()
    run(raw, rules)
    assert FILE in [bytes(data) for data, _ in rules.asked]
    assert rules.seen("message") == [raw.replace(inner[OF_BASE64:-2], b"")]


def test_a_large_body_is_not_copied() -> None:
    """What cannot be joined is scanned where it lies; the header is scanned by itself anyway."""
    body = memoryview(b"x" * (MAX_JOINED + 1))
    assert as_received(HEAD, body, []) is body
    assert as_received(HEAD, body, [(9, len(body))]) == HEAD + b"x" * 9


def test_of_a_large_text_only_the_beginning_is_seen_again() -> None:
    """Its bytes are the part's, which have been scanned: nothing large is scanned twice."""
    text = b"words and words\r\n" * 10_000
    raw = HEAD + b"Content-Transfer-Encoding: 7bit\r\n\r\n" + text
    rules = Rules()
    run(raw, rules)
    assert rules.seen("1") == [text]
    assert rules.seen("message") == [raw[: OF_TEXT - len(text)]]


def test_quoted_printable_is_seen_as_it_came() -> None:
    """No part has these bytes."""
    raw = HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=77ords and words\r\n" * 10_000
    rules = Rules()
    run(raw, rules)
    assert rules.seen("message") == [raw]


def test_spans_may_overlap_and_touch() -> None:
    """Two readings of a message may cut it differently: what any of them left undecoded is kept."""
    body = memoryview(random.Random(6).randbytes(2 * MAX_WHOLE))
    spans = [(10_000, 29_000), (11_000, 12_000), (500, 500), (28_000, 33_000), (33_000, 34_000), (91_000, 93_000)]
    data = bytes(body)
    kept = data[:10_000] + data[34_000:91_000] + data[93_000:]
    assert as_received(b"", body, spans) == kept


@pytest.mark.parametrize("size", [0, 1, MAX_WHOLE])
def test_a_small_message_is_seen_whole(size: int) -> None:
    """Whatever was decoded of it."""
    body = memoryview(b"x" * size)
    assert as_received(b"", body, [(0, size)]) == body


def test_rules_see_what_a_person_reads_of_a_page() -> None:
    """A word that tags cut apart is found in the text, and said of the part's text."""
    page = b"<p>your pass<b></b>word<!-- x --> has <i>expired</i></p>"
    rules = Rules(b"expired")
    facts = run(HEAD + b"Content-Type: text/html\r\n\r\n" + page, rules)
    (text,) = rules.seen("1!text")
    assert b"<" not in text
    assert [hit.part for hit in facts.hits] == ["1", "1!text"]
    asked = next(externals for _, externals in rules.asked if externals["filepath"] == "1!text")
    assert (asked["part_type"], asked["filetype"], asked["size"]) == ("text", "text", len(text))


def test_a_page_in_an_archive_has_a_text_too() -> None:
    """Unpacked and sent as such are one to the rules; the member lists what its text hit."""
    raw = HEAD + b"Content-Type: text/plain\r\n\r\nbegin 644 a.html\r\n"
    page = b"<!DOCTYPE html><html><body>pay &#109;oney</body></html>"
    lines = [binascii.b2a_uu(page[at : at + 45]).rstrip() for at in range(0, len(page), 45)]
    rules = Rules(b"pay money")
    facts = run(raw + b"\r\n".join(lines) + b"\r\n`\r\nend\r\n", rules)
    assert rules.seen("1/a.html!text") == [b"pay money"]
    assert [part.rules for part in facts.parts if part.path == "1/a.html"] == [("word",)]


@pytest.mark.parametrize("text", [b"plain words", "gr\u00fc\u00dfe".encode(), b"", b"x" * 2_000_001])
def test_a_text_that_was_scanned_already_is_not_scanned_again(text: bytes) -> None:
    """Where its bytes are what a person reads."""
    rules = Rules()
    run(HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text, rules)
    assert rules.seen("1!text") == []


def test_rules_see_texts_in_utf_8() -> None:
    """Rules are written in it; what the part's bytes are depends on its sender's charset."""
    word = "\u0434\u0435\u043d\u044c\u0433\u0438"
    rules = Rules(word.encode())
    raw = HEAD + b"Content-Type: text/plain; charset=koi8-r\r\n\r\n" + word.encode("koi8-r")
    assert [hit.part for hit in run(raw, rules).hits] == ["1!text"]
