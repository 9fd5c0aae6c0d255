"""What the name says that a client gives at HELO: signs of a host that is no mail server. Pure, one look each."""

from filterd.domains.addresses import normalise_address

_PRIVATE = (".local", ".lan", ".localdomain", ".internal", ".home", ".invalid")


def bare_address(helo: str) -> tuple[str, ...] | None:
    """It is an address without brackets (RFC 5321, section 4.1.3)."""
    return (helo,) if helo and normalise_address(helo) else None


def unqualified(helo: str) -> tuple[str, ...] | None:
    """It is no name on the Internet: without a dot, or of a private network."""
    name = helo.rstrip(".").lower()
    if not name or name[:1] == "[" or normalise_address(name):
        return None
    return (helo,) if "." not in name or name.endswith(_PRIVATE) else None


def false_address(helo: str, client: str) -> tuple[str, ...] | None:
    """It is an address, and not the client's own."""
    claimed = normalise_address(helo.removeprefix("[").removesuffix("]").removeprefix("IPv6:"))
    if not claimed or not client or claimed == normalise_address(client):
        return None
    return (claimed, client)
