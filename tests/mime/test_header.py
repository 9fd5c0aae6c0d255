"""Header blocks as an MTA parts them from the body."""

import re
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.mime import header
from filterd.mime.header import split, split_block, unfold
from filterd.mime.limits import MAX_FIELDS
from filterd.mime.tree import parse
from filterd.model.message import header_block


def test_fields_are_raw_and_in_order() -> None:
    """Values keep the blank behind the colon, names their spelling, and the body begins behind the empty line."""
    fields, body = split(b"From: a@b.test\r\nsubject:x\r\n\r\nbody")
    assert fields == ((b"From", b" a@b.test"), (b"subject", b"x"))
    assert body == 29


def test_folds_become_crlf() -> None:
    """A fold is kept, with CRLF, whatever ended the line."""
    fields, _ = split(b"Subject: a\n\tb\n c\n\n")
    assert fields == ((b"Subject", b" a\r\n\tb\r\n c"),)


def test_split_round_trips() -> None:
    """A clean header is rebuilt byte for byte."""
    raw = b"A: 1\r\nB:\r\n  2\r\nC:  3 \r\n\r\n"
    assert header_block(split(raw)[0]) == raw


@pytest.mark.threat("MTA-14")
def test_line_without_colon_begins_the_body() -> None:
    """A line that is no field ends the header, as in Postfix."""
    raw = b"A: 1\r\nno field here\r\nB: 2\r\n\r\n"
    fields, body = split(raw)
    assert fields == ((b"A", b" 1"),)
    assert raw[body:] == b"no field here\r\nB: 2\r\n\r\n"


@pytest.mark.threat("MTA-14")
def test_non_ascii_name_begins_the_body() -> None:
    """An 8-bit byte in a name ends the header."""
    assert split("A: 1\r\nÄ: 2\r\n\r\n".encode())[0] == ((b"A", b" 1"),)


@pytest.mark.threat("MTA-14")
def test_blank_before_the_colon_is_no_part_of_the_name() -> None:
    """Subject<tab>: x is a Subject."""
    assert split(b"Subject\t: x\r\n\r\n")[0] == ((b"Subject", b" x"),)


@pytest.mark.threat("MTA-14")
def test_mbox_line_becomes_a_field() -> None:
    """A first line "From x" is kept under the name that Postfix gives it."""
    fields, _ = split(b"From x@y.test Mon\r\nA: 1\r\n\r\n")
    assert fields[0] == (b"X-Mailbox-Line", b" From x@y.test Mon")


@pytest.mark.threat("MTA-13")
def test_nul_cuts_a_value() -> None:
    """What stands behind a NUL in a value does not reach a milter."""
    assert split(b"Subject: a\0b\r\n\r\n")[0] == ((b"Subject", b" a"),)


def test_message_without_header() -> None:
    """An empty first line means that there is no header."""
    assert split(b"\r\nbody") == ((), 2)
    assert split(b"") == ((), 0)


@pytest.mark.threat("MIME-12")
def test_too_many_fields_are_a_finding() -> None:
    """All fields are split off, and reading more than the limit is said."""
    fields, _ = split(b"a:b\r\n" * (MAX_FIELDS + 1) + b"\r\n")
    assert len(fields) == MAX_FIELDS + 1
    assert [found.symbol for found in parse(fields, memoryview(b"")).findings] == ["UNSCANNABLE_HEADER"]


def test_unfold() -> None:
    """A fold reads as one blank."""
    assert unfold(b" a\r\n\t b ") == b"a b"


PIECES = st.sampled_from(
    [b"\r\n", b"\r\n", b"\r\n ", b"\n", b"\r", b"a", b"B-c", b":", b": ", b" :", b"x", b"\t", b"\0", b"\xe4", b"From "]
)


@given(raw=st.lists(PIECES, max_size=14).map(b"".join), limit=st.integers(0, 40), strict=st.booleans())
def test_a_plain_header_is_read_as_line_by_line(raw: bytes, limit: int, *, strict: bool) -> None:
    """What is read at once, because nothing in it is odd, is what a reader of single lines makes of it."""
    for whole in (raw, b"A: 1\r\n" + raw + b"\r\n\r\n"):
        view = memoryview(whole)
        at_once = split_block(view, 0, limit, strict=strict), split_block(view, 0, 1_000, strict=strict)
        with patch.object(header, "_PLAIN", re.compile(rb"(?!)")):
            assert at_once == (split_block(view, 0, limit, strict=strict), split_block(view, 0, 1_000, strict=strict))
