"""Questions to the daemon's socket. Invariant: any bytes are a question within its bounds, or a WireError."""

from contextlib import suppress
from typing import Final

import pytest

from filterd.control import Command, WireError, decode_request, encode
from filterd.control.wire import MAX_ID, MAX_IDS, MAX_LISTED, MAX_REQUEST, decode_answer
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

SEEDS: Final = (
    b'{"command": "status"}',
    b'{"command": "reload"}',
    b'{"command": "restart"}',
    b'{"command": "held", "most": 20}',
    b'{"command": "release", "ids": ["01JD3W7Q4Z5S8V1N2M3K4P5R6T", "01JD3W7Q4Z5S8V1N2M3K4P5R6U"]}',
)
TOKENS: Final = (
    b'{"command":',
    b'"command"',
    b'"ids": [',
    b'"most": 1e309',
    b'"most": -1',
    b'"\\ud800"',
    b"\\u0000",
    b"[" * 2_000,
    b'{"a":' * 500,
    b"\xff",
    b"\n",
    b"\0",
    b"9" * 400,
)


def check(data: bytes) -> None:
    """What is read as a question is within all bounds; an answer is a table or none."""
    with suppress(WireError):
        request = decode_request(data)
        assert request.command in Command
        assert len(request.ids) <= MAX_IDS
        assert all(one.isalnum() and len(one) <= MAX_ID for one in request.ids)
        assert 0 < request.most <= MAX_LISTED
        assert encode(request).count(b"\n") == 1
    with suppress(WireError):
        assert isinstance(decode_answer(data), dict)


TARGET: Final = Target("control", check, SEEDS, TOKENS, runs=1_500, largest=MAX_REQUEST + 100)


@pytest.mark.threat("OPS-07")
def test_any_bytes() -> None:
    """The invariant over mutants of questions."""
    fuzz(TARGET)


@pytest.mark.threat("OPS-07")
@pytest.mark.parametrize("pattern", [b"[", b'{"a":', b'"a",', b"\\u0000", b"9", b" "], ids=repr)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Nesting, texts, numbers and blanks cost time by their length, up to the limit."""

    def read(data: bytes) -> None:
        with suppress(WireError):
            decode_request(data)

    assert_linear(read, fill(pattern, b'{"ids": ['), MAX_REQUEST // 2)
