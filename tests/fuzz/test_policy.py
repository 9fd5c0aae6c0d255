"""Policy requests. Invariant: any bytes in any pieces are the same requests, or a PolicyProtocolError and nothing else.

Whatever is read as a request says who asks without an exception, in values that hold no line end.
"""

import ipaddress
from typing import Final

import pytest

from filterd.policy.codec import MAX_LINE, MAX_LINES, MAX_REQUEST, Decoder, PolicyProtocolError, Request
from filterd.policy.messages import Asking
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill
from tests.policy.asking import wire

SEEDS: Final = (
    wire(),
    wire().replace(b"\n", b"\r\n"),
    wire(protocol_state="DATA", recipient="") + wire(protocol_state="END-OF-MESSAGE", sender=""),
    wire(client_address="2001:db8::7", client_port="0", client_name="unknown", sasl_username="anna"),
    b"request=smtpd_access_policy\nrequest=other\n\n",
)
TOKENS: Final = (
    b"\n",
    b"\r\n",
    b"\n\n",
    b"=",
    b"==",
    b"a=b\n",
    b"client_address=",
    b"client_port=99999",
    "client_port=\u0661\u0662".encode(),
    b"client_name=[unknown]",
    b"sender=<>",
    b"instance=",
    b"stress=yes",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"fe80::1%eth0",
    b"::ffff:192.0.2.1",
    b"x" * 8_200,
)


def read(data: bytes, piece: int) -> tuple[list[Request], str]:
    """The requests that were read, in pieces of that size, and what ended that."""
    decoder, found = Decoder(), list[Request]()
    try:
        for start in range(0, len(data), piece):
            found += decoder.receive(data[start : start + piece])
    except PolicyProtocolError as error:
        return found, str(error)
    return found, ""


def check(data: bytes) -> None:
    """All ways of cutting it give the same, up to the first error."""
    found, trouble = read(data, 7)
    for piece in (1, 64, max(len(data), 1)):
        others, other = read(data, piece)
        assert bool(other) == bool(trouble)  # which of two errors is seen first may differ
        shorter = min(len(found), len(others))  # requests in the piece that had the error are not given out
        assert others[:shorter] == found[:shorter]
    for request in found:
        assert 0 < len(request.attributes) <= MAX_LINES
        assert not any("\n" in name + value or len(value) > MAX_LINE for name, value in request.attributes.items())
        asking = Asking.of(request)
        assert 0 <= asking.client.port <= 99_999  # five digits
        if asking.client.address:
            ipaddress.ip_address(asking.client.address)


TARGET: Final = Target("policy", check, SEEDS, TOKENS, runs=1_000, largest=12_000)


@pytest.mark.threat("POL-01", "POL-02")
def test_any_bytes() -> None:
    """The invariant over mutants of requests."""
    fuzz(TARGET)


@pytest.mark.threat("POL-02")
@pytest.mark.parametrize("pattern", [b"a", b"=", b"a=b\n", b"\n", b"\r", b"a=\r\n", b"\xff"], ids=repr)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Lines, names and pieces cost time by their length, up to the first limit."""
    assert_linear(lambda value: read(value, 100), fill(pattern, b"a="), MAX_REQUEST // 2)
