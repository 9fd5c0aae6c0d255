"""The form in which values are compared: the same for what is listed and for what a message holds."""

from collections.abc import Iterator

from filterd.domains import normalise


def address_form(text: str) -> str:
    """An e-mail address with its domain in A-labels, all lower case; empty where it is none.

    RFC 5321, section 2.4 leaves the case of a local part to its host. No host that matters tells Anna from anna, and
    who writes to be listed would change the case.
    """
    local, _, domain = text.rpartition("@")
    name = normalise(domain) if local else None
    return f"{local.lower()}@{name}" if name is not None else ""


def host_forms(host: str) -> Iterator[str]:
    """What an entry that means this (normalised) host can look like: itself, and .suffix of it and all above."""
    yield host
    at = 0
    while at >= 0:
        yield "." + host[at:].lstrip(".")
        at = host.find(".", at + 1)
