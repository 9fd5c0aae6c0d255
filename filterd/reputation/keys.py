"""Whom something is remembered of, and under which key.

Every key is a hash of fixed length: a hostile name cannot make it grow or mean another, and who reads the store does
not read there who writes to whom. Names are brought to one spelling first.
"""

import hashlib
import ipaddress
from functools import lru_cache
from typing import Final

from filterd.domains import is_public, normalise, normalise_address, registrable
from filterd.store.encoding import encoded

DIGITS: Final = 24  # hexadecimal, 96 bits: no two names of one site's mail share a key, by accident or by search
_CACHE: Final = 1_024  # of each kind, a third of a kilobyte each: a message asks for the same ones several times
_MAX_ADDRESS: Final = 320  # characters; RFC 5321, section 4.5.3.1: 64 for the local part, 255 for the domain
# 256 addresses are the least that is routed alone and what a small hoster has: who rents one address gets his next in
# the same block.
V4_PREFIX: Final = 24
# What one site gets (RFC 6177). A /64 would be one customer where hosters are thrifty, but whoever has a /48 would have
# 65,536 names to burn, and the store as many records to keep.
V6_PREFIX: Final = 48


@lru_cache(maxsize=_CACHE)
def network_of(address: str) -> str:
    """The network of a public address, as in 198.51.100.0/24; empty where there is none to hold responsible."""
    normal = normalise_address(address)
    if not is_public(normal):
        return ""
    if ":" not in normal:
        return f"{normal.rpartition('.')[0]}.0/{V4_PREFIX}"
    rest = 128 - V6_PREFIX
    return f"{ipaddress.IPv6Address(int(ipaddress.IPv6Address(normal)) >> rest << rest)}/{V6_PREFIX}"


@lru_cache(maxsize=_CACHE)
def domain_of(name: str) -> str:
    """The domain somebody registered to own this name, empty for what is no domain name."""
    normal = normalise(name) if name else None
    return registrable(normal) if normal is not None and "." in normal else ""


@lru_cache(maxsize=_CACHE)
def person(address: str) -> str:
    """One spelling for a mail address, empty for what is none."""
    local, at, domain = address.rpartition("@")
    normal = normalise(domain) if at and local and len(address) <= _MAX_ADDRESS else None
    return f"{local.lower()}@{normal}" if normal is not None else ""


def digest(kind: str, text: str) -> str:
    """A short name for a text of some kind."""
    return hashlib.sha256(encoded(f"{kind}\0{text}")).hexdigest()[:DIGITS]


@lru_cache(maxsize=_CACHE)
def network_key(network: str) -> str:
    """Where a network's outcomes are counted."""
    return f"reputation:n:{digest('network', network)}"


@lru_cache(maxsize=_CACHE)
def domain_key(domain: str) -> str:
    """Where a domain's outcomes are counted."""
    return f"reputation:d:{digest('domain', domain)}"


@lru_cache(maxsize=_CACHE)
def pair_key(network: str, domain: str) -> str:
    """Where the outcomes of a domain's mail from one network are counted."""
    return f"reputation:p:{digest('pair', network + ' ' + domain)}"


@lru_cache(maxsize=_CACHE)
def wrote_key(address: str) -> str:
    """The set of our users who have written to this correspondent."""
    return f"known:w:{digest('correspondent', address)}"


@lru_cache(maxsize=_CACHE)
def read_key(address: str) -> str:
    """The set of our users who have had good mail from this correspondent."""
    return f"known:r:{digest('correspondent', address)}"
