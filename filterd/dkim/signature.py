"""One DKIM-Signature field: what RFC 6376, sections 3.5 and 6.1.1 ask of it, without the message it stands in."""

import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from filterd.dkim.canonical import BodyForm
from filterd.dkim.tags import TagError, compact, parse_tags
from filterd.domains import is_subdomain, normalise
from filterd.model.authentication import DkimStatus, SignatureFacts

MAX_FIELD: Final = 16_384  # bytes of one field's value; z= copies may be long, no real signature is near this
MAX_SIGNED_NAMES: Final = 512  # names in h=; the header itself may have 1,000 fields, signers name some 30
MAX_SIGNATURE: Final = 512  # bytes of b=: RSA with 4096 bits, the longest key accepted (RFC 8301, section 3.2)
MAX_IDENTITY: Final = 320  # characters of i=: RFC 5321, section 4.5.3.1, local part 64 and domain 255
MAX_DATE_DIGITS: Final = 12  # RFC 6376, section 3.5: longer values of t= and x= may be read as infinite
INFINITE: Final = 10**MAX_DATE_DIGITS  # epoch seconds
MAX_LENGTH_DIGITS: Final = 76  # RFC 6376, section 3.5, l=
CLOCK_SKEW: Final = 300  # seconds that two clocks may differ, for t= and x=
TAG_LENGTH: Final = 8  # characters of b= that name a signature (RFC 6008, section 3)
SHA256_SIZE: Final = 32  # bytes

_WORD: Final = re.compile(rb"[a-z0-9-]{1,32}")  # an algorithm that may be repeated in a header field
# RFC 5322, section 3.6.8: ftext, which here cannot hold ";". White space stands around names, never inside.
_FIELD_NAMES: Final = re.compile(rb"\s*[!-9<-~]+\s*(?::\s*[!-9<-~]+\s*)*")
_FORMS: Final = {b"simple": False, b"relaxed": True}
_REQUIRED: Final = (b"v", b"a", b"b", b"bh", b"d", b"h", b"s")


class Refused(ValueError):  # noqa: N818  # an outcome, not an error of ours
    """The signature's outcome is settled without a key."""

    def __init__(self, reason: str, status: DkimStatus = DkimStatus.PERMERROR) -> None:
        """`reason` is ours, never text of the message."""
        super().__init__(reason)
        self.reason = reason
        self.status = status


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature field that is well formed; `names` are lower-case, in the order of h=."""

    domain: str
    selector: str
    algorithm: str
    identity: str
    names: tuple[bytes, ...]
    relaxed_header: bool
    body_form: BodyForm
    body_hash: bytes
    signature: bytes
    timestamp: int | None
    expires: int | None
    tag: str


def read_domain(value: bytes) -> str:
    """A d= value in A-labels, lower case; Refused where it is no domain name of two labels or more."""
    domain = None if value.endswith(b".") else normalise(value)
    if domain is None or "." not in domain:
        raise Refused("d= is not a domain name")
    return domain


def read_selector(value: bytes, domain: str) -> str:
    """An s= value in A-labels, lower case; Refused where no key can stand under that name."""
    suffix = "._domainkey." + domain
    name = None if value.endswith(b".") else normalise(value + suffix.encode("ascii"))
    if name is None:
        raise Refused("s= is not a selector")
    return name[: -len(suffix)]


def signature_hints(value: bytes) -> tuple[str, str] | None:
    """Domain and selector of a DKIM-Signature value, or None where no key will be needed. Bounded, never raises."""
    if len(value) > MAX_FIELD:
        return None
    try:
        tags = parse_tags(value)
        domain = read_domain(tags.get(b"d", b""))
        return domain, read_selector(tags.get(b"s", b""), domain)
    except (TagError, Refused):
        return None


def read_signature(value: bytes, now: float) -> Signature | SignatureFacts:
    """The field's signature, or facts with its status where it is malformed, unsupported, expired or unacceptable."""
    domain = selector = algorithm = tag = ""
    try:
        tags = read_tags(value)
        domain = read_domain(tags.get(b"d", b""))
        selector = read_selector(tags.get(b"s", b""), domain)
        algorithm = read_algorithm(tags.get(b"a", b""))
        require(tags, _REQUIRED)
        encoded = compact(tags[b"b"])
        signature = read_base64(encoded, "b")
        tag = encoded[:TAG_LENGTH].decode("ascii")
        return _checked(tags, (domain, selector, algorithm), (signature, tag), now)
    except TagError as error:
        status, reason = DkimStatus.PERMERROR, str(error)
    except Refused as refused:
        status, reason = refused.status, refused.reason
    return SignatureFacts(domain, selector, algorithm, tag=tag, status=status, reason=reason)


def read_tags(value: bytes) -> dict[bytes, bytes]:
    """The tags of a signature field of bearable length; Refused or TagError."""
    if len(value) > MAX_FIELD:
        raise Refused("signature field too long")
    return parse_tags(value)


def read_algorithm(value: bytes) -> str:
    """The a= value where it may be repeated in a header field, else an empty text; supported or not."""
    return value.decode("ascii") if _WORD.fullmatch(value) else ""


