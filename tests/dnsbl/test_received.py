import random

import pytest

from filterd.dnsbl.received import MAX_FIELD, MAX_FIELDS, received_addresses
from tests.fuzz.worst import assert_linear, fill

POSTFIX = (
    b" from mx.a.example (mx.a.example [198.51.100.7])\r\n\tby mx.b.example (Postfix) with ESMTPS id 4X; Mon, 2 Nov"
)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (POSTFIX, "198.51.100.7"),
        (b" from [192.168.1.5] (unknown [198.51.100.7]) by mx.b.example", "198.51.100.7"),
        (b" from mx.a.example (mx.a.example [IPv6:2001:db8::1]) by mx.b.example", "2001:db8::1"),
        (b" FROM a (a [IPV6:2001:DB8::1]) BY b", "2001:db8::1"),
        (b" from a (a [::ffff:198.51.100.7]) by b", "198.51.100.7"),
        (b" from [198.51.100.7] (helo=[192.168.0.1]) by mx.b.example with esmtp (Exim 4.96)", "198.51.100.7"),
        (b" from unknown (HELO mail) (198.51.100.7) by mx.b.example", "198.51.100.7"),
        (b" from unknown (HELO [10.0.0.1]) (198.51.100.7)\r\n by mx.b.example", "198.51.100.7"),
        (b" from A.outlook.example (2001:db8:10a6:10::1) by B.outlook.example", "2001:db8:10a6:10::1"),
        (b" from mx.a.example (mx.a.example 198.51.100.7) by b", "198.51.100.7"),
        (b" from mx.a.example ([198.51.100.7]:4711) by b", "198.51.100.7"),
        (b" by mx.b.example with HTTP; [198.51.100.7]", ""),
        (b" from mx.a.example by mx.b.example (mx.b.example [198.51.100.7])", ""),
        (b" (qmail 1234 invoked by uid 89); 2 Nov 2026", ""),
        (b" from localhost (localhost [999.1.2.3]) by b", ""),
        (b" from a ([198.51.100.7] [999.1.2.3]) by b", "198.51.100.7"),
        (b"", ""),
    ],
)
def test_the_address_of_who_gave_the_message_on_is_read(value: bytes, address: str) -> None:
    """As the common servers write it; HELO names and the writing host's own address are somebody else's."""
    assert received_addresses([value]) == ([address] if address else [])


def test_each_address_comes_once_and_the_newest_first() -> None:
    """In the order of the fields."""
    other = POSTFIX.replace(b"100.7", b"100.8")
    assert received_addresses([POSTFIX, other, POSTFIX]) == ["198.51.100.7", "198.51.100.8"]


@pytest.mark.threat("DNS-08")
def test_a_chain_beyond_all_measure_is_read_at_both_ends() -> None:
    """Neither its beginning nor its end can be hidden by what somebody puts between."""
    values = [b" from a (a [2001:db8::%x]) by b" % n for n in range(10_000)]
    found = received_addresses(values)
    assert len(found) == MAX_FIELDS
    assert (found[0], found[-1]) == ("2001:db8::", "2001:db8::270f")


@pytest.mark.threat("DNS-07")
def test_any_bytes_are_read_without_an_exception() -> None:
    """Control characters, no UTF-8, brackets without end."""
    rng = random.Random(7)
    pieces = [
        b"[",
        b"]",
        b"(",
        b")",
        b"::",
        b"198.51.100.7",
        b"\0",
        b"\xff",
        b" by ",
        b"helo=",
        b"HELO ",
        b"ipv6:",
        b"%",
        b"\r\n\t",
    ]
    for _ in range(2_000):
        value = b"".join(rng.choices(pieces, k=rng.randrange(40)))
        assert all(address.isascii() for address in received_addresses([value]))


@pytest.mark.parametrize("pattern", [b"[", b"[1", b"(1.2.3.4", b"[1.2.3.4]", b" by", b"a", b"\n", b"::", b"helo=["])
def test_the_worst_field_is_linear(pattern: bytes) -> None:
    """And no more than its beginning is read."""
    assert_linear(lambda data: received_addresses([data]), fill(pattern), MAX_FIELD // 2)
