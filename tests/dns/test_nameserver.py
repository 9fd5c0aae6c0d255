"""Name servers as the operator writes them, addresses as names, and randomness."""

from pathlib import Path

import pytest

from filterd.dns.addresses import reverse_name, reversed_labels
from filterd.dns.nameserver import Entropy, Nameserver, parse_nameserver, system_nameservers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", Nameserver("192.0.2.1", 53)),
        ("192.0.2.1:5353", Nameserver("192.0.2.1", 5353)),
        ("2001:db8::1", Nameserver("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", Nameserver("2001:db8::1", 5353)),
        ("[::1]", Nameserver("::1", 53)),
    ],
)
def test_addresses_with_and_without_port(text: str, expected: Nameserver) -> None:
    """Both families, brackets where a port follows a colon address."""
    assert parse_nameserver(text) == expected


@pytest.mark.parametrize(
    "text", ["", "localhost", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "[::1", "[::1]53", "::1:x", "1.2.3.4:²"]
)
def test_anything_else_is_a_configuration_error(text: str) -> None:
    """Names too: there is nobody to resolve them yet."""
    if text == "192.0.2.1:":
        assert parse_nameserver(text).port == 53
        return
    with pytest.raises(ValueError, match=r".+"):
        parse_nameserver(text)


def test_loopback_is_recognised() -> None:
    """Only there AD is believed and case is not randomised."""
    assert [Nameserver(host).loopback for host in ("127.0.0.53", "::1", "192.0.2.1", "fe80::1%1")] == [
        True,
        True,
        False,
        False,
    ]


def test_resolv_conf_is_read_as_the_c_library_reads_it(tmp_path: Path) -> None:
    """Lines it cannot read are not there; without any the local host is asked."""
    path = tmp_path / "resolv.conf"
    path.write_text("# x\nsearch a.test\nnameserver 192.0.2.1\nnameserver\nnameserver nonsense\n  nameserver ::1 x\n")
    assert system_nameservers(path) == (Nameserver("192.0.2.1"), Nameserver("::1"))
    path.write_text("")
    assert system_nameservers(path) == (Nameserver("127.0.0.1"),)


@pytest.mark.threat("DNS-04")
def test_addresses_as_block_lists_want_them() -> None:
    """Octets or 32 nibbles, backwards; an IPv4-mapped address is IPv4; no address, no name."""
    assert reversed_labels("192.0.2.99") == "99.2.0.192"
    assert reversed_labels("::ffff:192.0.2.99") == "99.2.0.192"
    assert reversed_labels("2001:db8::1") == "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
    assert reverse_name("192.0.2.99") == "99.2.0.192.in-addr.arpa"
    assert reversed_labels("nonsense") == ""


def test_entropy_is_never_given_twice() -> None:
    """Blocks are used up in order and replaced."""
    blocks = iter(range(10))
    entropy = Entropy(lambda size: next(blocks).to_bytes(1, "big") * size)
    assert entropy.take(4096) == b"\0" * 4096
    assert entropy.take(2) == b"\1\1"
    assert entropy.take(4095) == b"\2" * 4095
