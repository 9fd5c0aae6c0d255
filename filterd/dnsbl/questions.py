"""The question that asks a list about an address, a name or a hash."""

import re
from typing import Final

from filterd.dnsbl.zones import ADDRESSES, HASHES, Subject, Zone
from filterd.domains import MAX_NAME, is_public, normalise, registrable, reverse_name
from filterd.model.dns import Question, RRType

# RFC 5737 and RFC 3849: addresses of examples belong to nobody, so asking tells no list anything about anyone, and a
# set-up can be tried out with them.
DOCUMENTATION: Final = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:")
# An e-mail address as lists know them: RFC 5321, section 4.5.3.1.1 gives the local part 64 octets. What is quoted, or
# was no UTF-8 and has replacement characters now, is on no list.
_LOCAL_PART: Final = re.compile(r"[^\s\"<>()\[\],;:\\@\x00-\x1f\x7f\ud800-\udfff\ufffd]{1,64}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def may_ask_about(address: str) -> bool:
    """True for an address that may be shown to a public list: never a private, local or reserved one."""
    return bool(address) and (is_public(address) or address.startswith(DOCUMENTATION))


def question_about(zone: Zone, subject: Subject, value: str) -> Question | None:
    """Ask `zone` about an address, a domain name, an e-mail address or a file's SHA-256 in hexadecimal.

    None where it must not be asked or cannot be.
    """
    if not value or subject not in zone.subjects:
        return None
    if subject in ADDRESSES:
        asked = _reversed(zone, value)
    elif subject in HASHES:
        asked = _hash(zone, subject, value)
    else:
        asked = _name(zone, value)
    if not asked:
        return None
    name = f"{asked}.{zone.zone}"
    return Question(name, RRType.A) if len(name) <= MAX_NAME else None


def domain_of(zone: Zone, name: str) -> str:
    """The part of a normalised name that this list lists."""
    return registrable(name) if zone.level == "registrable" else name


def _reversed(zone: Zone, address: str) -> str:
    """RFC 5782, sections 2.1 and 2.4: the octets or nibbles, last one first."""
    if not may_ask_about(address) or (":" in address and not zone.ipv6):
        return ""
    return reverse_name(address).removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def _name(zone: Zone, text: str) -> str:
    name = normalise(text)
    # A single label is no name on the Internet. An address is no name either: lists of names resent being asked.
    return "" if name is None or "." not in name else domain_of(zone, name)


def _hash(zone: Zone, subject: Subject, value: str) -> str:
    if subject is Subject.ATTACHMENT_HASH:
        return zone.key.of_digest(value) if _SHA256.fullmatch(value) else ""
    local, _, text = value.rpartition("@")
    domain = normalise(text)
    if domain is None or "." not in domain or _LOCAL_PART.fullmatch(local) is None:
        return ""
    return zone.key.of_address(f"{local}@{domain}")
