"""The question that asks a list about an address or a name."""

from typing import Final

from filterd.dnsbl.zones import Subject, Zone
from filterd.domains import MAX_NAME, is_public, normalise, registrable, reverse_name
from filterd.model.dns import Question, RRType

# RFC 5737 and RFC 3849: addresses of examples belong to nobody, so asking tells no list anything about anyone, and a
# set-up can be tried out with them.
DOCUMENTATION: Final = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:")


def may_ask_about(address: str) -> bool:
    """True for an address that may be shown to a public list: never a private, local or reserved one."""
    return bool(address) and (is_public(address) or address.startswith(DOCUMENTATION))


def question_about(zone: Zone, subject: Subject, value: str) -> Question | None:
    """Ask `zone` about a client address or a domain name; None where it must not be asked or cannot be."""
    if not value or subject not in zone.subjects:
        return None
    return _about_address(zone, value) if subject is Subject.CLIENT else _about_name(zone, value)


def domain_of(zone: Zone, name: str) -> str:
    """The part of a normalised name that this list lists."""
    return registrable(name) if zone.level == "registrable" else name


def _about_address(zone: Zone, address: str) -> Question | None:
    if not may_ask_about(address) or (":" in address and not zone.ipv6):
        return None
    reverse = reverse_name(address).removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
    return Question(f"{reverse}.{zone.zone}", RRType.A) if reverse else None


def _about_name(zone: Zone, text: str) -> Question | None:
    name = normalise(text)
    # A single label is no name on the Internet. An address is no name either: lists of names resent being asked.
    if name is None or "." not in name:
        return None
    asked = f"{domain_of(zone, name)}.{zone.zone}"
    return Question(asked, RRType.A) if len(asked) <= MAX_NAME else None
