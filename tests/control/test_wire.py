"""Questions and answers as bytes."""

import pytest

from filterd.control import Command, Request, WireError, decode_request, encode
from filterd.control.wire import MAX_ID, MAX_IDS, MAX_LISTED, MAX_REQUEST, decode_answer


@pytest.mark.parametrize("command", list(Command))
def test_a_question_comes_back_as_it_was(command: Command) -> None:
    """Whatever is asked."""
    request = Request(command, ids=("01JD3W7Q4Z5S8V1N2M3K4P5R6T",), most=7)
    assert decode_request(encode(request).rstrip(b"\n")) == request


@pytest.mark.threat("OPS-07")
@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"status",
        b"{}",
        b"[]",
        b'{"command": "shutdown"}',
        b'{"command": "status", "as": "root"}',
        b'{"command": "status", "command": 1}',
        b'{"command": "held", "most": 0}',
        b'{"command": "held", "most": 1e9}',
        b'{"command": "held", "most": "5"}',
        b'{"command": "release", "ids": ["../../etc"]}',
        b'{"command": "release", "ids": [""]}',
        b'{"command": "release", "ids": "abc"}',
        b'{"command": "status"} {"command": "reload"}',
        b'{"command": "status"\xff}',
        b"[" * MAX_REQUEST,
        b"x" * (MAX_REQUEST + 1),
        encode({"command": "release", "ids": ["a"] * (MAX_IDS + 1)}),
        encode({"command": "release", "ids": ["a" * (MAX_ID + 1)]}),
        encode({"command": "held", "most": MAX_LISTED + 1}),
    ],
)
def test_what_is_no_question_is_refused_in_words(line: bytes) -> None:
    """It is said what was expected, and nothing of what was sent is repeated."""
    with pytest.raises(WireError, match=r"^expected "):
        decode_request(line)


def test_hostile_text_in_an_answer_stays_one_line() -> None:
    """Line ends and lone surrogates of held mail."""
    line = encode({"subject": "a\nb\u2028\ud800"})
    assert line.count(b"\n") == 1
    assert decode_answer(line) == {"subject": "a\nb\u2028\\ud800"}
