"""Received chains. Invariant: any fields name a client that nobody trusts, by a normal address, or nobody.

A field that cannot be read ends the search: what stands below it a sender could have written.
"""

from dataclasses import replace
from typing import Final

import pytest

from filterd.domains import normalise_address
from filterd.pipeline.received import MAX_RECEIVED, client_behind
from tests.fuzz.corpus import values
from tests.fuzz.engine import Target, fuzz
from tests.fuzz.worst import assert_linear, fill

RELAYS: Final = frozenset({"192.0.2.1", "192.0.2.2", "2001:db8::1"})
SEEDS: Final = (
    b" from gw1 (gw1.test [192.0.2.1]) by gw2\n from evil (evil.test [203.0.113.9]) by gw1\n from x (b [198.51.100.1])",
    b"from mail.a.test (mail.a.test [198.51.100.7])\r\n\tby gw.test (Postfix) with ESMTP id 4X",
    b"from x (y.test [IPv6:2001:db8::99]) by gw.test",
    b"from x ([::ffff:198.51.100.7]) by gw",
    b"by gw.test with LMTP",
)
TOKENS: Final = (
    b"from ",
    b"FROM\t",
    b"(",
    b")",
    b"[",
    b"]",
    b"[192.0.2.1]",
    b"[203.0.113.9]",
    b"IPv6:",
    b"::1",
    b"%eth0",
    b"unknown",
    b"\n",
    b"\r\n ",
    b" ",
    b"\0",
    b"\xff",
    b" by x",
    b"HELO=",
    b"x" * 255,
)


def check(data: bytes) -> None:
    """Each line is a field."""
    lines = data.split(b"\n")
    fields = [(b"Received", line) for line in lines]
    found = client_behind(fields, RELAYS.__contains__)
    assert client_behind([(b"Subject", b"x"), *fields], RELAYS.__contains__) == found
    if found is None:
        return
    client, helo = found
    assert client.address == normalise_address(client.address) != ""
    assert client.address not in RELAYS
    assert client.name == client.name.lower()
    (client.name + helo).encode()
    # It is named by a field that only trusted ones stand above.
    above = next(number for number in range(len(lines)) if client_behind(fields[: number + 1], RELAYS.__contains__))
    assert above < MAX_RECEIVED
    assert client_behind([*fields[:above], (b"Received", b"nonsense"), *fields[above:]], RELAYS.__contains__) is None


TARGET: Final = Target("received", check, SEEDS, TOKENS, runs=2_000, largest=4_096)


def test_any_bytes() -> None:
    """The invariant over mutants of chains."""
    fuzz(TARGET)


def test_mutants_of_real_fields(mail: tuple[bytes, ...]) -> None:
    """The same over mutants of real fields."""
    fuzz(replace(TARGET, name="real-received", seeds=values(mail, b"received"), runs=1_000))


@pytest.mark.parametrize(
    "pattern",
    [b" ", b"(", b"()", b"[", b"[]", b"a", b"a ", b"a (", b"from ", b"from a (", b"(a ", b"\t", b"]"],
    ids=repr,
)
def test_the_worst_is_linear(pattern: bytes) -> None:
    """Blanks, brackets and names cost time by their length, up to what is read of a field."""
    for head in (b"from a (", b"from ", b"from a (b ["):
        assert_linear(
            lambda value: client_behind([(b"Received", value)], RELAYS.__contains__), fill(pattern, head), 950
        )
