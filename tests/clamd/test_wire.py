"""What clamd's answers mean."""

import pytest

from filterd.clamd import read_reply
from filterd.scanners import ScannerError, ScannerRefusedError


@pytest.mark.parametrize(
    ("reply", "virus"),
    [
        (b"stream: OK", ""),
        (b"stream: Win.Test.EICAR_HDB-1 FOUND", "Win.Test.EICAR_HDB-1"),
        (b"stream: a\x1b[31m\xffb FOUND", "a [31m b"),
        (b"stream: \x01 FOUND", "?"),
        (b"stream: OK FOUND", "OK"),
    ],
)
def test_a_verdict_is_a_name_or_none(reply: bytes, virus: str) -> None:
    """The name is shown in logs and fields: printable ASCII only, and never empty."""
    assert read_reply(reply) == virus


@pytest.mark.parametrize(
    "reply", [b"INSTREAM size limit exceeded. ERROR", b"stream: Can't allocate memory ERROR\n", b" ERROR"]
)
def test_what_clamd_could_not_scan_is_not_clean(reply: bytes) -> None:
    """It works, and has said nothing about this message."""
    with pytest.raises(ScannerRefusedError):
        read_reply(reply)


@pytest.mark.parametrize(
    "reply", [b"", b"OK", b"PONG", b"stream: ok", b"stream: OK\r\n", b"stream: FOUND", b"1: stream: OK", b"\xff" * 5000]
)
def test_what_nobody_understands_is_an_error(reply: bytes) -> None:
    """Nothing but clamd's own words for it makes a message clean."""
    with pytest.raises(ScannerError) as caught:
        read_reply(reply)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isascii()