def require(tags: dict[bytes, bytes], names: Iterable[bytes]) -> None:
    """RFC 6376, section 6.1.1: every required tag is there; Refused otherwise."""
    for name in names:
        if name not in tags:
            raise Refused(f"no {name.decode()}= tag")


def _checked(tags: dict[bytes, bytes], names: tuple[str, str, str], b: tuple[bytes, str], now: float) -> Signature:
    domain, selector, algorithm = names
    if tags[b"v"] != b"1":
        raise Refused("unsupported version")
    signed = tags[b"h"]
    if _FIELD_NAMES.fullmatch(signed) is None:
        raise Refused("h= is not a list of field names")
    fields = compact(signed).lower().split(b":", MAX_SIGNED_NAMES)
    if len(fields) > MAX_SIGNED_NAMES:
        raise Refused("too many names in h=")
    if b"from" not in fields:
        raise Refused("From is not signed")  # RFC 6376, section 6.1.1
    identity = _identity(tags, domain)
    body_hash = read_base64(compact(tags[b"bh"]), "bh")
    relaxed_header, relaxed_body = read_forms(tags.get(b"c", b"simple/simple"))
    limit = read_number(tags, b"l", MAX_LENGTH_DIGITS)
    timestamp, expires = read_dates(tags, now)
    if b"dns/txt" not in compact(tags.get(b"q", b"dns/txt")).split(b":"):
        raise Refused("unsupported query method", DkimStatus.NEUTRAL)
    accept_algorithm(algorithm)
    if len(body_hash) != SHA256_SIZE:
        raise Refused("bh= has the wrong length")
    form = BodyForm(relaxed_body, limit)
    return Signature(
        domain,
        selector,
        algorithm,
        identity,
        tuple(fields),
        relaxed_header,
        form,
        body_hash,
        b[0],
        timestamp,
        expires,
        b[1],
    )


def accept_algorithm(algorithm: str) -> None:
    """Refused where no signature of this algorithm is ever verified."""
    if algorithm == "rsa-sha1":
        # RFC 8301, section 3.1: verifiers must not take it for a valid signature.
        raise Refused("rsa-sha1 is not accepted", DkimStatus.POLICY)
    if algorithm not in {"rsa-sha256", "ed25519-sha256"}:
        raise Refused("unsupported algorithm", DkimStatus.NEUTRAL)


def read_base64(encoded: bytes, tag: str) -> bytes:
    """RFC 6376, section 2.10: padded base64, checked for length before it is decoded; Refused otherwise."""
    if len(encoded) > MAX_SIGNATURE * 4 // 3 + 4:
        raise Refused(f"{tag}= is longer than any accepted key's signature")
    try:
        decoded = binascii.a2b_base64(encoded, strict_mode=True)
    except binascii.Error:
        raise Refused(f"{tag}= is not base64") from None
    if not decoded:
        raise Refused(f"{tag}= is empty")
    return decoded


def read_forms(value: bytes) -> tuple[bool, bool]:
    """c=: whether the header and the body are to be relaxed; Refused for other forms."""
    header, slash, body = value.partition(b"/")
    try:
        # RFC 6376, section 3.5: only one algorithm named means simple for the body.
        return _FORMS[header], _FORMS[body] if slash else False
    except KeyError:
        raise Refused("unsupported canonicalization", DkimStatus.NEUTRAL) from None


def _identity(tags: dict[bytes, bytes], domain: str) -> str:
    value = tags.get(b"i")
    if value is None:
        return "@" + domain
    value = compact(value)
    local, at, host = value.rpartition(b"@")
    name = normalise(host) if at else None
    if name is None or len(value) > MAX_IDENTITY:
        raise Refused("i= is not an identity")
    # RFC 6376, section 6.1.1: the identity lies in d= or below it.
    if not is_subdomain(name, domain):
        raise Refused("i= is outside d=")
    return local.decode(errors="replace") + "@" + name


def read_number(tags: dict[bytes, bytes], tag: bytes, digits: int) -> int | None:
    """A number, INFINITE beyond so many digits, None where the tag is absent; Refused where it is none."""
    value = tags.get(tag)
    if value is None:
        return None
    if not value.isdigit():
        raise Refused(f"{tag.decode()}= is not a number")
    return int(value) if len(value) <= digits else INFINITE


def read_dates(tags: dict[bytes, bytes], now: float) -> tuple[int | None, int | None]:
    """t= and x= in epoch seconds; Refused where the signature is not valid at this time."""
    timestamp = read_number(tags, b"t", MAX_DATE_DIGITS)
    expires = read_number(tags, b"x", MAX_DATE_DIGITS)
    if timestamp is not None and timestamp > now + CLOCK_SKEW:
        raise Refused("t= is in the future")
    if expires is not None:
        if timestamp is not None and expires <= timestamp:
            raise Refused("x= is not after t=")  # RFC 6376, section 3.5
        if expires + CLOCK_SKEW < now:
            raise Refused("signature expired")
    return timestamp, expires
