"""Addresses as DNS names: what PTR lookups and block lists ask for."""

from filterd.domains.addresses import reverse_name

__all__ = ["reverse_name", "reversed_labels"]


def reversed_labels(ip: str) -> str:
    """The address as block lists want it before their zone (RFC 5782, section 2.1 and 2.4): 4 numbers or 32 nibbles.

    An IPv4-mapped address counts as IPv4; empty for what is no address.
    """
    # Both forms end in two labels under arpa: in-addr.arpa, ip6.arpa.
    return reverse_name(ip).rpartition(".")[0].rpartition(".")[0]
