"""Header blocks. Invariant: any bytes part into fields and a body; what was read, written again, reads the same.

No name is empty or holds a blank or a colon, no value a NUL or a line end that is no fold, and nothing is read twice:
fields and body together are no longer than the message, but for one line end a line.
"""

import re
from dataclasses import replace
from typing import Final

import pytest

from filterd.mime.header import first, header_end, line_end, split, split_block, unfold
from filterd.mime.limits import MAX_PART_HEADER
from filterd.model.message import header_block
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

NAME: Final = re.compile(rb"[!-9;-~]+")
VALUE: Final = re.compile(rb"(?:[^\n\0]|(?<=\r)\n[ \t])*", re.DOTALL)
SEEDS: Final = (
    b"From: a@b.test\r\nSubject: x\r\n folded\r\n\r\nbody\r\n",
    b"From: a@b.test\nTo:b@c.test\n\nbody",
    b"From someone Mon Jan  1 00:00:00 2026\r\nFrom : a@b.test\r\n\ttab\r\n\r\nx",
    b">From x\r\nno colon\r\nSubject: y\0z\r\n \0\r\n\r\n",
    b"\r\nSubject: behind\r\n",
    b"A:\r\n \r\n \r\nB: \rx\r\r\n\r\r\n",
    b"",
)
TOKENS: Final = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\n\n",
    b"\n\r\n",
    b"\r\n ",
    b"\n\t",
    b":",
    b" :",
    b"\0",
    b"From ",
    b">From ",
    b"X: y\r\n",
    b"Content-Type: x/y\r\n",
    b"\xff: x\r\n",
    b" \r\n",
)


def check(raw: bytes) -> None:
    """Part a message; then the same as a part's header."""
    fields, body = split(raw)
    assert split(bytearray(raw)) == (fields, body)
    assert 0 <= body <= len(raw)
    for name, value in fields:
        assert NAME.fullmatch(name)
        assert VALUE.fullmatch(value)
        assert b"\n" not in unfold(value)
        assert first(fields, name.lower()) is not None
    assert len(header_block(fields)) <= body + raw.count(b"\n") + len(b"X-Mailbox-Line: \r\n") * raw.count(b"From ") + 4
    written = header_block(fields)
    assert split(written + raw[body:]) == (fields, len(written))
    view = memoryview(raw)
    part = split_block(view, 0, MAX_PART_HEADER, strict=False)
    assert part.end <= len(raw)
    assert part.end >= min(body, MAX_PART_HEADER)
    assert line_end(view, 0) > 0 or header_end(view, 0, MAX_PART_HEADER) == part.end


TARGET: Final = Target("header", check, SEEDS, TOKENS, runs=2_000)


def test_any_bytes() -> None:
    """The invariant over mutants of small headers."""
    fuzz(TARGET)


def test_mutants_of_real_headers(mail: tuple[bytes, ...]) -> None:
    """The same over mutants of real messages."""
    fuzz(replace(TARGET, name="real-header", seeds=mail, runs=400))


@pytest.mark.threat("MIME-20")
@pytest.mark.parametrize(
    "pattern",
    [
        b"a: b\r\n",
        b"a:\n",
        b"\r\n ",
        b" ",
        b"\t\r\n",
        b"\r",
        b":",
        b"a",
        b"a ",
        b"no colon\r\n",
        b"From x\r\n",
        b">",
        b"\0",
        b"\0\r\n ",
        b"\r\r\n",
    ],
    ids=repr,
)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Lines, folds, blanks and what is none of them cost time by their length."""
    assert_linear(
        lambda raw: (split(raw), split_block(memoryview(raw), 0, len(raw), strict=False)),
        fill(pattern, b"From: a@b.test\r\nX:"),
        20_000,
    )
