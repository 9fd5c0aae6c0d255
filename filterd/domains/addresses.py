"""IP addresses: the normal form that every other part compares and looks up."""

import ipaddress
from functools import lru_cache

_CACHE = 4096  # addresses; a few hundred bytes each, and one connection asks for its own several times
_IPV4 = 4
MAX_TEXT = 64  # characters; the longest address with a scope is shorter, the rest is not worth parsing


@lru_cache(maxsize=_CACHE)
def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if len(text) > MAX_TEXT:
        return None
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def normalise_address(text: str) -> str:
    """The address in its shortest form, an IPv4-mapped one as IPv4, without scope; empty where it is none."""
    address = _parse(text)
    return "" if address is None else str(address)


@lru_cache(maxsize=_CACHE)
def is_public(ip: str) -> bool:
    """True for an address that the whole Internet can reach; False for private, reserved and for what is no address."""
    address = _parse(ip)
    return address is not None and address.is_global and not address.is_multicast


@lru_cache(maxsize=_CACHE)
def reverse_name(ip: str) -> str:
    """The name under in-addr.arpa or ip6.arpa that holds the address's PTR records; empty for what is no address."""
    address = _parse(ip)
    return "" if address is None else address.reverse_pointer


@lru_cache(maxsize=_CACHE)
def network(ip: str, ipv4_prefix: int, ipv6_prefix: int) -> str:
    """The network of that size around an address, as in 198.51.100.0/24; empty for what is no address."""
    address = _parse(ip)
    if address is None:
        return ""
    prefix = ipv4_prefix if address.version == _IPV4 else ipv6_prefix
    rest = address.max_prefixlen - prefix
    return f"{type(address)(int(address) >> rest << rest)}/{prefix}"
