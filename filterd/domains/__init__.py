"""Domain names and IP addresses as text: one normal form for each, so that comparing two is comparing strings.

Names follow RFC 5890 (A-labels) through UTS #46 mapping; underscores are accepted, as some hosts carry them.
Deviation: an A-label that arrives as one is not decoded to see whether its punycode is sound; it can only name itself.
The public suffix list serves displays and fallbacks only: DMARC walks the DNS tree (RFC 9989, section 4.10).
"""

from filterd.domains.addresses import is_public, network, normalise_address, reverse_name
from filterd.domains.names import MAX_NAME, is_subdomain, load_suffixes, normalise, registrable

__all__ = [
    "MAX_NAME",
    "is_public",
    "is_subdomain",
    "load_suffixes",
    "network",
    "normalise",
    "normalise_address",
    "registrable",
    "reverse_name",
]
